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
    """Keras 3's by name, Optax's as optax.NAME. From Python also learning_rate -> GradientTransformation."""
    learning_rate: float = 1e-3
    """Step size, which the schedule's factor multiplies. From Python also a schedule, number of steps done -> rate."""
    beta_1: float = 0.9
    """Decay of the first moment, or the momentum of momentum and nesterov."""
    beta_2: float = 0.999
    """Decay of the second moment."""
    epsilon: float = 1e-7
    """Added to the root of the second moment (rmsprop, adagrad: under the root)."""
    momentum_decay: float = 1.0
    """Nadam's momentum at step t is beta_1 (1 - 0.5 x 0.96^(momentum_decay t)). PyTorch has 0.004."""
    rho: float = 0.9
    """Decay of the second moment of rmsprop."""
    initial_accumulator: float = 0.1
    """First value of the sum of squares of adagrad and ftrl."""
    weight_decay: float = 0.004
    """Share of a weight that adamw subtracts in a step, times the learning rate."""
    ftrl_l1: float = 0.0
    """Strength of l1 in ftrl itself, which makes weights exactly 0."""
    ftrl_l2: float = 0.0
    """Strength of l2 in ftrl itself."""
    clip_value: float | None = None
    """Clip each entry of the gradients to plus or minus this."""
    clip_norm: float | None = None
    """Clip the norm of each variable's gradient to this, as Keras's clipnorm does."""
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
            raise UserError(f"optim.{' and optim.'.join(given)} are both given. Remove one of them.")
        check_is_used("optim", self, (self.optimizer,), USERS)
