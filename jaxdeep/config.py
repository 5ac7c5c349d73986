"""What a run is: one frozen, hashable value.

A `Config` is everything that decides the numbers of a run except the images and the seed. It is a static argument of
the compiled programs; what a study may vary without compiling again is taken out of it as `Hyper`.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from jaxdeep.errors import UserError

Scaling = Literal["none", "unit", "standardize"]
Activation = Literal["linear", "sigmoid", "tanh", "relu", "elu", "selu", "swish"]
Initializer = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"]
Dropout = Literal["dropout", "alpha_dropout"]
DropoutSites = Literal["none", "head", "every"]
Optimizer = Literal["nadam", "sgd", "momentum"]
DType = Literal["float32", "float64"]


@dataclass(frozen=True)
class Data:
    """How the images are split and scaled."""

    scaling: Scaling = "standardize"
    """none: raw pixel values; unit: divided by 255; standardize: per pixel and channel on the training rows."""
    valid_size: int = 5_000
    """The first rows of the official training set, kept for validation."""
    train_size: int | None = None
    """Train on the first so many of the remaining rows only; None: on all of them."""

    def __post_init__(self) -> None:
        _check_choice("data.scaling", self.scaling, Scaling)
        _check("data.valid_size", self.valid_size, self.valid_size >= 1, "1 or more")
        size = self.train_size
        _check("data.train_size", size, size is None or size >= 1, "1 or more, or None")


@dataclass(frozen=True)
class Model:
    """A stack of dense layers."""

    units: tuple[int, ...] = (100,) * 20
    """Units of each hidden layer."""
    activation: Activation = "selu"
    """Activation of the hidden layers."""
    kernel_init: Initializer = "lecun_normal"
    """Initialiser of the hidden kernels; the output layer's is Glorot uniform, biases start at zero."""
    batch_norm: bool = False
    """Batch normalisation after each hidden dense layer, before its activation."""
    batch_norm_input: bool = False
    """Batch normalisation of the network's input."""
    dropout: Dropout = "dropout"
    """The kind of dropout, where there is any."""
    dropout_sites: DropoutSites = "none"
    """Whose inputs are dropped: head: the output layer's; every: every dense layer's, the first one's too."""
    dropout_rate: float = 0.0
    """The share that is dropped, in [0, 1)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", tuple(self.units))  # a list is not hashable
        _check("model.units", self.units, min(self.units, default=0) >= 1, "one or more widths of 1 or more")
        _check_choice("model.activation", self.activation, Activation)
        _check_choice("model.kernel_init", self.kernel_init, Initializer)
        _check_choice("model.dropout", self.dropout, Dropout)
        _check_choice("model.dropout_sites", self.dropout_sites, DropoutSites)
        _check("model.dropout_rate", self.dropout_rate, 0 <= self.dropout_rate < 1, "in [0, 1)")
        if (self.dropout_rate > 0) != (self.dropout_sites != "none"):
            raise UserError(
                f"model.dropout_rate is {self.dropout_rate} and model.dropout_sites is {self.dropout_sites!r}: "
                "a rate above 0 needs sites (head or every), and sites need a rate above 0"
            )


@dataclass(frozen=True)
class Optim:
    """The optimizer, with Keras's defaults."""

    optimizer: Optimizer = "nadam"
    """nadam: Keras 3's; sgd: plain gradient descent; momentum: sgd with a momentum of beta_1."""
    learning_rate: float = 1e-3
    """Step size."""
    beta_1: float = 0.9
    """Decay of the first moment."""
    beta_2: float = 0.999
    """Decay of the second moment."""
    epsilon: float = 1e-7
    """Added to the root of the second moment."""
    momentum_decay: float = 1.0
    """Nadam's momentum schedule is beta_1 (1 - 0.5 x 0.96^(momentum_decay t)); TensorFlow 2 and PyTorch have 0.004."""

    def __post_init__(self) -> None:
        _check_choice("optim.optimizer", self.optimizer, Optimizer)
        _check("optim.learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "above 0 and finite")
        _check("optim.beta_1", self.beta_1, 0 <= self.beta_1 < 1, "in [0, 1)")
        _check("optim.beta_2", self.beta_2, 0 <= self.beta_2 < 1, "in [0, 1)")
        _check("optim.epsilon", self.epsilon, 0 < self.epsilon < math.inf, "above 0 and finite")
        _check("optim.momentum_decay", self.momentum_decay, 0 <= self.momentum_decay < math.inf, "0 or more and finite")


@dataclass(frozen=True)
class Train:
    """The loop."""

    batch_size: int = 32
    """Images a step; the last batch of an epoch holds the rest."""
    epochs: int = 100
    """Epochs at the most."""
    patience: int = 20
    """Stop after so many epochs in a row without a lower val_loss."""
    dtype: DType = "float32"
    """Type of the weights and of all arithmetic."""

    def __post_init__(self) -> None:
        _check("train.batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        _check("train.epochs", self.epochs, self.epochs >= 1, "1 or more")
        _check("train.patience", self.patience, self.patience >= 1, "1 or more")
        _check_choice("train.dtype", self.dtype, DType)


@dataclass(frozen=True)
class Config:
    """One run, but for its images and its seed.

    A variant is a `dataclasses.replace`:

    >>> from dataclasses import replace
    >>> config = Config()
    >>> replace(config, optim=replace(config.optim, learning_rate=7e-4)).optim.learning_rate
    0.0007
    """

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optim: Optim = field(default_factory=Optim)
    train: Train = field(default_factory=Train)

    def to_dict(self) -> dict[str, Any]:
        """The fields as nested dictionaries of JSON values.

        >>> Config().to_dict()["train"]["batch_size"]
        32
        """
        plain = dataclasses.asdict(self)
        plain["model"]["units"] = list(self.model.units)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Config":
        """The inverse of `to_dict`.

        Raises:
            UserError: a field is missing, unknown or out of its range.

        >>> Config.from_dict(Config().to_dict()) == Config()
        True
        """
        try:
            parts = {name: part(**plain[name]) for name, part in PARTS.items()}
        except (KeyError, TypeError) as error:
            raise UserError(f"not a configuration of this version: {error}") from error
        return cls(**parts)

    def hyper(self) -> "Hyper":
        """The numbers that are traced."""
        return Hyper(self.optim.learning_rate, self.optim.beta_1, self.model.dropout_rate)


PARTS: Final = {"data": Data, "model": Model, "optim": Optim, "train": Train}


class Hyper(NamedTuple):
    """Numbers that a compiled program takes as arguments, so that another value needs no other program."""

    learning_rate: Any
    beta_1: Any
    dropout_rate: Any


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The fields in which two nested dictionaries differ, by dotted name, with both values.

    >>> differences({"train": {"epochs": 2, "patience": 20}}, {"train": {"epochs": 5, "patience": 20}})
    {'train.epochs': (2, 5)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found |= differences(left, right, f"{prefix}{key}.")
        elif left != right:
            found[f"{prefix}{key}"] = (left, right)
    return found


def refuse_other(folder: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Stop where a folder holds another run than the one that is wanted.

    Args:
        folder: for the message.
        found: what the folder holds, as nested JSON values.
        wanted: likewise.

    Raises:
        UserError: names the fields that differ.
    """
    if differing := differences(found, wanted):
        fields = ", ".join(f"{name} (there {was!r}, here {now!r})" for name, (was, now) in differing.items())
        raise UserError(f"{folder} holds another run: {fields}; choose another folder, or --overwrite it")


def _check(name: str, value: Any, valid: bool, allowed: str) -> None:
    if not valid:
        raise UserError(f"{name} is {value!r}; allowed: {allowed}")


def _check_choice(name: str, value: Any, choices: Any) -> None:
    _check(name, value, value in get_args(choices), ", ".join(get_args(choices)))
