"""Means over trials of the figures of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdeep.analysis.confusion import class_figures
from jaxdeep.analysis.statistics import mean_over_runs, within
from jaxdeep.study.trial_result import TrialResult


def means_by_class(trials: Sequence[TrialResult], overlap: float = 0.0) -> dict[str, Any] | None:
    """Return the mean confusions, and the means of precision, recall and F1 of each class, as JSON values.

    Args:
        trials: Trials of one configuration. Trials without confusions do not count.
        overlap: Validation rows over training rows of a trial, or 0 if all trials share them.

    Returns:
        `confusion` [C][C], and for each figure of a class `mean`, `low`, `high` and `runs` [C]. None without any
        confusions.
    """
    counted = [trial.confusion for trial in trials if trial.confusion is not None]
    if not counted:
        return None
    counts = np.asarray(counted)
    figures = {name: _means(of, overlap) for name, of in class_figures(counts)._asdict().items()}
    return {"confusion": counts.mean(0).tolist(), **figures}


def _means(values: np.ndarray, overlap: float) -> dict[str, list[Any]]:
    """Return the mean of each class with the ends of its 95% interval, from the values [S, C] of S trials."""
    estimates = [within(mean_over_runs(of_class.tolist(), overlap), 0.0, 1.0) for of_class in values.T]
    return {name: [getattr(of, name) for of in estimates] for name in ("mean", "low", "high", "runs")}
