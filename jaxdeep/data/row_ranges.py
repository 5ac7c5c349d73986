"""Check that new rows lie where the training rows did, on the same scale of pixels and inside the range."""

from typing import Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.data.dataset import Columns, Dataset
from jaxdeep.errors import UserError

WHITE: Final = 255
"""Largest value of a pixel in bytes. On the other scale it is 1."""
BRIGHT: Final = 128
"""Value that pixels in bytes reach somewhere and values in 0..1 never do."""
EVIDENCE: Final = 8
"""Number of values that it takes to tell a scale. Fewer can be small or large by chance."""
RARE: Final = 1 / 1_000
"""Share of the training rows that may lie in 0..1 though the others are pixels in bytes."""
MARGIN: Final = 0.1
"""Share of a column's range by which fresh rows of a table may exceed it, since the training rows are a sample."""


def check_rows_scale(dataset: Dataset, columns: Columns, rows: np.ndarray) -> None:
    """Refuse pixels in 0..1 for a network trained on pixels in 0..255, and the reverse.

    A table of other quantities may hold small rows too, so a refusal needs evidence.

    After training on 0..255 rows are refused if all these conditions hold:

    - No training value is negative or above 255 and the largest is 128 or more.
    - All rows are in 0..1. One value is not 0 because black is 0 on either scale.
    - The rows and the training rows are not both uint8.
    - The training rows were integers and a value is a fraction. Or half of the columns that vary reach 128 in training
      and the rows hold 8 or more values other than 0 there. At most one training row in a thousand lies in 0..1 itself
      then.

    After training on 0..1 rows are refused if all these conditions hold:

    - No training value is outside 0..1.
    - The rows are in 0..255 and reach 128.
    - Half or more of their values other than 0 exceed 1 and these are 8 or more.

    Args:
        dataset: Data set whose training rows are looked at if the columns alone do not decide.
        columns: Ranges and type of the training rows.
        rows: Finite numbers [N, D].

    Raises:
        UserError: The rows are on the other scale.
    """
    low, high = columns.low.min(), columns.high.max()
    smallest, largest = rows.min(), rows.max()
    if smallest < 0 or low < 0:
        return
    if BRIGHT <= high <= WHITE and 0 < largest <= 1 and not (rows.dtype == np.uint8 and columns.dtype == "uint8"):
        if (_are_integers(columns) and _has_fraction(rows)) or _are_dim(dataset, columns, rows):
            raise UserError(
                f"all rows are within 0..1, and the training rows were in {low:g}..{high:g}, another scale of pixels. "
                f"Give rows * {WHITE}, or check=False if these are right."
            )
    elif high <= 1 and BRIGHT <= largest <= WHITE:
        above, nonzero = np.count_nonzero(rows > 1), np.count_nonzero(rows)
        if above >= EVIDENCE and 2 * above >= nonzero:
            raise UserError(
                f"the rows reach {largest:g}, and the training rows were within 0..1, another scale of pixels. "
                f"Give rows / {WHITE}, or check=False if these are right."
            )


def outside_range(columns: Columns, image_shape: tuple[int, ...], rows: np.ndarray, dtype: str) -> str | None:
    """Describe the values that lie outside the range of the training rows.

    uint8 training rows and rows of two or more axes share one range because they are pixels. In other tables each
    column has its own range, and a value is outside if it exceeds the range by more than a tenth of its width. A
    rounding error of float32 or of a smaller type is not outside.

    Args:
        columns: Ranges and type of the training rows.
        image_shape: Shape of one training row.
        rows: Finite numbers [N, D].
        dtype: Type of the rows as they were given, such as "float16".

    Returns:
        One line for a warning, or None if no value is outside.
    """
    low, high, margin = columns.low, columns.high, MARGIN
    if columns.dtype == "uint8" or len(image_shape) > 1:
        low, high, margin = np.full_like(low, low.min()), np.full_like(high, high.max()), 0.0
    rounding = np.finfo(np.float32).eps
    if jnp.issubdtype(dtype, jnp.floating):
        rounding = max(rounding, float(jnp.finfo(dtype).eps))
    slack = rounding * np.maximum(np.abs(low), np.abs(high)) + margin * (high - low)
    suspects = np.flatnonzero((rows.min(0) < low - slack) | (rows.max(0) > high + slack))
    if len(suspects) == 0:
        return None
    values = rows[:, suspects].astype(np.float64)
    low, high, slack = low[suspects], high[suspects], slack[suspects]
    beyond = np.maximum(low - values, values - high)
    count = np.count_nonzero(beyond > slack)
    with np.errstate(divide="ignore", invalid="ignore"):
        row, worst = np.unravel_index(np.nanargmax(beyond / (high - low)), beyond.shape)
    column = suspects[worst] if columns.names is None else repr(columns.names[suspects[worst]])
    return (
        f"{count} of {rows.size} values, in {len(suspects)} of {rows.shape[1]} columns, are outside the range of the "
        f"training rows, the worst {values[row, worst]:g} in row {row}, column {column} (training "
        f"{low[worst]:g}..{high[worst]:g}), so the network extrapolates. Check the rows, or pass check=False."
    )


def dim_share(dataset: Dataset) -> float:
    """Return the share of the training rows whose values all lie in 0 .. 1, one of them above 0.

    Args:
        dataset: Data set with training rows, or one whose columns know the share.
    """
    columns = dataset.info.columns if dataset.info else None
    if columns is not None and columns.dim_share is not None:
        return columns.dim_share
    images = np.asarray(dataset.train.images)  # JAX would compile two programs for it
    least, most = images.min(1), images.max(1)
    return float(np.mean((least >= 0) & (most > 0) & (most <= 1)))


def _are_integers(columns: Columns) -> bool:
    """Return whether the training rows were integers."""
    return columns.dtype.startswith(("int", "uint"))


def _has_fraction(rows: np.ndarray) -> bool:
    """Return whether a value is a fraction."""
    return bool((rows != np.trunc(rows)).any())


def _are_dim(dataset: Dataset, columns: Columns, rows: np.ndarray) -> bool:
    """Return whether rows within 0..1 are too dim to be like the training rows."""
    bright = columns.high >= BRIGHT
    if 2 * bright.sum() < (columns.high > columns.low).sum() or np.count_nonzero(rows[:, bright]) < EVIDENCE:
        return False
    return dim_share(dataset) <= RARE
