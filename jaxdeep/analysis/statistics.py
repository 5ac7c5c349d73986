"""Intervals, tests and corrections that say how far a figure can be trusted. They wrap functions of scipy."""

import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

CONFIDENCE: Final = 0.95
"""Probability with which an interval covers the true value."""
SIGNIFICANCE: Final = 0.05
"""Level of significance. A corrected p-value below it gives a verdict."""
POWER: Final = 0.8
"""Probability with which `pairs_to_tell` runs detect a true difference of the measured size."""
MOST_PAIRS: Final = 1_000
"""Largest value of `pairs_to_tell`. If more runs were needed, it is None."""
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


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95% interval of a mean by the bootstrap (bias-corrected and accelerated).

    It assumes no normal distribution. It is too narrow for few values. With 3 values Student's t is better.

    Args:
        values: Figure of each run. Values that are not finite do not count.

    Returns:
        Lower and upper end. None for fewer than two values or if all are equal but for rounding.
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < 2 or np.ptp(finite) <= ROUNDING * np.abs(finite).max():
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


class Paired(NamedTuple):
    """The difference of a figure between two configurations over runs with the same seeds.

    Attributes:
        difference: Mean of the first configuration minus mean of the second.
        low: Lower end of the difference's 95% interval.
        high: Upper end of the difference's 95% interval.
        p_value: Two-sided p-value. It is the probability of a difference at least as large if there is none.
        pairs: Number of compared pairs of runs. The runs of a pair have the same seed.
        pairs_to_tell: Number of pairs that detect a true difference of this size with a probability of 80%. The test is
            as strict as the number of comparisons demands. None if MOST_PAIRS pairs do not suffice.
    """

    difference: float
    low: float
    high: float
    p_value: float
    pairs: int
    pairs_to_tell: int | None


def paired(one: Sequence[float], other: Sequence[float], overlap: float = 0.0, comparisons: int = 1) -> Paired:
    """Compare a figure of two configurations run by run with Student's paired t-test.

    The verdict holds for other seeds on the same images. `paired_correct` covers other images too.

    Args:
        one: Finite figure of each run of the first configuration.
        other: Finite figure of each run of the second configuration. The seeds are the same in the same order.
        overlap: Validation rows over training rows for the folds of a cross-validation, or 0 for independent runs. More
            pairs do not lessen its part of the variance.
        comparisons: Number of comparisons that `holm` corrects together. Only `pairs_to_tell` depends on it.

    Returns:
        Difference with its 95% interval and p-value.

    Raises:
        ValueError: The numbers of runs differ or there are fewer than two.

    >>> paired([0.5, 0.6, 0.7], [0.4, 0.55, 0.6]).difference.__round__(4)
    0.0833
    """
    count = len(one)
    if count != len(other) or count < 2:
        raise ValueError(f"{count} and {len(other)} runs cannot be paired. Give 2 or more of both, with equal numbers.")
    differences = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    per_pair = float(differences.var(ddof=1))
    return paired_t_test(float(differences.mean()), count, per_pair, per_pair * overlap, comparisons)


def paired_correct(one: np.ndarray, other: np.ndarray, comparisons: int = 1) -> Paired:
    """Compare the accuracies of two configurations over common seeds and common images.

    A difference d[s, i] has a part of the seed s, a part of the image i and a rest. The
    variance of their mean is the variance of the seeds' means over S plus the variance of the images' means over N. The
    verdict therefore holds for other seeds and other images of the same kind. A t-test over seeds leaves out the
    images' part. McNemar's test over images leaves out the seeds' part. The rest is counted in both. The degrees of
    freedom follow the factor with fewer values, however large its part. The interval may therefore be too wide. Two
    seeds that agree by chance prove nothing.

    Args:
        one: Whether the first configuration classifies each image correctly with each seed [S, N] as booleans.
        other: Whether the second configuration classifies each image correctly with each seed [S, N] as booleans. The
            seeds and images are the same.
        comparisons: Number of comparisons that `holm` corrects together. Only `pairs_to_tell` depends on it.

    Returns:
        Difference of the accuracies with its 95% interval and p-value.

    Raises:
        ValueError: The shapes differ or there are fewer than two seeds or images.

    Source: Owen, "The pigeonhole bootstrap" (2007), section 3, for the variance of crossed random effects.
    """
    if one.shape != other.shape or one.ndim != 2 or min(one.shape) < 2:
        raise ValueError(
            f"correct rows have the shapes {one.shape} and {other.shape}. "
            "Give equal shapes with 2 or more seeds and images."
        )
    differences = one.astype(np.float64) - other.astype(np.float64)
    seeds, images = differences.shape
    mean, seed_means, image_means = differences.mean(), differences.mean(1), differences.mean(0)
    rest = np.square(differences - seed_means[:, None] - image_means + mean).sum() / ((seeds - 1) * (images - 1))
    parts = np.asarray([seed_means.var(ddof=1) / seeds, image_means.var(ddof=1) / images])
    images_alone = max(parts[1] - rest / (seeds * images), 0.0)
    per_seed = (parts.sum() - images_alone) * seeds
    return paired_t_test(float(mean), seeds, float(per_seed), float(images_alone), comparisons, images)


def paired_t_test(
    difference: float, pairs: int, per_pair: float, fixed: float, comparisons: int, most: int = sys.maxsize
) -> Paired:
    """Test a difference with variance per_pair / pairs + fixed and min(pairs, most) - 1 degrees of freedom.

    Args:
        difference: Difference of two means over runs.
        pairs: Number of pairs of runs, 2 or more.
        per_pair: Part of the variance of a single pair that more pairs lessen.
        fixed: Part of the variance that more pairs do not lessen.
        comparisons: Number of comparisons that `holm` corrects together. Only `pairs_to_tell` depends on it.
        most: Upper bound of the degrees of freedom plus 1. It may be the number of images.

    Returns:
        Difference with its 95% interval and p-value.
    """
    from scipy import stats  # 0.7 s to import

    if per_pair + fixed <= 0:  # the same runs, or runs that differ by a constant
        is_equal = difference == 0
        return Paired(difference, difference, difference, float(is_equal), pairs, None if is_equal else 2)
    error = (per_pair / pairs + fixed) ** 0.5
    freedom = min(pairs, most) - 1
    low, high = stats.t.interval(CONFIDENCE, freedom, difference, error)
    p_value = 2 * stats.t.sf(abs(difference) / error, freedom)

    counts = np.arange(2, MOST_PAIRS + 1)
    freedoms = np.minimum(counts, most) - 1
    shift = np.minimum(abs(difference) / np.sqrt(per_pair / counts + fixed), 1e6)  # beyond, the power is 1
    quantile = stats.t.isf((1 - CONFIDENCE) / 2 / comparisons, freedoms)
    enough = counts[stats.nct.sf(quantile, freedoms, shift) >= POWER]
    return Paired(difference, float(low), float(high), float(p_value), pairs, int(enough[0]) if len(enough) else None)


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
