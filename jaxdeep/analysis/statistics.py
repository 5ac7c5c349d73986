"""How far a figure can be trusted: scipy's intervals, under the names that the reports use."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean over independent runs.

    Attributes:
        mean: of the finite values; None where there are none.
        std: standard deviation of a run, from n - 1; None for fewer than two.
        low: lower end of the mean's 95% interval by Student's t; None for fewer than two.
        high: upper end.
        runs: number of finite values.
    """

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    runs: int


def mean_over_runs(values: Sequence[float]) -> Estimate:
    """Mean, standard deviation and interval of one figure over seeds.

    Values that are not finite (a diverged run's) do not count; `runs` says how many did.

    Args:
        values: one for each run.

    >>> mean_over_runs([1.0, 2.0, 3.0]).mean
    2.0
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < 2:
        return Estimate(float(finite[0]) if len(finite) else None, None, None, None, len(finite))
    mean, std = float(finite.mean()), float(finite.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(finite) - 1)) * std / len(finite) ** 0.5
    return Estimate(mean, std, mean - half, mean + half, len(finite))


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95% interval of a mean by the bootstrap (bias-corrected and accelerated): no normal distribution assumed.

    Of few values it is too narrow: of 3, Student's t is the one to believe.

    Args:
        values: one for each run; those that are not finite do not count.

    Returns:
        Its ends; None where there are fewer than two values, or all are equal.
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < 2 or np.ptp(finite) == 0:
        return None
    found = stats.bootstrap((finite,), np.mean, confidence_level=CONFIDENCE, method="BCa", rng=0)
    low, high = found.confidence_interval
    return float(low), float(high)


def accuracy_interval(accuracy: float, count: int) -> tuple[float, float]:
    """The 95% interval of one network's accuracy, for images of which these are a sample (Wilson's score interval).

    Args:
        accuracy: share of hits, in [0, 1].
        count: images that it was measured on.

    >>> low, high = accuracy_interval(0.48, 5_000)
    >>> round((high - low) / 2, 3)
    0.014
    """
    from scipy import stats  # 0.7 s to import

    interval = stats.binomtest(round(accuracy * count), count).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
