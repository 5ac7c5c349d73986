"""Figures that are no mean over runs, such as an ensemble's: their intervals, by leaving out one run at a time."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxdeep.analysis.statistics import CONFIDENCE, Estimate, Paired, judged


class Jackknifed(NamedTuple):
    """A figure of S runs together, and of all of them but one.

    It may be a mean, or whatever else depends smoothly on the runs: the NLL of an ensemble of them.

    Attributes:
        whole: of all runs.
        without: [S], of all but the first, all but the second, ...; empty where there is no telling.
    """

    whole: float
    without: np.ndarray

    @classmethod
    def mean(cls, values: Sequence[float] | np.ndarray) -> "Jackknifed":
        """The mean of a figure of S runs; for a single one, `without` is empty."""
        each = np.asarray(values, np.float64)
        return cls(float(each.mean()), (each.sum() - each) / (len(each) - 1) if len(each) > 1 else np.empty(0))

    def __sub__(self, other: "Jackknifed") -> "Jackknifed":
        return Jackknifed(self.whole - other.whole, self.without - other.without)

    @property
    def per_run(self) -> float:
        """The variance of the whole, times S: of a mean, the variance of a run."""
        return (len(self.without) - 1) * float(np.square(self.without - self.without.mean()).sum())

    def estimate(self) -> Estimate:
        """The whole with its interval, as `mean_over_runs` gives it: of a mean, the same.

        Source: Efron and Stein, "The jackknife estimate of variance" (1981).

        >>> from jaxdeep.analysis.statistics import mean_over_runs
        >>> Jackknifed.mean([1.0, 2.0, 3.0]).estimate() == mean_over_runs([1.0, 2.0, 3.0])
        True
        """
        from scipy import stats  # 0.7 s to import

        count = len(self.without)
        if count < 2:
            return Estimate(self.whole, None, None, None, 1)
        std = self.per_run**0.5
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * std * count**-0.5
        return Estimate(self.whole, std, self.whole - half, self.whole + half, count)

    def against_none(self, of_images: np.ndarray | None = None, comparisons: int = 1) -> Paired:
        """Judge a difference of two figures of the same runs.

        Args:
            of_images: [N], the difference on each image where the whole is their mean: then the variance over images is
                added, and the verdict is about other images too, as that of `paired_hits`.
            comparisons: as of `paired`.

        Raises:
            ValueError: fewer than two runs.
        """
        count = len(self.without)
        if count < 2:
            raise ValueError(f"{count} runs; allowed: 2 or more")
        fixed, most = (
            (0.0, sys.maxsize) if of_images is None else (of_images.var(ddof=1) / len(of_images), len(of_images))
        )
        return judged(self.whole, count, self.per_run, float(fixed), comparisons, most)
