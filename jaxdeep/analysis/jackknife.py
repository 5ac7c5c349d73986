"""Figures that are no mean over runs, such as an ensemble's: their intervals, by leaving out one run at a time."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxdeep.analysis.statistics import CONFIDENCE, Estimate, Paired, paired_t_test


class Jackknifed(NamedTuple):
    """A figure of S runs together, and of all of them but one.

    It may be a mean, or whatever else depends smoothly on the runs: the NLL of an ensemble of them.

    Attributes:
        estimate: of all runs.
        leave_one_out: [S], of all but the first, all but the second, ...; empty where there is no telling.
    """

    estimate: float
    leave_one_out: np.ndarray

    @classmethod
    def mean(cls, values: Sequence[float] | np.ndarray) -> "Jackknifed":
        """The mean of a figure of S runs; for a single one, `leave_one_out` is empty."""
        each = np.asarray(values, np.float64)
        return cls(float(each.mean()), (each.sum() - each) / (len(each) - 1) if len(each) > 1 else np.empty(0))

    def __sub__(self, other: "Jackknifed") -> "Jackknifed":
        return Jackknifed(self.estimate - other.estimate, self.leave_one_out - other.leave_one_out)

    @property
    def per_run(self) -> float:
        """The variance of the whole, times S: of a mean, the variance of a run."""
        return (len(self.leave_one_out) - 1) * float(np.square(self.leave_one_out - self.leave_one_out.mean()).sum())

    def with_interval(self) -> Estimate:
        """The whole with its interval, as `mean_over_runs` gives it: of a mean, the same.

        Source: Efron and Stein, "The jackknife estimate of variance" (1981).

        >>> from jaxdeep.analysis.statistics import mean_over_runs
        >>> Jackknifed.mean([1.0, 2.0, 3.0]).with_interval() == mean_over_runs([1.0, 2.0, 3.0])
        True
        """
        from scipy import stats  # 0.7 s to import

        count = len(self.leave_one_out)
        if count < 2:
            return Estimate(self.estimate, None, None, None, 1)
        std = self.per_run**0.5
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * std * count**-0.5
        return Estimate(self.estimate, std, self.estimate - half, self.estimate + half, count)

    def against_none(self, of_images: np.ndarray | None = None, comparisons: int = 1) -> Paired:
        """Judge a difference of two figures of the same runs.

        Args:
            of_images: [N], the difference on each image where the whole is their mean: then the variance over images is
                added, and the verdict is about other images too, as that of `paired_correct`.
            comparisons: as of `paired`.

        Raises:
            ValueError: fewer than two runs.
        """
        count = len(self.leave_one_out)
        if count < 2:
            raise ValueError(f"{count} runs; allowed: 2 or more")
        fixed, most = (
            (0.0, sys.maxsize) if of_images is None else (of_images.var(ddof=1) / len(of_images), len(of_images))
        )
        return paired_t_test(self.estimate, count, self.per_run, float(fixed), comparisons, most)
