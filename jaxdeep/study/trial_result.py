"""The figures of one trial, and their means over the trials of one candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from jaxdeep.config import short


@dataclass(frozen=True)
class MeanFigure:
    """The mean of one figure over trials.

    Attributes:
        mean: mean of the finite values, or None without any.
        std: standard deviation of a trial, or None for fewer than two.
        low: lower end of the mean's 95% interval by Student's t, or None for fewer than two.
        high: upper end of that interval.
        runs: number of finite values.
        bootstrap: ends of the 95% interval by the bootstrap, or None where there is none.
        diverged: number of the trials that diverged, those without a value among them.
    """

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    runs: int
    bootstrap: tuple[float, float] | None = None
    diverged: int = 0


@dataclass(frozen=True)
class TrialResult:
    """The figures of one trial. A figure that is not finite is None.

    Attributes:
        seed: seed of the trial, in 0 .. 2^32 - 1.
        fold: index of its fold, or None without cross-validation.
        values: JSON value of each field that the study varies, by dotted name.
        best_epoch: epoch whose weights are kept, counted from 1, or 0 if it diverged before there was one.
        epochs: number of epochs that were trained.
        val_loss: loss of the validation rows in nats, by the kept weights.
        val_accuracy: accuracy of the validation rows in [0, 1], by the kept weights.
        test_loss: loss of the test rows in nats, by the kept weights.
        test_accuracy: accuracy of the test rows in [0, 1], by the kept weights.
        seconds: time of all epochs, without compilation.
        diverged: whether a loss was not finite.
        checkpoint_seconds: time that the loop waited for checkpoints.
        highest_val_accuracy: highest accuracy of the validation rows at any epoch, in [0, 1].
        val_accuracy_interval: 95% interval of val_accuracy over other rows (Wilson).
        test_accuracy_interval: 95% interval of test_accuracy over other rows (Wilson).
        processor: name of the processor that trained it, such as "AMD EPYC". None in studies of version 0.1.
        commit: commit of the code that trained it, or None outside of a checkout.
    """

    seed: int
    fold: int | None
    values: Mapping[str, Any] = field(hash=False)
    best_epoch: int
    epochs: int
    val_loss: float | None
    val_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    diverged: bool
    checkpoint_seconds: float | None = None
    highest_val_accuracy: float | None = None
    val_accuracy_interval: tuple[float, float] | None = None
    test_accuracy_interval: tuple[float, float] | None = None
    processor: str | None = None
    commit: str | None = None

    @property
    def labels(self) -> dict[str, Any]:
        """Return what tells the trial from the others as JSON values: seed, fold, and what the study varies."""
        return {"seed": self.seed, **({} if self.fold is None else {"fold": self.fold}), **self.values}

    @property
    def key(self) -> int | str:
        """Return what tells the trials of one candidate: the seed, or seed and fold."""
        return self.seed if self.fold is None else f"{self.seed} fold {self.fold}"

    @property
    def candidate(self) -> str:
        """Return what it shares with trials of other seeds and folds, as `Trial.candidate` does."""
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def name(self) -> str:
        """Return what tells it from all others, as `Trial.name` does."""
        fold = "" if self.fold is None else f",fold_{self.fold}"
        return f"{self.candidate},seed_{self.seed}{fold}".lstrip(",")

    @property
    def is_left_out(self) -> bool:
        """Say whether it diverged before it had an epoch to keep, so that it has no figures."""
        return self.diverged and self.val_loss is None

    def to_json(self) -> dict[str, Any]:
        """Return the row of summary.json's `runs`."""
        names = ("best_epoch", "epochs", "val_loss", "val_accuracy", "val_accuracy_interval", "highest_val_accuracy")
        names += ("test_loss", "test_accuracy", "test_accuracy_interval", "seconds", "checkpoint_seconds", "diverged")
        names += ("processor", "commit")
        return self.labels | {name: as_list(getattr(self, name)) for name in names}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "TrialResult":
        """Return the trial of a row of summary.json's `runs`. What is no figure is what the study varies.

        Raises:
            KeyError, TypeError: a figure is missing, or is no number.
        """
        names = {of.name for of in fields(cls)}
        figures = {name: as_tuple(value) for name, value in row.items() if name in names}
        values = {name: value for name, value in row.items() if name not in names}
        if not isinstance(row["epochs"], int) or not isinstance(row["diverged"], bool):
            raise TypeError("epochs or diverged of a run is no number")
        return cls(**{"fold": None, **figures, "values": values})


@dataclass(frozen=True)
class Candidate:
    """What the trials of one configuration have in common: all seeds and folds of one choice of values.

    Attributes:
        values: JSON value of each field that the study varies, by dotted name. Empty where it varies none.
        mean: mean of each of MEANS over the trials, by name.
        diverged: number of its trials that diverged.
    """

    values: Mapping[str, Any]
    mean: Mapping[str, MeanFigure]
    diverged: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of summary.json's `points`."""
        return {"values": dict(self.values), "mean": means_to_json(self.mean), "diverged": self.diverged}


@dataclass(frozen=True)
class Correct:
    """Which rows each trial's kept weights classify correctly: the content of hits.npz.

    Attributes:
        valid: [S, N] booleans for the validation rows. A fold that is one row short is filled up with False.
        test: [S, N] booleans for the test rows.
    """

    valid: np.ndarray
    test: np.ndarray

    def take(self, rows: Sequence[int]) -> "Correct":
        """Return the rows of some trials, by their indices."""
        return Correct(self.valid[list(rows)], self.test[list(rows)])


def means_to_json(means: Mapping[str, MeanFigure]) -> dict[str, Any]:
    """Return means by figure as summary.json has them.

    Args:
        means: mean of each figure, by name.
    """
    return {
        name: {of.name: as_list(getattr(mean, of.name)) for of in fields(MeanFigure)} for name, mean in means.items()
    }


def means_from_json(means: Mapping[str, Any], diverged: int) -> dict[str, MeanFigure]:
    """Return the inverse of `means_to_json`.

    Args:
        means: mean of each figure as JSON values, by name.
        diverged: number of the trials that diverged, for means of version 0.1, which do not have it.
    """
    return {figure: mean_from_json({"diverged": diverged, **mean}) for figure, mean in means.items()}


def mean_from_json(mean: Mapping[str, Any]) -> MeanFigure:
    """Return the mean of one figure from JSON values. Further keys are passed over.

    Args:
        mean: mean, std, low, high and runs, and perhaps bootstrap and diverged.
    """
    known = {of.name for of in fields(MeanFigure)}
    return MeanFigure(**{name: as_tuple(value) for name, value in mean.items() if name in known})


def as_list(value: Any) -> Any:
    """Return a value with its tuples as lists, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {name: as_list(inner) for name, inner in value.items()}
    return [as_list(inner) for inner in value] if isinstance(value, tuple) else value


def as_tuple(value: Any) -> Any:
    """Return a list as a tuple, and everything else as it is."""
    return tuple(value) if isinstance(value, list) else value
