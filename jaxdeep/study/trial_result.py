"""Figures of a trial, and their means over the trials of a candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np

from jaxdeep.analysis.confusion import BY_CLASS, class_figures
from jaxdeep.config import short
from jaxdeep.config.values import cut
from jaxdeep.train.history import null_if_not_finite
from jaxdeep.train.row_metrics import METRICS

LONGEST_VALUES: Final = 150
"""Characters of the values of a trial in its repr."""
DERIVED: Final = ("accuracy_regret", "loss_regret", *BY_CLASS)
"""Figures in a trial's row of summary.json that are computed from its others."""
TEST_METRICS: Final = tuple(f"test_{name}" for name in METRICS)
"""Metrics of the test rows beside loss and accuracy."""
SHOWN: Final = ("val_accuracy", "test_accuracy")
"""Figures of a candidate in its repr."""


@dataclass(frozen=True)
class MeanFigure:
    """The mean of one figure over trials.

    Attributes:
        mean: Mean of the finite values, or None without any.
        std: Standard deviation of a trial, or None for fewer than two values.
        low: Lower end of the mean's 95% interval by Student's t, or None for fewer than two values.
        high: Upper end of the mean's 95% interval by Student's t, or None for fewer than two values.
        runs: Number of finite values.
        bootstrap: Ends of the 95% interval by the bootstrap. None for fewer than ten values, and for trials that share
            training rows in folds or by resampling.
        diverged: Number of trials that diverged, with or without a value.
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
        seed: Seed of the trial in 0 .. 2^32 - 1.
        fold: Index of its fold, or None without cross-validation.
        values: JSON value of each field that the study varies, by dotted name.
        best_epoch: Epoch whose weights are kept, counted from 1. It is 0 if the trial diverged before any.
        epochs: Number of trained epochs.
        val_loss: Loss of the validation rows at best_epoch, in nats.
        val_accuracy: Accuracy of the validation rows at best_epoch, in 0 .. 1.
        test_loss: Loss of the test rows at best_epoch, in nats.
        test_accuracy: Accuracy of the test rows at best_epoch, in 0 .. 1.
        seconds: Seconds of all epochs without compilation.
        diverged: Whether a loss was not finite.
        checkpoint_seconds: Seconds that training waited for checkpoints.
        highest_val_accuracy: Highest accuracy of the validation rows at any epoch, in 0 .. 1.
        val_accuracy_interval: Ends of the 95% interval of val_accuracy over other rows (Wilson).
        test_accuracy_interval: Ends of the 95% interval of test_accuracy over other rows (Wilson).
        processor: Name of the processor that trained it, such as "AMD EPYC". None in studies of version 0.1.
        commit: Commit of the code that trained it, or None outside of a checkout.
        train_loss: Loss of the training rows without dropout at best_epoch, in nats. None in earlier studies.
        train_accuracy: Accuracy of the training rows without dropout at best_epoch, in 0 .. 1. None in earlier studies.
        lowest_val_loss: Lowest loss of the validation rows at any epoch, in nats.
        confusion: Number of test rows [C][C] of a true class, by row, that get a class, by column. None for more than
            30 classes and in earlier studies.
        test_log_loss: Mean cross-entropy of the test rows at best_epoch in nats, without penalties, weights and
            smoothing. This and all metrics below are None if they do not apply, and in earlier studies.
        test_balanced_accuracy: Mean over classes of the share of a class's test rows that are classified correctly, in
            0 .. 1.
        test_auroc: Area under the ROC curve of the test rows in 0 .. 1, of the second of two classes, or the mean over
            classes or labels, each against all others.
        test_average_precision: Area under their curve of precision against recall in 0 .. 1, as a sum of steps.
        test_mae: Mean absolute error of the test rows' numbers, in their own units.
        test_rmse: Root of their mean squared error, in their own units.
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
    train_loss: float | None = None
    train_accuracy: float | None = None
    lowest_val_loss: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    test_log_loss: float | None = None
    test_balanced_accuracy: float | None = None
    test_auroc: float | None = None
    test_average_precision: float | None = None
    test_mae: float | None = None
    test_rmse: float | None = None

    def __repr__(self) -> str:
        names = cut(", ".join(f"{name}={short(value)}" for name, value in self.labels.items()), LONGEST_VALUES)
        best = f"best_epoch={self.best_epoch or 'none'} of {self.epochs}"
        figures = [figure_text(name, getattr(self, name)) for name in SHOWN]
        return f"TrialResult({', '.join((names, best, *figures, *(['diverged'] if self.diverged else [])))})"

    @property
    def labels(self) -> dict[str, Any]:
        """Return the labels of the trial's figures as JSON values: seed, fold and the varied fields."""
        return {"seed": self.seed, **({} if self.fold is None else {"fold": self.fold}), **self.values}

    @property
    def key(self) -> int | str:
        """Return the seed, or seed and fold, which distinguish the trials of a candidate."""
        return self.seed if self.fold is None else f"{self.seed} fold {self.fold}"

    @property
    def candidate(self) -> str:
        """Return the name that trials of all seeds and folds share, such as `optim.learning_rate=0.001`."""
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def name(self) -> str:
        """Return the name of the trial, unique in its study."""
        fold = "" if self.fold is None else f",fold_{self.fold}"
        return f"{self.candidate},seed_{self.seed}{fold}".lstrip(",")

    @property
    def is_left_out(self) -> bool:
        """Return whether the trial diverged before its first usable epoch, so that it has no figures."""
        return self.diverged and self.val_loss is None

    @property
    def accuracy_regret(self) -> float | None:
        """Return how much higher the highest val_accuracy of any epoch is, in 0 .. 1."""
        return _difference(self.highest_val_accuracy, self.val_accuracy)

    @property
    def loss_regret(self) -> float | None:
        """Return how much lower the lowest val_loss of any epoch is, in nats."""
        return _difference(self.val_loss, self.lowest_val_loss)

    @property
    def by_class(self) -> dict[str, tuple[float | None, ...] | None]:
        """Return precision, recall and F1 of each class [C] by name. A figure that no test row decides is None."""
        if self.confusion is None:
            return dict.fromkeys(BY_CLASS)
        figures = class_figures(np.asarray(self.confusion))._asdict()
        return {name: tuple(map(null_if_not_finite, of.tolist())) for name, of in figures.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the trial's row in `runs` of summary.json."""
        names = ("best_epoch", "epochs", "val_loss", "val_accuracy", "val_accuracy_interval", "highest_val_accuracy")
        names += ("accuracy_regret", "lowest_val_loss", "loss_regret", "train_loss", "train_accuracy")
        names += ("test_loss", "test_accuracy", "test_accuracy_interval", "seconds", "checkpoint_seconds", "diverged")
        names += (*TEST_METRICS, "processor", "commit", "confusion")
        return self.labels | {name: as_list(getattr(self, name)) for name in names} | as_list(self.by_class)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "TrialResult":
        """Return the trial in a row of `runs` of summary.json.

        Args:
            row: JSON values by name. Names that are no figures are varied fields.

        Raises:
            KeyError: A figure is missing.
            TypeError: A figure is missing or has another type.
        """
        names = {entry.name for entry in fields(cls)}
        figures = {name: as_tuple(value) for name, value in row.items() if name in names}
        values = {name: value for name, value in row.items() if name not in names and name not in DERIVED}
        if not isinstance(row["epochs"], int) or not isinstance(row["diverged"], bool):
            raise TypeError("epochs is no whole number, or diverged is no boolean")
        return cls(**{"fold": None, **figures, "values": values})


@dataclass(frozen=True)
class Candidate:
    """The trials of one configuration, over all seeds and folds.

    Attributes:
        values: JSON value of each field that the study varies, by dotted name. Empty if it varies none.
        mean: Mean of each figure in MEANS over the trials by name.
        diverged: Number of trials that diverged.
    """

    values: Mapping[str, Any]
    mean: Mapping[str, MeanFigure]
    diverged: int

    def __repr__(self) -> str:
        values = [f"{name}={short(value)}" for name, value in self.values.items()]
        figures = [figure_text(f"mean {name}", of.mean) for name, of in self.mean.items() if name in SHOWN]
        diverged = [f"{self.diverged} diverged"] if self.diverged else []
        return (
            f"Candidate({', '.join(([cut(', '.join(values), LONGEST_VALUES)] if values else []) + figures + diverged)})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the candidate's entry in `points` of summary.json."""
        return {"values": dict(self.values), "mean": means_to_json(self.mean), "diverged": self.diverged}


@dataclass(frozen=True)
class Correct:
    """Rows that the kept weights of each trial classify correctly: the content of hits.npz.

    Attributes:
        valid: Whether each validation row is correct [S, N] as booleans. A fold that is one row short ends with False.
        test: Whether each test row is correct [S, N] as booleans.
    """

    valid: np.ndarray
    test: np.ndarray

    def __repr__(self) -> str:
        return f"Correct(valid {list(self.valid.shape)}, test {list(self.test.shape)})"

    def take(self, rows: Sequence[int]) -> "Correct":
        """Return the correct rows of several trials.

        Args:
            rows: Indices of the trials in 0 .. S - 1.
        """
        return Correct(self.valid[list(rows)], self.test[list(rows)])


def means_to_json(means: Mapping[str, MeanFigure]) -> dict[str, Any]:
    """Return means as JSON values for summary.json.

    Args:
        means: Mean of each figure by name.
    """
    return {
        name: {entry.name: as_list(getattr(mean, entry.name)) for entry in fields(MeanFigure)}
        for name, mean in means.items()
    }


def means_from_json(means: Mapping[str, Any], diverged: int) -> dict[str, MeanFigure]:
    """Return means from JSON values. It inverts `means_to_json`.

    Args:
        means: Mean of each figure as JSON values by name.
        diverged: Number of diverged trials, for means of version 0.1 that do not hold it.
    """
    return {figure: mean_from_json({"diverged": diverged, **mean}) for figure, mean in means.items()}


def mean_from_json(mean: Mapping[str, Any]) -> MeanFigure:
    """Return the mean of one figure from JSON values. Unknown names are ignored.

    Args:
        mean: Values of mean, std, low, high and runs by name. It may hold bootstrap and diverged.
    """
    known = {entry.name for entry in fields(MeanFigure)}
    return MeanFigure(**{name: as_tuple(value) for name, value in mean.items() if name in known})


def figure_text(name: str, value: float | None) -> str:
    """Return a figure as a repr shows it.

    >>> figure_text("test_accuracy", 0.91236), figure_text("test_accuracy", None)
    ('test_accuracy=0.9124', 'test_accuracy=None')
    """
    return f"{name}={value}" if value is None else f"{name}={value:.4f}"


def as_list(value: Any) -> Any:
    """Return a value with its tuples as lists, which JSON would give back.

    Args:
        value: Any JSON value. Mappings are converted inside.
    """
    if isinstance(value, Mapping):
        return {name: as_list(inner) for name, inner in value.items()}
    return [as_list(inner) for inner in value] if isinstance(value, tuple) else value


def as_tuple(value: Any) -> Any:
    """Return a list as a tuple, and the lists in it as well. Other values are returned unchanged.

    Args:
        value: Any JSON value.
    """
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


def _difference(high: float | None, low: float | None) -> float | None:
    """Return a difference, or None if a figure is missing."""
    return None if high is None or low is None else high - low
