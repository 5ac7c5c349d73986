"""Differences of a figure between two configurations, each with its standard error and degrees of freedom.

`jaxdeep.analysis.evidence` says what a difference shows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxdeep.analysis.statistics import CONFIDENCE


class Difference(NamedTuple):
    """The difference of a figure between two configurations.

    Attributes:
        difference: Mean of the first configuration minus mean of the second.
        low: Lower end of the difference's 95% interval as if it were the only comparison.
        high: Upper end of the difference's 95% interval as if it were the only comparison.
        p_value: Two-sided p-value as if it were the only comparison. It is the probability of a difference at least as
            large if there is none.
        pairs: Number of compared runs, or of folds. For independent runs it is the smaller number of the two.
        error: Standard error of the difference.
        freedom: Degrees of freedom of Student's t.
        fixed: Part of the squared standard error that more seeds do not lessen.
    """

    difference: float
    low: float
    high: float
    p_value: float
    pairs: int
    error: float
    freedom: float
    fixed: float

    @property
    def is_identity(self) -> bool:
        """Return whether the two figures are equal in every run, so that there is nothing to test."""
        return self.difference == 0 and self.error == 0


def paired(first: Sequence[float], second: Sequence[float], overlap: float = 0.0) -> Difference:
    """Compare a figure of two configurations run by run with Student's paired t-test.

    The difference holds for other seeds on the same rows. `paired_correct` covers other images too.

    Args:
        first: Finite figure of each run of the first configuration.
        second: Finite figure of each run of the second configuration. The seeds or folds are the same in the same
            order.
        overlap: Validation rows over training rows for the folds of a cross-validation, or 0 for independent runs. More
            pairs do not lessen its part of the variance.

    Returns:
        Difference with its 95% interval and p-value.

    Raises:
        ValueError: The numbers of runs differ or there are fewer than two.

    Source: Nadeau and Bengio, "Inference for the generalization error" (2003), equation 9, for the overlap.

    >>> paired([0.5, 0.6, 0.7], [0.4, 0.55, 0.6]).difference.__round__(4)
    0.0833
    """
    count = len(first)
    if count != len(second) or count < 2:
        raise ValueError(f"{count} and {len(second)} runs cannot be paired. Give 2 or more, as many of both.")
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    per_pair = float(differences.var(ddof=1))
    return from_variance(float(differences.mean()), count, per_pair / count, per_pair * overlap, count - 1)


def by_fold(folds: Sequence[int | None], values: Sequence[float]) -> list[float]:
    """Return the mean over the seeds of each fold.

    Trials of one fold share all rows, so they count as one result of that fold.

    Args:
        folds: Index of the fold of each trial.
        values: Finite figure of each trial.

    Returns:
        Mean of each fold, in the order in which the folds come first.

    >>> by_fold([0, 1, 0, 1], [0.5, 0.75, 0.75, 0.75])
    [0.625, 0.75]
    """
    found: dict[int | None, list[float]] = {}
    for fold, value in zip(folds, values, strict=True):
        found.setdefault(fold, []).append(value)
    return [float(np.mean(of_fold)) for of_fold in found.values()]


def paired_correct(first: np.ndarray, second: np.ndarray, overlap: float = 0.0) -> Difference:
    """Compare the accuracies of two configurations over common images.

    Args:
        first: Whether the first configuration classifies each image correctly with each seed [S, N] as booleans.
        second: Whether the second configuration classifies each image correctly with each seed [S, N] as booleans. The
            images are the same.
        overlap: Validation rows over training rows if each seed draws them from the same rows, or 0.

    Returns:
        Difference of the accuracies as `paired_scores` returns it.

    Raises:
        ValueError: The shapes differ or there are fewer than two seeds or images.
    """
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < 2:
        raise ValueError(
            f"correct rows have the shapes {first.shape} and {second.shape}. "
            "Give equal shapes with 2 or more seeds and images."
        )
    return paired_scores(first.astype(np.float64) - second.astype(np.float64), overlap)


def paired_scores(differences: np.ndarray, overlap: float = 0.0) -> Difference:
    """Test a difference of scores that each image has with each seed.

    A difference d[s, i] has a part of the seed s, a part of the image i and a rest. The variance of their mean is the
    variance of the seeds' means over S plus the variance of the images' means over N. Both hold the rest's variance
    over S x N, so it is subtracted once. The images' part cannot fall below 0. The verdict therefore holds for other
    seeds and other images of the same kind. A t-test over seeds leaves out the images' part. McNemar's test over images
    leaves out the seeds' part.

    The pairing is over images. The same seed in two configurations makes their results no more alike than two seeds do.
    The degrees of freedom follow the factor with fewer values, however large its part. The interval is therefore rather
    too wide than too narrow. Two seeds that agree by chance prove nothing. If both parts are 0, the rest's variance
    over S x N remains.

    Args:
        differences: Score of the first configuration minus score of the second [S, N], with S and N at least 2.
        overlap: Validation rows over training rows if each seed draws them from the same rows, or 0. More seeds do not
            lessen its part of the variance.

    Returns:
        Mean difference with its 95% interval and p-value.

    Source: Owen, "The pigeonhole bootstrap" (2007), section 3, for the variance of crossed random effects.
    """
    seeds, images = differences.shape
    mean, seed_means, image_means = differences.mean(), differences.mean(1), differences.mean(0)
    rest = np.square(differences - seed_means[:, None] - image_means + mean).sum() / ((seeds - 1) * (images - 1))
    of_images = max(image_means.var(ddof=1) / images - rest / (seeds * images), 0.0)
    of_seed = seed_means.var(ddof=1)
    of_seeds, fixed = of_seed / seeds, of_images + of_seed * overlap
    if of_seeds + of_images <= 0:  # seeds that agree by chance, unless the rest is 0 too
        of_seeds = rest / (seeds * images)
    return from_variance(float(mean), seeds, float(of_seeds), float(fixed), min(seeds, images) - 1)


def independent(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare a figure of two groups of runs that share nothing, by Welch's t-test.

    Args:
        first: Finite figure of each run of the first group.
        second: Finite figure of each run of the second group.

    Returns:
        Difference with its 95% interval and p-value.

    Raises:
        ValueError: A group has fewer than two runs.

    Source: Welch, "The generalization of Student's problem when several different population variances are involved"
    (1947).

    >>> independent([0.5, 0.6, 0.7], [0.4, 0.5]).difference.__round__(4)
    0.15
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"groups have {len(first)} and {len(second)} runs. Give 2 or more of both.")
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    weights = [part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)]
    freedom = sum(parts) ** 2 / sum(weights) if sum(weights) > 0 else min(len(first), len(second)) - 1
    difference = float(np.mean(first)) - float(np.mean(second))
    return from_variance(difference, min(len(first), len(second)), sum(parts), 0.0, freedom)


def from_variance(difference: float, pairs: int, of_seeds: float, fixed: float, freedom: float) -> Difference:
    """Return a difference with its interval and its p-value by Student's t.

    Args:
        difference: Difference of two means over runs.
        pairs: Number of compared runs, 2 or more.
        of_seeds: Part of the variance of the difference that more seeds lessen.
        fixed: Part of the variance of the difference that more seeds do not lessen.
        freedom: Degrees of freedom, above 0.

    Returns:
        The difference. Its p-value is 0 or 1 if its variance is 0.
    """
    from scipy import stats  # 0.7 s to import

    if of_seeds + fixed <= 0:  # the same runs, or runs that differ by a constant
        p_value = float(difference == 0)
        return Difference(difference, difference, difference, p_value, pairs, 0.0, freedom, 0.0)
    error = (of_seeds + fixed) ** 0.5
    low, high = stats.t.interval(CONFIDENCE, freedom, difference, error)
    p_value = 2 * stats.t.sf(abs(difference) / error, freedom)
    return Difference(difference, float(low), float(high), float(p_value), pairs, error, freedom, fixed)
