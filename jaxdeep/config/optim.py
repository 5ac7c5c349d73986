"""The optimizer and the clipping of its gradients."""

import math
from dataclasses import dataclass
from typing import Final

from jaxdeep.config.choices import OptimizerChoice, check, check_is_used
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

ADAMS: Final = ("nadam", "adam", "adamax", "adamw")
WITH_MOMENTUM: Final = ("momentum", "nesterov")
CLIPS: Final = ("clip_value", "clip_norm", "clip_global_norm")
USERS: Final = {
    "beta_1": (*WITH_MOMENTUM, *ADAMS),
    "beta_2": ADAMS,
    "epsilon": (*ADAMS, "rmsprop", "adagrad"),
    "momentum_decay": ("nadam",),
    "rho": ("rmsprop",),
    "initial_accumulator": ("adagrad", "ftrl"),
    "weight_decay": ("adamw",),
    "ftrl_l1": ("ftrl",),
    "ftrl_l2": ("ftrl",),
}


@dataclass(frozen=True)
class Optim:
    """The optimizer, with Keras's defaults."""

    optimizer: OptimizerChoice = "nadam"
    """Keras 3's by their names, optax's as optax.NAME; from Python also learning_rate -> GradientTransformation."""
    learning_rate: float = 1e-3
    """Step size, which the schedule's factor multiplies. From Python also a schedule, number of steps done -> rate."""
    beta_1: float = 0.9
    """Decay of the first moment; the momentum of momentum and nesterov."""
    beta_2: float = 0.999
    """Decay of the second moment."""
    epsilon: float = 1e-7
    """Added to the root of the second moment (rmsprop, adagrad: under the root)."""
    momentum_decay: float = 1.0
    """Nadam's momentum schedule is beta_1 (1 - 0.5 x 0.96^(momentum_decay t)); TensorFlow 2 and PyTorch have 0.004."""
    rho: float = 0.9
    """rmsprop: decay of the second moment."""
    initial_accumulator: float = 0.1
    """adagrad, ftrl: what the sum of squares starts at."""
    weight_decay: float = 0.004
    """adamw: share of a weight that is taken off it a step, times the learning rate."""
    ftrl_l1: float = 0.0
    """ftrl: strength of l1, in the optimizer itself, so that weights become exactly 0."""
    ftrl_l2: float = 0.0
    """ftrl: strength of l2, likewise."""
    clip_value: float | None = None
    """Clip each entry of the gradients to plus or minus this."""
    clip_norm: float | None = None
    """Clip the norm of each variable's gradient (a kernel's, a bias's) to this; Keras's clipnorm."""
    clip_global_norm: float | None = None
    """Clip the norm of all gradients together to this."""

    def __post_init__(self) -> None:
        make_plain("optim", self)
        if not callable(self.learning_rate):
            check("optim.learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "above 0 and finite")
        for name in ("beta_1", "beta_2", "rho"):
            value = getattr(self, name)
            check(f"optim.{name}", value, 0 <= value < 1, "in [0, 1)")
        check("optim.epsilon", self.epsilon, 0 < self.epsilon < math.inf, "above 0 and finite")
        for name in ("momentum_decay", "initial_accumulator", "weight_decay", "ftrl_l1", "ftrl_l2"):
            value = getattr(self, name)
            check(f"optim.{name}", value, 0 <= value < math.inf, "0 or more and finite")
        for name in CLIPS:
            value = getattr(self, name)
            check(f"optim.{name}", value, value is None or 0 < value < math.inf, "above 0 and finite, or None")
        given = [name for name in CLIPS if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError(f"optim.{' and optim.'.join(given)} are both given; allowed: one of them")
        check_is_used("optim", self, (self.optimizer,), USERS)
