"""Conformal prediction: sets of classes, or intervals, that hold the true one with a chosen probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from jaxdeep.analysis.conformal_intervals import ConformalIntervals, half_widths_of
from jaxdeep.analysis.conformal_rank import smallest_at
from jaxdeep.analysis.metric_checks import check_probabilities
from jaxdeep.analysis.metrics import at_labels
from jaxdeep.config import choices
from jaxdeep.data.new_rows import checked_rows
from jaxdeep.data.targets import as_targets
from jaxdeep.errors import UserError
from jaxdeep.train.answers import classes_of, targets_of
from jaxdeep.train.run import Run

Method = Literal["aps", "lac"]


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets of a network or of an ensemble.

    Attributes:
        runs: Networks, whose probabilities are averaged.
        coverage: Smallest probability that a set holds the true class, over calibration rows and new rows of one kind.
        method: "aps" or "lac".
        threshold: Score up to which a class is in a set. It is infinite if there are too few calibration rows, and then
            every set holds all classes.
        calibration_rows: Number of calibration rows.
    """

    runs: tuple[Run, ...]
    coverage: float
    method: Method
    threshold: float
    calibration_rows: int

    def predict(self, rows: Any, *, check: bool = True) -> np.ndarray:
        """Return the prediction set of each row.

        Args:
            rows: Rows [N, *image_shape] or [N, D], as `Run.predict` takes them.
            check: Whether the rows are compared with the range of the training rows.

        Returns:
            Booleans [N, C], True for the classes of a row's set.

        Raises:
            UserError: The rows do not fit, or a value is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        return prediction_sets(_mean(self.runs, rows, check=check), self.threshold, self.method)

    def labels(self, rows: Any, *, check: bool = True) -> list[list[Any]]:
        """Return the labels in the prediction set of each row, the most probable first.

        Args:
            rows: Rows [N, *image_shape] or [N, D], as `Run.predict` takes them.
            check: Whether the rows are compared with the range of the training rows.

        Returns:
            A list of labels for each row. It is empty if no class is probable enough, which only "lac" gives.

        Raises:
            UserError: The rows do not fit, or a value is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        probabilities = _mean(self.runs, rows, check=check)
        sets = prediction_sets(probabilities, self.threshold, self.method)
        info = self.runs[0].data.info
        names = info.label_values if info and info.label_values else range(probabilities.shape[1])
        orders = np.argsort(-probabilities, 1, kind="stable")
        return [[names[index] for index in order if own[index]] for order, own in zip(orders, sets, strict=True)]


def conformal(
    run: Run | Sequence[Run],
    rows: Any,
    labels: Any,
    *,
    coverage: float = 0.9,
    method: Method | None = None,
    check: bool = True,
) -> ConformalSets | ConformalIntervals:
    """Calibrate prediction sets on rows of their own. For regression, these are prediction intervals.

    A set holds the true class of a new row with a probability of `coverage` or more, if calibration rows and new rows
    are exchangeable. That is a mean over all rows, and some classes may be covered less. Rows that trained the network
    or chose its epoch make the sets too small, and are refused.

    Args:
        run: Finished run, or the runs of an ensemble, whose probabilities are averaged.
        rows: Calibration rows [N, *image_shape] or [N, D], as `Run.predict` takes them.
        labels: Labels [N] of these rows, of the kind that the run was trained on. Or their numbers [N] or [N, C].
        coverage: Smallest probability that a set holds the true class, or an interval the true number, in (0, 1).
        method: None for intervals, which are as wide for every row. For sets, "aps" or None takes classes in the order
            of their probabilities as long as these sum to the threshold or less, and one class at least. "lac" takes
            each class whose probability is large enough. Its sets are smaller on average, and may be empty.
        check: Whether the rows are compared with the range of the training rows.

    Returns:
        The prediction sets, for new rows. Or the prediction intervals.

    Raises:
        UserError: An argument is out of its range, the rows do not fit, a label is not known, or the rows trained the
            network or chose its epoch.

    Warns:
        JaxdeepWarning: Values lie outside the range of the training rows.

    Source: Romano, Sesia and Candes, "Classification with valid and adaptive coverage" (2020), without randomisation,
    for "aps". Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers" (2019), for "lac". Lei et al.,
    "Distribution-free predictive inference for regression" (2018), for intervals.
    """
    runs = (run,) if isinstance(run, Run) else tuple(run)
    if not runs or not all(isinstance(one, Run) for one in runs):
        raise UserError("run is no Run. Give a run, or the runs of an ensemble.")
    _check_coverage(coverage)
    task = runs[0].data.task
    if task == "multilabel":
        raise UserError("conformal is for one class or for numbers, and the run's rows have several labels.")
    if task == "regression":
        choices.check("method", method, method is None, "None for a run that predicts numbers")
        return _intervals(runs, rows, labels, coverage, check=check)
    method = "aps" if method is None else method
    _check_method(method)
    probabilities = _mean(runs, rows, check=check)
    classes = classes_of(runs[0].data, labels, len(probabilities))
    for one in runs:
        _check_own(one, rows)
    threshold = conformal_threshold(probabilities, classes, coverage, method)
    return ConformalSets(runs, coverage, method, threshold, len(classes))


