"""The search of one configuration's learning rate, and what the configuration loses at other rates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from jaxdeep.study.ranking import Standing, standing
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial_result import as_list, as_tuple

RATE: Final = "optim.learning_rate"
"""Field that is tuned."""
CentreFrom = Literal["range test", "own rate"]
"""Where the centre of a search comes from."""


@dataclass(frozen=True)
class TriedRate:
    """The trials of one learning rate. Each sequence has an entry for each seed of the search.

    Attributes:
        rate: Learning rate of the trials.
        is_searched: Whether the search tried it. Otherwise it is another configuration's best rate, which is outside
            of the budget and never chosen.
        val_loss: Validation loss at the best epoch in nats. None if the trial diverged before its first usable epoch.
        val_accuracy: Validation accuracy at the best epoch in 0 .. 1. None as for val_loss.
        epochs: Number of trained epochs.
        diverged: Whether the trial diverged.
    """

    rate: float
    is_searched: bool
    val_loss: tuple[float | None, ...]
    val_accuracy: tuple[float | None, ...]
    epochs: tuple[int, ...]
    diverged: tuple[bool, ...]

    @classmethod
    def of(cls, result: StudyResult, rate: float, *, is_searched: bool) -> "TriedRate":
        """Return the trials of a rate in the result of a search.

        Args:
            result: Result of a study that varies the learning rate.
            rate: One of its learning rates.
            is_searched: Whether the search tried the rate.
        """
        trials = [trial for trial in result.trials if trial.values[RATE] == rate]
        names = ("val_loss", "val_accuracy", "epochs", "diverged")
        return cls(rate, is_searched, *(tuple(getattr(trial, name) for trial in trials) for name in names))

    @property
    def standing(self) -> Standing:
        """Return the place of the rate among others: number of diverged trials, then mean validation loss."""
        return standing(self.val_loss, sum(self.diverged))

    def to_json(self) -> dict[str, Any]:
        """Return the rate's entry in `rates` of tune.json."""
        means = {"mean_val_loss": mean_of(self.val_loss), "mean_val_accuracy": mean_of(self.val_accuracy)}
        return {**as_list(asdict(self)), **means, "runs_diverged": sum(self.diverged)}


@dataclass(frozen=True)
class Regret:
    """What a configuration loses at a learning rate that is not its own best one.

    The seeds of the search chose the best rate. A regret by the same seeds is slightly too large.

    Attributes:
        name: Name of the configuration.
        other: Name of the configuration whose best rate is tried. None for the rate that `name` has without tuning.
        rate: Learning rate that is tried.
        val_accuracy: Accuracy at its own best rate minus accuracy at `rate`, of each seed of the search. None for a
            seed that diverged before its first usable epoch.
        val_loss: Loss at `rate` minus loss at its own best rate in nats, of each seed of the search. None as above.
        diverged: Number of trials at `rate` that diverged.
    """

    name: str
    other: str | None
    rate: float
    val_accuracy: tuple[float | None, ...]
    val_loss: tuple[float | None, ...]
    diverged: int

    @property
    def mean(self) -> float | None:
        """Return the mean of val_accuracy over the seeds that have both figures, or None without any."""
        return mean_of(self.val_accuracy)

    @property
    def mean_loss(self) -> float | None:
        """Return the mean of val_loss in nats over the seeds that have both figures, or None without any."""
        return mean_of(self.val_loss)

    def to_json(self) -> dict[str, Any]:
        """Return the regret's entry in tune.json."""
        return {**as_list(asdict(self)), "mean_val_accuracy": self.mean, "mean_val_loss": self.mean_loss}


@dataclass(frozen=True)
class Tuned:
    """The search of one configuration.

    Attributes:
        name: Name of the configuration.
        config: Configuration before its tuning as JSON values, by part and field.
        own_rate: Learning rate of the configuration before its tuning.
        suggestion: Learning rate that the range test suggests, or None.
        suggestions: Suggestion of each seed of the search, or None for a seed without one.
        centre: Rate at which the search began.
        centre_from: "range test", or "own rate" if the range test suggests nothing.
        epochs: Largest number of epochs of a trial of the search.
        rates: Rates that were tried, the searched ones first, each part in rising order.
        best_rate: The searched rate with the lowest mean validation loss, among those with the fewest diverged trials.
        is_bracketed: Whether the search tried a rate on both sides of the best one.
        search_command: Command that repeats the search, or None.
        command: Command that trains the fresh seeds at the best rate, or None.
        wall_seconds: Seconds that the search took, with compilation and without the range test. None if the record was
            lost.
    """

    name: str
    config: Mapping[str, Any]
    own_rate: float
    suggestion: float | None
    suggestions: tuple[float | None, ...]
    centre: float
    centre_from: CentreFrom
    epochs: int
    rates: tuple[TriedRate, ...]
    best_rate: float
    is_bracketed: bool
    search_command: str | None = None
    command: str | None = None
    wall_seconds: float | None = None

    @property
    def searched(self) -> tuple[TriedRate, ...]:
        """Return the rates of the search in rising order."""
        return tuple(tried for tried in self.rates if tried.is_searched)

    @property
    def epochs_spent(self) -> int:
        """Return the number of epochs of all trials of the search."""
        return sum(sum(tried.epochs) for tried in self.searched)

    @property
    def own_regret(self) -> Regret | None:
        """Return the regret of the rate before tuning, or None if it was not tried."""
        return self.regret(None, self.own_rate)

    def regret(self, other: str | None, rate: float) -> Regret | None:
        """Return what the configuration loses at a rate, or None if it was not tried.

        Args:
            other: Name of the configuration whose best rate it is, or None.
            rate: Learning rate that is compared with the best one.
        """
        by_rate = {tried.rate: tried for tried in self.rates}
        if (there := by_rate.get(rate)) is None:
            return None
        own = by_rate[self.best_rate]
        accuracy = tuple(map(_difference, own.val_accuracy, there.val_accuracy))
        return Regret(
            self.name, other, rate, accuracy, tuple(map(_difference, there.val_loss, own.val_loss)), sum(there.diverged)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the configuration's entry in tune.json."""
        own = self.own_regret
        return {
            **{entry.name: as_list(getattr(self, entry.name)) for entry in fields(self)},
            "rates": [tried.to_json() for tried in self.rates],
            "epochs_spent": self.epochs_spent,
            "own_regret": None if own is None else own.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Tuned":
        """Return the search in an entry of tune.json.

        Args:
            content: Entry as JSON values.

        Raises:
            KeyError: A value is missing.
            TypeError: A value is missing or has another type.
        """
        rates = tuple(TriedRate(**known_fields(TriedRate, tried)) for tried in content["rates"])
        return cls(**{**known_fields(cls, content), "rates": rates})


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are there, or None without any.

    Args:
        values: Figure of each seed, or None for a seed without one.
    """
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def known_fields(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a dataclass's fields, with lists as tuples. Other names are left out.

    Args:
        kind: Dataclass whose fields are taken.
        content: JSON values by name.
    """
    return {entry.name: as_tuple(content[entry.name]) for entry in fields(kind) if entry.name in content}
