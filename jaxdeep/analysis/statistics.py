"""Intervals, tests and corrections that say how far a figure can be trusted. They wrap functions of scipy."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

CONFIDENCE: Final = 0.95
"""Probability with which an interval covers the true value."""
SIGNIFICANCE: Final = 0.05
"""Level of significance. A corrected p-value below it shows a difference."""
FEWEST_FOR_BOOTSTRAP: Final = 10
"""Smallest number of values with a bootstrap interval. With fewer it covers the mean in 52% to 90% of all cases."""
ROUNDING: Final = 1e-12
"""Largest relative spread of values that still count as equal."""


class Estimate(NamedTuple):
    """A mean over independent runs.

    Attributes:
        mean: Mean of the finite values. None without any.
        std: Standard deviation of a run with n - 1 degrees of freedom. None for fewer than two values.
        low: Lower end of the mean's 95% interval by Student's t. None for fewer than two values.
        high: Upper end of the mean's 95% interval by Student's t. None for fewer than two values.
        runs: Number of finite values.
    """

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    runs: int


def mean_over_runs(values: Sequence[float], overlap: float = 0.0) -> Estimate:
    """Return the mean, standard deviation and 95% interval of one figure over runs.

    Values that are not finite do not count. They come from diverged runs. `runs` is the number of finite values.

    Args:
        values: Figure of each run.
        overlap: Validation rows over training rows for the folds of a cross-validation, or 0 for independent runs.
            Folds share training rows, so the overlap adds to 1 / n in the variance of the mean.

    Returns:
        Mean with its 95% interval and the standard deviation of a run.

    Source: Nadeau and Bengio, "Inference for the generalization error" (2003), equation 9, for the overlap.

    >>> mean_over_runs([1.0, 2.0, 3.0]).mean
    2.0
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < 2:
        return Estimate(float(finite[0]) if len(finite) else None, None, None, None, len(finite))
    mean, std = float(finite.mean()), float(finite.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(finite) - 1)) * std * (1 / len(finite) + overlap) ** 0.5
    return Estimate(mean, std, mean - half, mean + half, len(finite))


def within(estimate: Estimate, low: float, high: float) -> Estimate:
    """Return an estimate whose interval stays inside the range of its figure.

    Args:
        estimate: Mean with its interval, or without one.
        low: Lowest value that the figure can have.
        high: Highest value that the figure can have. It may be infinite.

    >>> within(Estimate(0.25, 0.5, -0.5, 1.0, 3), 0.0, 1.0)
    Estimate(mean=0.25, std=0.5, low=0.0, high=1.0, runs=3)
    """
    if estimate.low is None or estimate.high is None:
        return estimate
    return estimate._replace(low=max(estimate.low, low), high=min(estimate.high, high))


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95% interval of a mean by the bootstrap (bias-corrected and accelerated).

    It assumes no normal distribution. It is too narrow for few values.

    Args:
        values: Figure of each run. Values that are not finite do not count.

    Returns:
        Lower and upper end. None for fewer than ten values or if all are equal but for rounding.
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < FEWEST_FOR_BOOTSTRAP or np.ptp(finite) <= ROUNDING * np.abs(finite).max():
        return None
    bootstrap = stats.bootstrap((finite,), np.mean, confidence_level=CONFIDENCE, method="BCa", rng=0)
    low, high = bootstrap.confidence_interval
    return float(low), float(high)


def accuracy_interval(accuracy: float, count: int) -> tuple[float, float]:
    """Return the 95% interval of one network's accuracy over other images of the same kind (Wilson's score interval).

    Args:
        accuracy: Share of correctly classified images in 0 .. 1.
        count: Number of images, at least 1.

    Returns:
        Lower and upper end in 0 .. 1.

    >>> low, high = accuracy_interval(0.48, 5_000)
    >>> round((high - low) / 2, 3)
    0.014
    """
    from scipy import stats  # 0.7 s to import

    interval = stats.binomtest(round(accuracy * count), count).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for the number of comparisons.

    If all corrected values below 0.05 count as differences, the probability of any false one is below 0.05.

    Args:
        p_values: The p-values of all comparisons in any order.

    Returns:
        Corrected p-values in the same order in 0 .. 1.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return corrected.tolist()