def _intervals(runs: tuple[Run, ...], rows: Any, numbers: Any, coverage: float, *, check: bool) -> ConformalIntervals:
    """Calibrate prediction intervals."""
    predicted = np.mean([run.predict(rows, check=check) for run in runs], 0)
    data = runs[0].data
    targets_of(data, numbers, len(predicted))  # which refuses what does not fit
    true = as_targets(numbers, "labels", data.task).values.reshape(predicted.shape)
    for one in runs:
        _check_own(one, rows)
    return ConformalIntervals(runs, coverage, half_widths_of(predicted, true, coverage), len(predicted))


def conformal_threshold(probabilities: np.ndarray, labels: np.ndarray, coverage: float, method: Method) -> float:
    """Return the score up to which a class is in a prediction set.

    It is the ceil((N + 1) x coverage)-th smallest score of the calibration rows' own classes.

    Args:
        probabilities: Class probabilities [N, C] of calibration rows. Each row sums to 1.
        labels: Integer labels [N] in 0 .. C - 1.
        coverage: Smallest probability that a set holds the true class, in (0, 1).
        method: "aps" or "lac".

    Returns:
        Threshold of the scores. Infinite if N is below coverage / (1 - coverage).

    Raises:
        UserError: A row is not a distribution over classes, a label is out of range, or an argument is.

    >>> conformal_threshold(np.array([[0.75, 0.25]] * 9), np.array([0] * 8 + [1]), 0.8, "lac")
    0.25
    """
    check_probabilities(probabilities, labels)
    _check_coverage(coverage)
    return smallest_at(at_labels(_scores(probabilities, method), labels), coverage)


def prediction_sets(probabilities: np.ndarray, threshold: float, method: Method) -> np.ndarray:
    """Return prediction sets.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        threshold: Threshold that `conformal_threshold` returned for the same method.
        method: "aps" or "lac". With "aps" a set holds its most probable class at least.

    Returns:
        Booleans [N, C], True for the classes of a row's set.
    """
    scores = _scores(probabilities, method)
    if method == "lac":
        return scores <= threshold
    return (scores <= threshold) | (_ranks(probabilities) == 0)


def _scores(probabilities: np.ndarray, method: Method) -> np.ndarray:
    """Return the score [N, C] of each class, which is lower for a more probable one."""
    _check_method(method)
    values = np.asarray(probabilities, np.float64)
    if method == "lac":
        return 1 - values
    order = np.argsort(-values, 1, kind="stable")
    sums = np.cumsum(np.take_along_axis(values, order, 1), 1)
    return np.take_along_axis(sums, _ranks(values), 1)


def _ranks(probabilities: np.ndarray) -> np.ndarray:
    """Return the rank [N, C] of each class in its row, 0 for the most probable."""
    order = np.argsort(-np.asarray(probabilities, np.float64), 1, kind="stable")
    return np.argsort(order, 1, kind="stable")


def _mean(runs: Sequence[Run], rows: Any, *, check: bool) -> np.ndarray:
    """Return the mean probabilities [N, C] of networks."""
    return np.mean([run.predict(rows, check=check).astype(np.float64) for run in runs], 0)


def _check_own(run: Run, rows: Any) -> None:
    """Refuse calibration rows that are the training or the validation rows of a run."""
    given = checked_rows(run.data, rows, check=False, dtype=run.config.train.dtype)
    for name, split in (("training", run.data.train), ("validation", run.data.valid)):
        if split.size == len(given) and np.array_equal(split.own_images, given):
            raise UserError(f"the calibration rows are the {name} rows of the run. Give rows that it has not seen.")


def _check_coverage(coverage: float) -> None:
    choices.check("coverage", coverage, 0 < coverage < 1, "above 0 and below 1")


def _check_method(method: str) -> None:
    choices.check("method", method, method in get_args(Method), " or ".join(get_args(Method)))
