"""Round numbers of rows up to few sizes, so that nearly equal numbers share programs."""

from typing import Final

import numpy as np

SMALLEST: Final = 32
"""Number of rows that fewer rows are padded to."""


def bucket(rows: int) -> int:
    """Return the padded size of a number of rows: a power of two, or 5, 6 or 7 quarters of one.

    A fifth of the padded rows at most only fill the shape. Fewer than SMALLEST rows are padded to it.

    Args:
        rows: Number of rows, 1 or more.

    >>> [bucket(rows) for rows in (1, 33, 64, 65, 200, 43_986)]
    [32, 40, 64, 80, 224, 49152]
    """
    if rows <= SMALLEST:
        return SMALLEST
    quarter = 1 << ((rows - 1).bit_length() - 3)
    return -(-rows // quarter) * quarter


def filled(rows: np.ndarray) -> np.ndarray:
    """Return rows that are repeated in turn up to the size of their bucket.

    Args:
        rows: Rows [N, ...] with N at least 1.

    Returns:
        Rows [bucket(N), ...]. The first N are the given ones. They are no copy if nothing is added.
    """
    size = bucket(len(rows))
    return rows if size == len(rows) else rows[np.arange(size) % len(rows)]
