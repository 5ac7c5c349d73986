"""Architecture of the network, a stack of dense layers."""

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
"""Activations that have an alpha, with its default."""
SCALED: Final = ("variance_scaling", "orthogonal", "constant")


@dataclass(frozen=True)
class Model:
    """A stack of dense layers."""

    units: tuple[int, ...] = (100, 100)
    """Units of each hidden layer."""
    activation: ActivationChoice = "selu"
    """Activation of the hidden layers. From Python also a function x -> y of arrays."""
    kernel_init: InitializerChoice = "lecun_normal"
    """Initialiser of the hidden kernels. From Python also a function (key, [inputs, units], dtype) -> kernel."""
    batch_norm: bool = False
    """Batch normalisation at each hidden layer."""
    batch_norm_input: bool = False
    """Batch normalisation of the network's input."""
    dropout: Dropout = "dropout"
    """Kind of dropout."""
    dropout_sites: DropoutSites = "none"
    """Layers whose inputs are dropped. head is the output layer, after_hidden all dense layers but the first."""
    dropout_rate: float = 0.0
    """Share of the values that is dropped, in [0, 1)."""
    alpha: float | None = None
    """Slope of leaky_relu below 0, first slope of prelu, or minus the lower bound of elu. None: .01, .25 or 1."""
    batch_norm_place: NormPlace = "before"
    """Batch normalisation before or after the activation."""
    use_bias: bool = True
    """Biases in the hidden dense layers."""
    head_init: InitializerChoice = "glorot_uniform"
    """Initialiser of the output layer's kernel."""
    init_scale: float = 1.0
    """Scale of variance_scaling, gain of orthogonal, or value of constant."""
    init_mode: InitMode = "fan_in"
    """Fan by which variance_scaling divides the variance."""
    init_distribution: InitDistribution = "truncated_normal"
    """Distribution of variance_scaling. The variance of truncated_normal is corrected."""

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
                "one needs the other. Give sites head, after_hidden or every with a rate above 0, or neither."
            )
        if self.batch_norm_place == "after" and not self.batch_norm:
            raise UserError(
                "model.batch_norm_place is 'after' and has no effect without batch normalisation. Set model.batch_norm."
            )
