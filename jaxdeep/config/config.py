"""The parts of a configuration in one value, and what of it is traced."""

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
from jaxdeep.config.static import Static, with_traced
from jaxdeep.config.train import Train
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class Config:
    """One run, but for its images and its seed.

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

    def __post_init__(self) -> None:
        for name, part in PARTS.items():
            value = getattr(self, name)
            check(name, value, isinstance(value, part), f"a {part.__name__}")
        if callable(self.optim.learning_rate):
            self._take_rates(self.optim.learning_rate)
        layers = len(self.model.units) + 1
        check_layers("regularize.penalized", self.regularize.penalized, layers)
        check_layers("regularize.constrained", self.regularize.constrained, layers)
        self._check_rates()

    def _take_rates(self, rates: Any) -> None:
        """Put a schedule of rates where schedules stand: the rate of a step is 1 times its factor."""
        if self.schedule != Schedule():
            raise UserError(
                f"optim.learning_rate is the schedule {qualified_name(rates)}, and schedule is given too, with "
                f"schedule.kind {short(self.schedule.kind)}. Give one of them"
            )
        object.__setattr__(self, "optim", replace(self.optim, learning_rate=1.0))
        object.__setattr__(self, "schedule", Schedule(kind=rates))

    def _check_rates(self) -> None:
        """Refuse what the optimizer or the schedule would silently ignore of the other one."""
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
            changes: Value of each field that changes, by its name on the command line, such as "optim.learning_rate",
                "optim.learning-rate" or "lr".

        Raises:
            UserError: There is no such field, or a value is out of its range. Or the values do not go together.

        >>> config = Config().updated({"lr": 1e-2, "model.dropout_sites": "every", "model.dropout_rate": 0.2})
        >>> config.optim.learning_rate, config.model.dropout_rate
        (0.01, 0.2)
        """
        parts = {part: replace(getattr(self, part), **values) for part, values in by_part(changes).items()}
        return replace(self, **parts)

    def to_dict(self) -> dict[str, Any]:
        """The fields as nested dictionaries of JSON values; a user's function by its qualified name.

        >>> Config().to_dict()["train"]["batch_size"]
        32
        """
        parts = {name: getattr(self, name) for name in PARTS}
        return {name: {key: plain(value) for key, value in vars(part).items()} for name, part in parts.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Config":
        """The inverse of `to_dict`; what an earlier version did not have takes its default.

        Raises:
            UserError: a part or a field is unknown, has another type, or is out of its range. A user's function is
                refused too, as only its name is recorded. What a function of JAX, Flax or Optax made is made again.

        >>> Config.from_dict(Config().to_dict()) == Config()
        True
        """
        _check_names("", plain, PARTS)
        for name, values in plain.items():
            _check_names(name, values, hints_of(PARTS[name]))
        return cls(**{name: part(**plain.get(name, {})) for name, part in PARTS.items()})

    def static(self) -> Static:
        """Return what programs are compiled for: configurations that agree in it share their programs.

        Whether there is dropout, a penalty or a constraint at all is static. How strong it is, is traced.

        >>> one, other = Config(), Config().updated({"optim.learning_rate": 0.1})
        >>> one == other, one.static() == other.static()
        (False, True)
        """
        regularize = self.regularize
        return Static(
            self.data,
            with_traced(self.model, dropout_rate=self.model.dropout_rate > 0),
            with_traced(self.optim, learning_rate=True, beta_1=True),
            self.train,
            with_traced(self.schedule, factor=self.schedule.kind == "plateau"),
            with_traced(
                regularize, l1=regularize.has_l1, l2=regularize.has_l2, max_norm=regularize.max_norm is not None
            ),
        )

    def hyper(self) -> "Hyper":
        """The numbers that are traced: TRACED, by field."""
        return Hyper(
            learning_rate=self.optim.learning_rate,
            beta_1=self.optim.beta_1,
            dropout_rate=self.model.dropout_rate,
            l1=self.regularize.l1,
            l2=self.regularize.l2,
            max_norm=self.regularize.max_norm or 0.0,
            plateau_factor=self.schedule.factor,
        )


TRACED: Final = (
    "optim.learning_rate",
    "optim.beta_1",
    "model.dropout_rate",
    "regularize.l1",
    "regularize.l2",
    "regularize.max_norm",
    "schedule.factor",
)
"""The fields that a study may vary within one program (schedule.factor: of a plateau)."""
Settings = Config | Static
"""What a traced function takes: its static fields can be read, and its traced numbers come in a Hyper."""


class Hyper(NamedTuple):
    """Numbers that a compiled program takes as arguments, so that another value needs no other program.

    Those that a configuration does not use are there all the same, and change nothing.
    """

    learning_rate: Any
    beta_1: Any
    dropout_rate: Any
    l1: Any
    l2: Any
    max_norm: Any
    plateau_factor: Any


def _check_names(part: str, values: Any, known: Mapping[str, Any]) -> None:
    """Refuse what is not a mapping of known names; part is "" for the parts themselves."""
    what = part or "the configuration"
    if not isinstance(values, Mapping):
        raise UserError(f"{what} is {shown(values)}; allowed: a mapping of names to values")
    for name in values:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1)
            perhaps = f"perhaps {nearest[0]}" if nearest else f"allowed: {', '.join(known)}"
            raise UserError(f"{what} has {shown(name)}, which this version does not know; {perhaps}")


def checked_values(config: Config, values: Any) -> dict[str, Any]:
    """Return what a study varies as plain values, after a check that they are the configuration's own.

    Args:
        config: of one run.
        values: a mapping of fields, such as "optim.learning_rate", to their values.

    Raises:
        UserError: no mapping, an unknown field, or a value that is not the configuration's.

    >>> checked_values(Config(), {"model.units": [100, 100]})
    {'model.units': (100, 100)}
    """
    if not isinstance(values, Mapping):
        raise UserError(f"values is {shown(values)}; allowed: a mapping of fields to values")
    found = {}
    for name, value in values.items():
        name = dotted_name("values", name)
        part, _, of_part = name.partition(".")
        own = getattr(getattr(config, part), of_part)
        if plain_field(part, PARTS[part], of_part, value) != own:
            raise UserError(
                f"values: {name} is {shown(value)}, and the configuration's is {shown(own)}; make them equal"
            )
        found[name] = own
    return found
