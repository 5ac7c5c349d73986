"""A configuration: its parts in one value, and the numbers in it that are traced."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from jaxdeep.config.choices import check, check_layers
from jaxdeep.config.compare import short
from jaxdeep.config.data import Data
from jaxdeep.config.fields import hints_of, plain_field
from jaxdeep.config.made import plain, qualified_name
from jaxdeep.config.model import Model
from jaxdeep.config.optim import WITH_MOMENTUM, Optim
from jaxdeep.config.parts import PARTS, by_part, dotted_name
from jaxdeep.config.regularize import Regularize
from jaxdeep.config.schedule import Schedule
from jaxdeep.config.static import Static, Trained, with_traced
from jaxdeep.config.train import Train
from jaxdeep.config.transfer import Transfer
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class Config:
    """One run without its data set and its seed.

    A variant is made by `updated`:

    >>> Config().updated({"optim.learning_rate": 7e-4}).optim.learning_rate
    0.0007
    """

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optim: Optim = field(default_factory=Optim)
    train: Train = field(default_factory=Train)
    schedule: Schedule = field(default_factory=Schedule)
    regularize: Regularize = field(default_factory=Regularize)
    transfer: Transfer = field(default_factory=Transfer)

    def __post_init__(self) -> None:
        for name, part in PARTS.items():
            value = getattr(self, name)
            check(name, value, isinstance(value, part), f"a {part.__name__}")
        if callable(self.optim.learning_rate):
            self._take_rates(self.optim.learning_rate)
        self._check_transfer()
        layers = len(self.network.units) + 1
        check_layers("regularize.penalized", self.regularize.penalized, layers)
        check_layers("regularize.constrained", self.regularize.constrained, layers)
        self.regularize.check_with(self.train)
        self._check_loss()
        self._check_module()
        self._check_rates()

    def _check_transfer(self) -> None:
        """Refuse reused or frozen layers that the network does not have, and phases without epochs."""
        transfer, hidden = self.transfer, len(self.model.units)
        if transfer.layers is not None:
            check("transfer.layers", transfer.layers, transfer.layers <= hidden, f"0 .. {hidden}, or None")
            if not transfer.layers and not transfer.added:
                raise UserError(
                    "transfer.layers is 0 and transfer.added is empty. Give the units of new hidden layers."
                )
        if isinstance(transfer.frozen, tuple):
            layers = len(self.network.units)
            valid = all(index <= layers for index in transfer.frozen) and len(transfer.frozen) <= layers
            check("transfer.frozen", transfer.frozen, valid, f"reused, none, or some of the indices 0 .. {layers}")
        if transfer.layers is not None or not transfer.source:
            transfer.phases(self.train.epochs)

    def _check_module(self) -> None:
        """Refuse what needs the stack of layers, if a module of the user's own is in its place."""
        if isinstance(self.model.module, str):
            return
        plain = replace(self.regularize, label_smoothing=0.0)
        needs = {
            "regularize": plain != Regularize(),
            "transfer": self.transfer != Transfer(),
            "train.diagnostics": self.train.diagnostics,
            "train.kernels": self.train.kernels == "fused",
        }
        if found := [name for name, is_given in needs.items() if is_given]:
            raise UserError(
                f"{found[0]} needs the layers of the stack, and model.module is a network of your own. Remove either."
            )

    def _check_loss(self) -> None:
        """Refuse a loss of another kind of target than the output layer's, and smoothing without classes."""
        loss, head = self.train.loss, self.model.head
        if isinstance(loss, str) and loss != "auto" and not self.model.is_regression:
            raise UserError(
                f"train.loss is {loss!r}, which is for numbers, and model.head is {head!r}. Use auto, or head linear."
            )
        if self.regularize.label_smoothing and (self.model.is_regression or not isinstance(loss, str)):
            raise UserError(
                "regularize.label_smoothing smooths the cross-entropy of classes, and the loss is another. Remove it."
            )

    @property
    def network(self) -> Model:
        """Return the architecture that is trained: the reused layers of `model`, then the added ones.

        >>> Config().updated({"transfer.layers": 1, "transfer.added": (50,)}).network.units
        (100, 50)
        """
        transfer = self.transfer
        if transfer.layers is None:
            return self.model
        return self.model.rebuilt(transfer.layers, transfer.added)

    def _take_rates(self, rates: Any) -> None:
        """Put a schedule of rates where schedules stand: the rate of a step is 1 times its factor."""
        if self.schedule != Schedule():
            raise UserError(
                f"optim.learning_rate is the schedule {qualified_name(rates)}, and schedule is given too, with "
                f"schedule.kind {short(self.schedule.kind)}. Give one of them."
            )
        object.__setattr__(self, "optim", replace(self.optim, learning_rate=1.0))
        object.__setattr__(self, "schedule", Schedule(kind=rates))

    def _check_rates(self) -> None:
        """Refuse a field of the optimizer or the schedule that the other part would silently ignore."""
        schedule, optim = self.schedule, self.optim
        if optim.optimizer == "optax.rprop":
            for name, none in (("kind", "constant"), ("warmup_steps", 0)):
                value = getattr(schedule, name)
                check(f"schedule.{name}", value, value == none, f"{none} with optax.rprop, which keeps its own rates")
        if schedule.kind == "onecycle" and optim.optimizer in WITH_MOMENTUM:
            beta_1, fixed = optim.beta_1, Optim().beta_1
            allowed = f"{fixed} with onecycle, whose momentum is schedule.momentum_low to schedule.momentum_high"
            check("optim.beta_1", beta_1, beta_1 == fixed, allowed)
        elif schedule.kind == "onecycle":
            for name in ("momentum_low", "momentum_high"):
                value, fixed = getattr(schedule, name), getattr(Schedule(), name)
                check(f"schedule.{name}", value, value == fixed, f"{fixed} but with {' and '.join(WITH_MOMENTUM)}")

    def updated(self, changes: Mapping[str, Any]) -> "Config":
        """Return a copy in which some fields have other values.

        Args:
            changes: Value of each field that changes. Its name is one of the command line, such as
                "optim.learning_rate" or "lr".

        Raises:
            UserError: There is no such field or a value is out of its range. Or the values do not go together.

        >>> config = Config().updated({"lr": 1e-2, "model.dropout_sites": "every", "model.dropout_rate": 0.2})
        >>> config.optim.learning_rate, config.model.dropout_rate
        (0.01, 0.2)
        """
        parts = {part: replace(getattr(self, part), **values) for part, values in by_part(changes).items()}
        return replace(self, **parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as nested dictionaries of JSON values.

        A function is recorded by its qualified name. A function that was made with arguments is recorded by these too.

        >>> Config().to_dict()["train"]["batch_size"]
        32
        """
        parts = {name: getattr(self, name) for name in PARTS}
        return {name: {key: plain(value) for key, value in vars(part).items()} for name, part in parts.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Config":
        """Return the configuration that `to_dict` recorded. A missing field takes its default.

        What a function of JAX, Flax or Optax made is made again.

        Args:
            plain: Parts by name, each a mapping of fields to values.

        Raises:
            UserError: A part or a field is unknown or not valid. Or it is the name of a user's function, which cannot
                be found again safely.

        >>> Config.from_dict(Config().to_dict()) == Config()
        True
        """
        _check_names("", plain, PARTS)
        for name, values in plain.items():
            _check_names(name, values, hints_of(PARTS[name]))
        return cls(**{name: part(**plain.get(name, {})) for name, part in PARTS.items()})

    def static(self, trained: Trained = Trained()) -> Static:  # noqa: B008 (immutable)
        """Return what programs are compiled for. Configurations that agree in it share their programs.

        Whether there is dropout, a penalty or a constraint is static. Its strength is traced. No program reads the
        patience, and only a schedule as long as the run reads the epochs.

        Args:
            trained: Layers that the program trains.

        >>> one, other = Config(), Config().updated({"optim.learning_rate": 0.1})
        >>> one == other, one.static() == other.static()
        (False, True)
        """
        regularize, network = self.regularize, self.network
        rate = network.dropout_rate
        return Static(
            self.data.base() if not trained.first else Data(scaling="none"),
            with_traced(network, dropout_rate=network.dropped if isinstance(rate, tuple) else rate > 0),
            with_traced(self.optim, learning_rate=True, beta_1=True),
            with_traced(self.train, epochs=not self.schedule.counts_epochs, patience=True),
            with_traced(self.schedule, factor=self.schedule.kind == "plateau"),
            with_traced(
                regularize,
                l1=regularize.has_l1,
                l2=regularize.has_l2,
                max_norm=regularize.max_norm is not None,
                label_smoothing=regularize.smooths,
            ),
            trained,
        )

    def hyper(self) -> "Hyper":
        """Return the traced numbers, by field."""
        return Hyper(
            learning_rate=self.optim.learning_rate,
            beta_1=self.optim.beta_1,
            dropout_rate=self.network.dropout_rate,
            l1=self.regularize.l1,
            l2=self.regularize.l2,
            max_norm=self.regularize.max_norm or 0.0,
            plateau_factor=self.schedule.factor,
            rate_factor=self.transfer.rate_factor,
            label_smoothing=self.regularize.label_smoothing,
        )


TRACED: Final = (
    "optim.learning_rate",
    "optim.beta_1",
    "model.dropout_rate",
    "regularize.l1",
    "regularize.l2",
    "regularize.max_norm",
    "schedule.factor",
    "transfer.rate_factor",
    "regularize.label_smoothing",
)
"""Fields that a study may vary within one program. schedule.factor is one for a plateau."""
Settings = Config | Static
"""Type of a traced function's argument. Its static fields can be read. Its traced numbers come in a Hyper."""


class Hyper(NamedTuple):
    """Numbers that a compiled program takes as arguments, so that another value needs no other program.

    Numbers that a configuration does not use change nothing. dropout_rate is one number or one for each dense layer.
    """

    learning_rate: Any
    beta_1: Any
    dropout_rate: Any
    l1: Any
    l2: Any
    max_norm: Any
    plateau_factor: Any
    rate_factor: Any
    label_smoothing: Any


def _check_names(part: str, values: Any, known: Mapping[str, Any]) -> None:
    """Refuse values that are no mapping of known names. The parts themselves have the part ""."""
    what = part or "the configuration"
    if not isinstance(values, Mapping):
        raise UserError(f"{what} is {shown(values)}. Allowed: a mapping of names to values.")
    for name in values:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1)
            advice = f"Perhaps you mean {nearest[0]}." if nearest else f"Give some of {', '.join(known)}."
            raise UserError(f"{what} has {shown(name)}, which this version does not know. {advice}")


def checked_values(config: Config, values: Any) -> dict[str, Any]:
    """Return the values that a study varies as plain values if the configuration has them.

    Args:
        config: Configuration of one trial.
        values: A mapping of fields such as "optim.learning_rate" to their values.

    Raises:
        UserError: A field is unknown or a value differs from the configuration's.

    >>> checked_values(Config(), {"model.units": [100, 100]})
    {'model.units': (100, 100)}
    """
    if not isinstance(values, Mapping):
        raise UserError(f"values is {shown(values)}. Allowed: a mapping of fields to values.")
    found = {}
    for name, value in values.items():
        name = dotted_name("values", name)
        part, _, of_part = name.partition(".")
        own = getattr(getattr(config, part), of_part)
        if plain_field(part, PARTS[part], of_part, value) != own:
            raise UserError(
                f"values: {name} is {shown(value)}, and the configuration's is {shown(own)}. Make them equal."
            )
        found[name] = own
    return found
