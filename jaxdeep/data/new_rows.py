"""Check the rows that a trained network is asked about."""

from typing import Any

import jax
import numpy as np

from jaxdeep.data.dataset import Dataset
from jaxdeep.data.row_ranges import check_rows_scale, outside_range
from jaxdeep.data.rows import aligned, as_rows, stored
from jaxdeep.data.table_columns import features_of
from jaxdeep.errors import UserError, warn


def checked_rows(dataset: Dataset, rows: Any, *, check: bool = True, dtype: str = "float32") -> np.ndarray:
    """Check rows that a user gives and convert them to what the data set stores.

    Shape, type and finiteness are always checked. The columns of a data frame are matched by name if the training rows
    had names. If the training rows were made of a table, a data frame has that table's columns, with gaps and
    categories, in any order and beside others. A data set without `info` knows no ranges, so its rows are not compared
    with any.

    Args:
        dataset: Data set that the network was trained on.
        rows: Array or data frame [N, *image_shape] or [N, D] with N at least 1. It is unscaled like the training rows.
        check: Whether to compare the rows with the range of the training rows. Turn it off to evaluate rows of another
            kind.
        dtype: Floating type in which the network computes. Rows must be finite in it.

    Returns:
        Rows [N, D] as the data set stores them. They are uint8 if the given rows and the training rows are, and of a
        floating type otherwise.

    Raises:
        UserError: The shape, the type or a column's name is wrong. A value is missing or not finite. All rows are on
            another scale than the training rows.

    Warns:
        JaxdeepWarning: Values lie outside the range of the training rows. One warning names their number and the worst.
    """
    columns = dataset.info.columns if dataset.info else None
    table = dataset.info.table if dataset.info else None
    rows = features_of(table, rows, check=check)
    names = columns.names if columns else None
    given = aligned(as_rows(rows, "rows"), names, "the data frame")
    if given.mask is not None:
        raise UserError(f"{given.mask.sum()} values of the rows are masked. Fill them in, or leave their rows out.")
    flat = _flat(given.values, dataset.image_shape, dataset.inputs)
    _check_finite(flat, dtype, names)
    if check and columns is not None:
        if table is None:  # whose features are no pixels
            check_rows_scale(dataset, columns, flat)
        if text := outside_range(columns, dataset.image_shape, flat, given.dtype):
            warn(text)
    return stored(flat, columns.offset if columns else None)


def check_answers(probabilities: np.ndarray) -> None:
    """Refuse probabilities that overflow made of finite rows.

    Args:
        probabilities: Probabilities [N, C] that a network gives N rows.

    Raises:
        UserError: A probability is not finite.
    """
    wrong = np.flatnonzero(~np.isfinite(probabilities).all(1))
    if len(wrong):
        raise UserError(
            f"the network's answers to {len(wrong)} of {len(probabilities)} rows are not finite, the first of them to "
            f"row {wrong[0]}, because values overflow in the network. Give rows on the scale of the training rows."
        )


def _flat(rows: np.ndarray, image_shape: tuple[int, ...], inputs: int) -> np.ndarray:
    """Flatten [N, *image_shape] or [N, D] to [N, D].

    Axes of length 1 may differ from the training rows' axes.
    """
    shape, expected = rows.shape, _long_axes(image_shape)
    if rows.ndim >= 2 and (shape[1:] == (inputs,) or _long_axes(shape[1:]) == expected):
        if len(rows) == 0:
            raise UserError(f"the rows have the shape {shape}, so there are none. Give at least one.")
        return rows.reshape(len(rows), inputs)
    allowed = " or ".join(
        f"[N, {', '.join(map(str, row_shape))}]" for row_shape in dict.fromkeys((image_shape, (inputs,))) if row_shape
    )
    problem = f"the rows have the shape {shape}, expected {allowed}"
    if shape == (inputs,) or (rows.ndim >= 1 and _long_axes(shape) == expected):
        raise UserError(f"{problem}. For a single row give rows[None], [1, {', '.join(map(str, shape))}].")
    if rows.ndim == 1 and inputs == 1:
        raise UserError(f"{problem}. Give each value a row of its own by rows[:, None].")
    if rows.ndim == 4 and len(image_shape) == 3 and shape[1:] == (image_shape[2], *image_shape[:2]):
        raise UserError(f"{problem}. Put the channels last by np.moveaxis(rows, 1, -1).")
    raise UserError(f"{problem}. Give the axes and the columns of the training rows, in their order.")


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths above 1 of a shape."""
    return tuple(length for length in shape if length != 1)


def _check_finite(rows: np.ndarray, dtype: str, names: tuple[str, ...] | None) -> None:
    """Refuse rows that are not finite in the network's type."""
    if rows.dtype.kind != "f":
        return
    with np.errstate(over="ignore"):
        finite = np.isfinite(rows.astype(_floating(dtype), copy=False))
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    value = rows[row, column]
    problem = f"too large for {dtype}" if np.isfinite(value) else "not finite"
    raise UserError(
        f"{finite.size - finite.sum()} of {finite.size} values are {problem}, the first of them {value} in row {row}, "
        f"column {column if names is None else repr(names[column])}. Replace such values, or leave their rows out."
    )


def _floating(dtype: Any) -> np.dtype:
    """Return a floating type in the machine's byte order.

    It is float32 for a larger type if JAX has no float64.
    """
    native = np.dtype(np.float64 if np.dtype(dtype).itemsize > 8 else dtype).newbyteorder("=")
    return np.dtype(jax.dtypes.canonicalize_dtype(native))
