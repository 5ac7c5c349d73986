"""Rows that a trained network is asked about: refused where they cannot mean what the training rows meant."""

import warnings
from typing import Any

import jax
import numpy as np

from jaxdeep.data.dataset import Dataset
from jaxdeep.data.row_ranges import check_rows_scale, outside_range
from jaxdeep.data.rows import aligned, as_rows, stored
from jaxdeep.errors import JaxdeepWarning, UserError


def checked_rows(dataset: Dataset, rows: Any, *, check: bool = True, dtype: str = "float32") -> np.ndarray:
    """Check rows that a user gives, and convert them to what the data set stores.

    Shape, type and finiteness always hold. The columns of a data frame are matched by name where the training rows
    had names. A data set without `info` knows no ranges, so its rows are not compared with any.

    Args:
        dataset: the network was trained on it.
        rows: [N, *image_shape] or [N, D], N at least 1, unscaled like the training rows; an array, or a data frame.
        check: compare the rows with the range of the training rows. Turn it off to evaluate rows of another kind.
        dtype: floating type in which the network computes. Rows must be finite in it.

    Returns:
        [N, D], as the data set stores its rows: uint8 for uint8 in both, and a floating type otherwise.

    Raises:
        UserError: the shape, the type or a column's name is wrong, a value is missing or not finite, or all rows are
            on another scale than the training rows.

    Warns:
        JaxdeepWarning: values lie outside the range of the training rows. One warning names the number and the worst.
    """
    columns = dataset.info.columns if dataset.info else None
    names = columns.names if columns else None
    given = aligned(as_rows(rows, "rows"), names, "the data frame")
    if given.mask is not None:
        raise UserError(f"{given.mask.sum()} values of the rows are masked. Fill them in, or leave their rows out")
    flat = _flat(given.values, dataset.image_shape, dataset.inputs)
    _check_finite(flat, dtype, names)
    if check and columns is not None:
        check_rows_scale(dataset, columns, flat)
        if text := outside_range(columns, dataset.image_shape, flat, given.dtype):
            warnings.warn(text, JaxdeepWarning, stacklevel=3)
    return stored(flat, columns.offset if columns else None)


def check_answers(probabilities: np.ndarray) -> None:
    """Refuse answers that overflow made of finite rows.

    Args:
        probabilities: [N, C], a network's answers to N rows.

    Raises:
        UserError: an answer is not finite.
    """
    wrong = np.flatnonzero(~np.isfinite(probabilities).all(1))
    if len(wrong):
        raise UserError(
            f"the network's answers to {len(wrong)} of {len(probabilities)} rows are not finite, the first of them to "
            f"row {wrong[0]}: values of such rows overflow in the network. Give rows on the scale of the training rows"
        )


def _flat(rows: np.ndarray, image_shape: tuple[int, ...], inputs: int) -> np.ndarray:
    """Take [N, *image_shape] or [N, D] as [N, D]; axes of length 1 may differ from the training rows'."""
    shape, wanted = rows.shape, _long_axes(image_shape)
    if rows.ndim >= 2 and (shape[1:] == (inputs,) or _long_axes(shape[1:]) == wanted):
        if len(rows) == 0:
            raise UserError(f"the rows have the shape {shape}: there are none. Give at least one")
        return rows.reshape(len(rows), inputs)
    allowed = " or ".join(
        f"[N, {', '.join(map(str, of_row))}]" for of_row in dict.fromkeys((image_shape, (inputs,))) if of_row
    )
    problem = f"the rows have the shape {shape}; allowed: {allowed}"
    if shape == (inputs,) or (rows.ndim >= 1 and _long_axes(shape) == wanted):
        raise UserError(f"{problem}. For a single row give [1, {', '.join(map(str, shape))}]: rows[None]")
    if rows.ndim == 1 and inputs == 1:
        raise UserError(f"{problem}. Give each value a row of its own: rows[:, None]")
    if rows.ndim == 4 and len(image_shape) == 3 and shape[1:] == (image_shape[2], *image_shape[:2]):
        raise UserError(f"{problem}. The channels come last: np.moveaxis(rows, 1, -1)")
    raise UserError(f"{problem}. Give the axes and the columns of the training rows, in their order")


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _check_finite(rows: np.ndarray, dtype: str, names: tuple[str, ...] | None) -> None:
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
        f"column {column if names is None else repr(names[column])}. Replace such values, or leave their rows out"
    )


def _floating(dtype: Any) -> np.dtype:
    """Return the floating type itself, but float32 for a larger one where JAX has no float64."""
    native = np.dtype(np.float64 if np.dtype(dtype).itemsize > 8 else dtype).newbyteorder("=")
    return np.dtype(jax.dtypes.canonicalize_dtype(native))


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
