"""How far a figure can be trusted: scipy's intervals, under the names that the reports use."""

import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

CONFIDENCE: Final = 0.95
SIGNIFICANCE: Final = 0.05
"""Corrected p-values below it are verdicts."""
POWER: Final = 0.8
"""With what probability `pairs_to_tell` runs tell a difference."""
MOST_PAIRS: Final = 1_000
ROUNDING: Final = 1e-12


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


def mean_over_runs(values: Sequence[float], overlap: float = 0.0) -> Estimate:
    """Mean, standard deviation and interval of one figure over seeds.

    Values that are not finite (a diverged run's) do not count; `runs` says how many did.

    Args:
        values: one for each run.
        overlap: of the folds of a cross-validation, whose training rows are in part the same: validation rows over
            training rows, by which each run's share in the variance grows. 0: independent runs.

    Source: of the overlap, Nadeau and Bengio, "Inference for the generalization error" (2003), equation 9.

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
    """The 95% interval of a mean by the bootstrap (bias-corrected and accelerated): no normal distribution assumed.

    Of few values it is too narrow: of 3, Student's t is the one to believe.

    Args:
        values: one for each run; those that are not finite do not count.

    Returns:
        Its ends; None where there are fewer than two values, or all are equal but for rounding.
    """
    from scipy import stats  # 0.7 s to import

    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if len(finite) < 2 or np.ptp(finite) <= ROUNDING * np.abs(finite).max():
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


class Paired(NamedTuple):
    """How far a figure of two configurations lies apart, over the runs that they have in common.

    Attributes:
        difference: the first one's mean minus the other one's.
        low: lower end of its 95% interval.
        high: upper end.
        p_value: two-sided: of a difference at least as large where there is none.
        pairs: runs that were compared, each with the other configuration's of the same seed.
        pairs_to_tell: so many would tell a true difference of this size with a probability of 80%, by a test as strict
            as its number among others demands; None where MOST_PAIRS would not.
    """

    difference: float
    low: float
    high: float
    p_value: float
    pairs: int
    pairs_to_tell: int | None


def paired(one: Sequence[float], other: Sequence[float], overlap: float = 0.0, comparisons: int = 1) -> Paired:
    """Compare a figure of two configurations run by run: Student's paired t-test.

    It is about other seeds on the same images; `paired_correct` is about other images too.

    Args:
        one: a figure of each run, finite.
        other: of the runs of the same seeds, in the same order.
        overlap: as of `mean_over_runs`; more pairs do not lessen it.
        comparisons: among how many this is one, as `holm` has them; only pairs_to_tell depends on it.

    Raises:
        ValueError: numbers of runs that differ, or fewer than two.

    >>> paired([0.5, 0.6, 0.7], [0.4, 0.55, 0.6]).difference.__round__(4)
    0.0833
    """
    count = len(one)
    if count != len(other) or count < 2:
        raise ValueError(f"{count} and {len(other)} runs; allowed: as many of both, 2 or more")
    differences = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    per_pair = float(differences.var(ddof=1))
    return paired_t_test(float(differences.mean()), count, per_pair, per_pair * overlap, comparisons)


def paired_correct(one: np.ndarray, other: np.ndarray, comparisons: int = 1) -> Paired:
    """Compare the accuracies of two configurations over common seeds and common images.

    A difference d[s, i] of seed s and image i has a part that is the seed's, one that is the image's, and the rest.
    The variance of their mean is that of the seeds' means over S plus that of the images' means over N: so the verdict
    is about other seeds and other images of the same kind. A t-test over seeds leaves the images' part out, McNemar's
    over images the seeds'. The rest is counted in both, and the degrees of freedom are those of the factor with fewer
    values, however large its part: so the interval may be too wide, and two seeds that agree by chance prove nothing.

    Args:
        one: [S, N], booleans: whether the network of a seed tells an image.
        other: [S, N], of the same seeds and images.
        comparisons: as of `paired`.

    Raises:
        ValueError: shapes that differ, fewer than two seeds or images.

    Source: Owen, "The pigeonhole bootstrap" (2007), section 3, for the variance of crossed random effects.
    """
    if one.shape != other.shape or one.ndim != 2 or min(one.shape) < 2:
        raise ValueError(
            f"hits of the shapes {one.shape} and {other.shape}; allowed: equal, 2 or more seeds and images"
        )
    differences = one.astype(np.float64) - other.astype(np.float64)
    seeds, images = differences.shape
    mean, of_seeds, of_images = differences.mean(), differences.mean(1), differences.mean(0)
    rest = np.square(differences - of_seeds[:, None] - of_images + mean).sum() / ((seeds - 1) * (images - 1))
    parts = np.asarray([of_seeds.var(ddof=1) / seeds, of_images.var(ddof=1) / images])
    of_images_alone = max(parts[1] - rest / (seeds * images), 0.0)
    per_seed = (parts.sum() - of_images_alone) * seeds
    return paired_t_test(float(mean), seeds, float(per_seed), float(of_images_alone), comparisons, images)


def paired_t_test(
    difference: float, pairs: int, per_pair: float, fixed: float, comparisons: int, most: int = sys.maxsize
) -> Paired:
    """Judge a difference whose variance is per_pair / pairs + fixed, with min(pairs, most) - 1 degrees of freedom.

    Args:
        difference: of two means over runs.
        pairs: runs.
        per_pair: the part of its variance that more runs lessen, of one run.
        fixed: the part that they do not.
        comparisons: as of `paired`.
        most: degrees of freedom that more runs do not exceed, plus 1, such as the number of images.
    """
    from scipy import stats  # 0.7 s to import

    if per_pair + fixed <= 0:  # the same runs, or runs that differ by a constant
        alike = difference == 0
        return Paired(difference, difference, difference, float(alike), pairs, None if alike else 2)
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
    """p-values corrected for their number: with all below .05, the chance of any false one among them is below .05.

    Args:
        p_values: of all comparisons that are made, in any order.

    Returns:
        The corrected ones, in the same order.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return corrected.tolist()
