"""Architecture of the network, a stack of dense layers."""

import math
from dataclasses import dataclass, fields, replace
from itertools import chain, islice, pairwise, repeat
from typing import Any, Final

from jaxdeep.config.choices import (
    ActivationChoice,
    BiasInitializer,
    Dropout,
    DropoutSites,
    Head,
    InitDistribution,
    InitializerChoice,
    InitMode,
    ModuleChoice,
    NormPlace,
    Task,
    check,
    check_is_used,
)
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

ALPHAS: Final = {"leaky_relu": 0.01, "prelu": 0.25, "elu": 1.0, "thresholded_relu": 1.0}
"""Activations that have an alpha, with its default."""
SCALED: Final = (
    "variance_scaling",
    "orthogonal",
    "constant",
    "identity",
    "random_normal",
    "random_uniform",
    "truncated_normal",
)
"""Initialisers that use init_scale."""
REGRESSION_HEADS: Final = ("linear", "tanh", "softplus")
"""Output layers that predict numbers."""
RANDOM: Final = ("variance_scaling", "random_normal", "random_uniform", "truncated_normal")
"""Initialisers whose spread is init_scale, which is above 0."""


@dataclass(frozen=True)
class Model:
    """A stack of dense layers."""

    units: tuple[int, ...] = (100, 100)
    """Units of each hidden layer."""
    activation: ActivationChoice = "selu"
    """Activation of the hidden layers. From Python also a function x -> y of arrays."""
    kernel_init: InitializerChoice = "lecun_normal"
    """Initialiser of the hidden kernels. From Python also a function (key, [inputs, units], dtype) -> kernel."""
    batch_norm: bool | tuple[bool, ...] = False
    """Batch normalisation at each hidden layer. Or an entry for each hidden layer."""
    batch_norm_input: bool = False
    """Batch normalisation of the network's input."""
    dropout: Dropout = "dropout"
    """Kind of dropout."""
    dropout_sites: DropoutSites = "none"
    """Layers whose inputs are dropped. head is the output layer, after_hidden all dense layers but the first."""
    dropout_rate: float | tuple[float, ...] = 0.0
    """Share of the values that is dropped, in [0, 1). Or a rate for the input of each dense layer, the head last."""
    alpha: float | None = None
    """Slope of leaky_relu or prelu, minus elu's bound, or theta of thresholded_relu. None: .01, .25, 1 or 1."""
    batch_norm_place: NormPlace = "before"
    """Batch normalisation before or after the activation. Or of the layer's input, behind its dropout."""
    use_bias: bool = True
    """Biases in the hidden dense layers."""
    head_init: InitializerChoice = "glorot_uniform"
    """Initialiser of the output layer's kernel."""
    init_scale: float = 1.0
    """Scale of variance_scaling, gain of orthogonal and identity, value of constant, or factor of the others' 0.05."""
    init_mode: InitMode = "fan_in"
    """Fan by which variance_scaling divides the variance."""
    init_distribution: InitDistribution = "truncated_normal"
    """Distribution of variance_scaling. The variance of truncated_normal is corrected."""
    bias_init: BiasInitializer = "zeros"
    """Initialiser of all biases. It uses init_scale too."""
    skip: bool = False
    """Skip connections x + layer(x) around all hidden layers but the first that are as wide as the one before."""
    head: Head = "softmax"
    """Output layer. softmax has a unit for each class, and sigmoid one for two classes.

    With several labels of a row, sigmoid has a unit for each. linear, tanh and softplus predict numbers. tanh gives
    numbers between the lowest and the highest training target, and softplus numbers above 0.
    """

    module: ModuleChoice = "none"
    """Network of your own in place of the stack of layers. none is the stack.

    From Python a function of the number of outputs that returns a flax.linen.Module, whose call takes rows [B, D] and
    returns outputs [B, C]. It has train=True while training if it takes `train`.
    """

    def __post_init__(self) -> None:
        make_plain("model", self)
        self._check_module()
        check("model.units", self.units, min(self.units, default=0) >= 1, "one or more widths of 1 or more")
        self._check_layers()
        alpha = self.alpha
        check("model.alpha", alpha, alpha is None or math.isfinite(alpha), "finite, or None")
        check_is_used("model", self, (self.activation,), {"alpha": tuple(ALPHAS)})
        self._check_init()
        self._check_pairs()

    def _check_module(self) -> None:
        """Refuse fields that a module of the user's own would silently ignore."""
        if isinstance(self.module, str):
            return
        used = ("module", "head")
        ignored = [of.name for of in fields(self) if of.name not in used and getattr(self, of.name) != of.default]
        if ignored:
            raise UserError(
                f"model.{ignored[0]} belongs to the stack of layers, and model.module is a network of your own. Remove "
                "either."
            )

    def _check_layers(self) -> None:
        """Refuse entries that belong to no layer, rates out of range, and skips around no layer."""
        hidden = len(self.units)
        for name, layers, count in (
            ("batch_norm", "hidden", hidden),
            ("dropout_rate", "dense", hidden + 1),
        ):
            value = getattr(self, name)
            allowed = f"one value, or {count}, an entry for each {layers} layer"
            check(f"model.{name}", value, not isinstance(value, tuple) or len(value) == count, allowed)
        rates = self.dropout_rate if isinstance(self.dropout_rate, tuple) else (self.dropout_rate,)
        check("model.dropout_rate", self.dropout_rate, all(0 <= rate < 1 for rate in rates), "in [0, 1)")
        if self.skip and not any(self.skipped):
            raise UserError(
                f"model.skip is True, and no hidden layer of model.units {self.units} is as wide as the one before. "
                "Give two equal widths in a row, or leave model.skip out."
            )

    def _check_init(self) -> None:
        check("model.init_scale", self.init_scale, math.isfinite(self.init_scale), "finite")
        chosen, variance = (self.kernel_init, self.head_init, self.bias_init), ("variance_scaling",)
        users = {"init_scale": SCALED, "init_mode": variance, "init_distribution": variance}
        check_is_used("model", self, chosen, users)
        for name in RANDOM:
            if name in chosen:
                check("model.init_scale", self.init_scale, self.init_scale > 0, f"above 0 with {name}")

    def _check_pairs(self) -> None:
        if isinstance(self.dropout_rate, tuple):
            if self.dropout_sites != "none":
                raise UserError(
                    f"model.dropout_sites is {self.dropout_sites!r}, and model.dropout_rate has an entry for each "
                    "layer, and these entries say which layers have dropout. Leave model.dropout_sites out."
                )
        elif (self.dropout_rate > 0) != (self.dropout_sites != "none"):
            raise UserError(
                f"model.dropout_rate is {self.dropout_rate} and model.dropout_sites is {self.dropout_sites!r}: "
                "one needs the other. Give sites head, after_hidden or every with a rate above 0, or neither."
            )
        if self.batch_norm_place != "before" and not self.batch_norm:
            raise UserError(
                f"model.batch_norm_place is {self.batch_norm_place!r} and has no effect without batch normalisation. "
                "Set model.batch_norm."
            )

    @property
    def rates(self) -> tuple[Any, ...]:
        """Return the dropout rate of each dense layer's input. The output layer is the last.

        >>> Model((8, 8), dropout_sites="after_hidden", dropout_rate=0.2).rates
        (0.0, 0.2, 0.2)
        """
        if isinstance(self.dropout_rate, tuple):
            return self.dropout_rate
        head = len(self.units)
        sites = {"none": (), "head": (head,), "after_hidden": range(1, head + 1), "every": range(head + 1)}
        return tuple(self.dropout_rate if layer in sites[self.dropout_sites] else 0.0 for layer in range(head + 1))

    @property
    def dropped(self) -> tuple[bool, ...]:
        """Return whether each dense layer's input has dropout. A static configuration knows it too."""
        return tuple(rate != 0 for rate in self.rates)

    @property
    def normed(self) -> tuple[bool, ...]:
        """Return whether each hidden layer has batch normalisation.

        >>> Model((8, 8), batch_norm=True).normed
        (True, True)
        """
        return self.batch_norm if isinstance(self.batch_norm, tuple) else (self.batch_norm,) * len(self.units)

    @property
    def skipped(self) -> tuple[bool, ...]:
        """Return whether each hidden layer has a skip connection.

        >>> Model((8, 8, 4), skip=True).skipped
        (False, True, False)
        """
        return (False, *(self.skip and before == units for before, units in pairwise(self.units)))

    def rebuilt(self, kept: int, added: tuple[int, ...]) -> "Model":
        """Return the architecture with its first hidden layers and others on top of them.

        An added layer has the entry of batch_norm and of dropout_rate at its place. Without an entry it has neither.

        Args:
            kept: Number of hidden layers that are kept, from the input.
            added: Units of the hidden layers on top.

        >>> Model((8, 8, 8), batch_norm=(True, False, True)).rebuilt(1, (4,)).batch_norm
        (True, False)
        """
        units = (*self.units[:kept], *added)
        changes: dict[str, Any] = {"units": units}
        if isinstance(self.batch_norm, tuple):
            changes["batch_norm"] = tuple(islice(chain(self.batch_norm, repeat(False)), len(units)))
        if isinstance(self.dropout_rate, tuple):
            *hidden, head = self.dropout_rate
            changes["dropout_rate"] = (*islice(chain(hidden, repeat(0.0)), len(units)), head)
        if self.skip and not any(before == after for before, after in pairwise(units)):
            changes["skip"] = False
        return replace(self, **changes)

    @property
    def is_regression(self) -> bool:
        """Return whether the output layer predicts numbers.

        >>> Model(head="linear").is_regression
        True
        """
        return self.head in REGRESSION_HEADS

    def outputs(self, classes: int, task: Task = "classification") -> int:
        """Return the number of units of the output layer.

        Args:
            classes: Number C of classes, of labels, or of numbers to predict.
            task: What the targets of the data are.

        Raises:
            UserError: The output layer is for targets of another kind, or has one sigmoid unit for another number of
                classes than two.
        """
        if task == "regression" and not self.is_regression:
            raise UserError(
                f"model.head is {self.head!r}, which predicts classes, and the targets are numbers. Use linear."
            )
        if task != "regression" and self.is_regression:
            raise UserError(
                f"model.head is {self.head!r}, which predicts numbers, and the targets are "
                f"{'classes' if task == 'classification' else 'labels'}. "
                'Make the data set with task="regression", or use another head.'
            )
        if task == "multilabel" and self.head != "sigmoid":
            raise UserError(
                f"model.head is {self.head!r}, which chooses one class, and a row has several labels. Use sigmoid."
            )
        if task == "classification" and self.head == "sigmoid":
            if classes != 2:
                raise UserError(
                    f"model.head is 'sigmoid', which tells two classes apart, and the data have {classes}. "
                    "Give data of two classes, or use softmax."
                )
            return 1
        return classes
