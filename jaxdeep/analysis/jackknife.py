"""Intervals of figures that are no mean over runs. They come from leaving out one run at a time.

The NLL of an ensemble is such a figure.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxdeep.analysis.differences import Difference, from_variance
from jaxdeep.analysis.statistics import CONFIDENCE, Estimate


class Jackknifed(NamedTuple):
    """A figure that depends on S runs at once and its value without each of them.

    It may be a mean. It may be anything else that depends smoothly on the runs. The NLL of their ensemble does.

    Attributes:
        estimate: Figure of all S runs.
        leave_one_out: Figure without each of the runs [S], in their order. Empty if it is unknown.
    """

    estimate: float
    leave_one_out: np.ndarray

    @classmethod
    def mean(cls, values: Sequence[float] | np.ndarray) -> "Jackknifed":
        """Return the mean of a figure over S runs.

        Args:
            values: Figure of each run [S].

        Returns:
            The mean. Its `leave_one_out` is empty for a single run.
        """
        runs = np.asarray(values, np.float64)
        return cls(float(runs.mean()), (runs.sum() - runs) / (len(runs) - 1) if len(runs) > 1 else np.empty(0))

    def __sub__(self, other: "Jackknifed") -> "Jackknifed":
        return Jackknifed(self.estimate - other.estimate, self.leave_one_out - other.leave_one_out)

    @property
    def per_run(self) -> float:
        """Return S times the variance of the estimate. For a mean it is the variance of a single run."""
        return (len(self.leave_one_out) - 1) * float(np.square(self.leave_one_out - self.leave_one_out.mean()).sum())

    def with_interval(self) -> Estimate:
        """Return the estimate with its 95% interval. For a mean it equals `mean_over_runs`.

        Returns:
            The estimate with its standard deviation and the ends of its interval. They are None for fewer than two
            runs.

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

    def against_none(self, of_images: np.ndarray | None = None) -> Difference:
        """Test a difference of two figures of the same runs against zero.

        Args:
            of_images: Difference on each image [N], or None. If the estimate is the mean of these differences, the
                variance over images is added. The test then holds for other images too. The rest that an image has
                with single runs is in both variances, so the interval is rather too wide. `paired_scores` subtracts it
                where each run has scores of its own.

        Returns:
            Difference with its 95% interval and the p-value of a paired t-test.

        Raises:
            ValueError: There are fewer than two runs.
        """
        count = len(self.leave_one_out)
        if count < 2:
            raise ValueError(f"a difference has {count} runs. Give 2 or more.")
        if of_images is None:
            return from_variance(self.estimate, count, self.per_run / count, 0.0, count - 1)
        fixed, most = float(of_images.var(ddof=1)) / len(of_images), min(count, len(of_images))
        return from_variance(self.estimate, count, self.per_run / count, fixed, most - 1)
