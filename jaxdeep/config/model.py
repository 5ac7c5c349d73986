"""The architecture: a stack of dense layers."""

import math
from dataclasses import dataclass
from typing import Final

from jaxdeep.config.choices import (
    ActivationChoice,
    Dropout,
    DropoutSites,
    InitDistribution,
    InitializerChoice,
    InitMode,
    NormPlace,
    check,
    check_is_used,
)
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

ALPHAS: Final = {"leaky_relu": 0.01, "prelu": 0.25, "elu": 1.0}
"""The activations that have an alpha, and what it is where none is given."""
SCALED: Final = ("variance_scaling", "orthogonal", "constant")


@dataclass(frozen=True)
class Model:
    """A stack of dense layers."""

    units: tuple[int, ...] = (100, 100)
    """Units of each hidden layer."""
    activation: ActivationChoice = "selu"
    """Activation of the hidden layers; from Python also a function x -> y of arrays."""
    kernel_init: InitializerChoice = "lecun_normal"
    """Initialiser of the hidden kernels; biases are 0. From Python also (key, [inputs, units], dtype) -> kernel."""
    batch_norm: bool = False
    """Batch normalisation at each hidden layer."""
    batch_norm_input: bool = False
    """Batch normalisation of the network's input."""
    dropout: Dropout = "dropout"
    """The kind of dropout, where there is any."""
    dropout_sites: DropoutSites = "none"
    """Whose inputs are dropped: head: the output layer's; after_hidden: all but the first dense layer's; every: all."""
    dropout_rate: float = 0.0
    """The share that is dropped, in [0, 1)."""
    alpha: float | None = None
    """leaky_relu: slope below 0 (None: .01); prelu: its first value (.25); elu: minus its lower bound (1)."""
    batch_norm_place: NormPlace = "before"
    """Batch normalisation before or after the activation."""
    use_bias: bool = True
    """Biases in the hidden dense layers."""
    head_init: InitializerChoice = "glorot_uniform"
    """Initialiser of the output layer's kernel."""
    init_scale: float = 1.0
    """variance_scaling: the scale; orthogonal: the gain; constant: the value."""
    init_mode: InitMode = "fan_in"
    """variance_scaling: what the variance is divided by."""
    init_distribution: InitDistribution = "truncated_normal"
    """variance_scaling: what is drawn from; truncated_normal has its variance corrected."""

    def __post_init__(self) -> None:
        make_plain("model", self)
        check("model.units", self.units, min(self.units, default=0) >= 1, "one or more widths of 1 or more")
        check("model.dropout_rate", self.dropout_rate, 0 <= self.dropout_rate < 1, "in [0, 1)")
        alpha = self.alpha
        check("model.alpha", alpha, alpha is None or math.isfinite(alpha), "finite, or None")
        check_is_used("model", self, (self.activation,), {"alpha": tuple(ALPHAS)})
        self._check_init()
        self._check_pairs()

    def _check_init(self) -> None:
        check("model.init_scale", self.init_scale, math.isfinite(self.init_scale), "finite")
        chosen, variance = (self.kernel_init, self.head_init), ("variance_scaling",)
        users = {"init_scale": SCALED, "init_mode": variance, "init_distribution": variance}
        check_is_used("model", self, chosen, users)
        if "variance_scaling" in chosen:
            check("model.init_scale", self.init_scale, self.init_scale > 0, "above 0 with variance_scaling")

    def _check_pairs(self) -> None:
        if (self.dropout_rate > 0) != (self.dropout_sites != "none"):
            raise UserError(
                f"model.dropout_rate is {self.dropout_rate} and model.dropout_sites is {self.dropout_sites!r}: "
                "a rate above 0 needs sites (head, after_hidden or every), and sites need a rate above 0"
            )
        if self.batch_norm_place == "after" and not self.batch_norm:
            raise UserError("model.batch_norm_place is 'after', and model.batch_norm is False: there is none to place")
