"""The score of conformal prediction up to which an answer is kept."""

import math

import numpy as np


def smallest_at(scores: np.ndarray, coverage: float) -> float:
    """Return the ceil((N + 1) x coverage)-th smallest score.

    Args:
        scores: Scores [N] of calibration rows.
        coverage: Smallest probability that a new score of the same kind is as small, in (0, 1).

    Returns:
        The score. Infinite if N is below coverage / (1 - coverage).

    >>> smallest_at(np.arange(9.0), 0.8)
    7.0
    """
    ordered = np.sort(scores)
    rank = math.ceil(round((len(ordered) + 1) * coverage, 9))  # a product that rounding puts just above a whole number
    return math.inf if rank > len(ordered) else float(ordered[rank - 1])
