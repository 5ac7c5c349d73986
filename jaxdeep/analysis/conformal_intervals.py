"""Conformal prediction intervals: numbers between which the true one lies with a chosen probability."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxdeep.analysis.conformal_rank import smallest_at
from jaxdeep.train.run import Run


class Intervals(NamedTuple):
    """Ends of intervals.

    Attributes:
        low: Lower ends [N] or [N, C], in the units of the targets.
        high: Upper ends [N] or [N, C], in the units of the targets.
    """

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class ConformalIntervals:
    """Prediction intervals of a network or of an ensemble.

    Attributes:
        runs: Networks, whose predictions are averaged.
        coverage: Smallest probability that an interval holds the true number, over calibration rows and new rows of one
            kind. Each of several numbers has it by itself.
        half_widths: Half of the intervals' width for each of C numbers, in their own units. Infinite if there are too
            few calibration rows.
        calibration_rows: Number of calibration rows.
    """

    runs: tuple[Run, ...]
    coverage: float
    half_widths: tuple[float, ...]
    calibration_rows: int

    def predict(self, rows: Any, *, check: bool = True) -> Intervals:
        """Return the prediction interval of each row.

        Args:
            rows: Rows [N, *image_shape] or [N, D], as `Run.predict` takes them.
            check: Whether the rows are compared with the range of the training rows.

        Returns:
            The lower and the upper ends, [N] for one number and [N, C] for several.

        Raises:
            UserError: The rows do not fit, or a value is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        found = np.mean([run.predict(rows, check=check) for run in self.runs], 0)
        half = np.asarray(self.half_widths)[0 if found.ndim == 1 else slice(None)]
        return Intervals(found - half, found + half)


def half_widths_of(predicted: np.ndarray, numbers: np.ndarray, coverage: float) -> tuple[float, ...]:
    """Return half of the width that intervals of the coverage have.

    It is the ceil((N + 1) x coverage)-th smallest absolute error of the calibration rows.

    Args:
        predicted: Predicted numbers [N] or [N, C] of calibration rows.
        numbers: True numbers, of the same shape.
        coverage: Smallest probability that an interval holds the true number, in (0, 1).

    Returns:
        Half of the width for each of C numbers. Infinite if N is below coverage / (1 - coverage).

    Source: Lei et al., "Distribution-free predictive inference for regression" (2018), section 2.2.

    >>> half_widths_of(np.zeros(9), np.arange(9.0), 0.8)
    (7.0,)
    """
    errors = np.abs(np.asarray(predicted, np.float64) - numbers).reshape(len(numbers), -1)
    return tuple(smallest_at(column, coverage) for column in errors.T)
