"""Make arrays of what a user gives and real numbers of arrays, or refuse them with the reason."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.errors import UserError

EXACT_IN_FLOAT32: Final = 2**24
"""Largest integer up to which float32 holds every integer."""
EXACT_IN_FLOAT64: Final = 2**53
"""Largest integer up to which float64 holds every integer."""
REASONS: Final = {
    "c": "complex numbers. Give their real and imaginary parts as columns",
    "U": "text. Encode it as numbers",
    "S": "text. Encode it as numbers",
    "T": "text. Encode it as numbers",
    "M": "dates. Give numbers, such as (dates - start) / np.timedelta64(1, 's')",
    "m": "durations. Give numbers, such as durations / np.timedelta64(1, 's')",
    "V": "a structured type. Give its fields as columns of one type",
}
"""Reason why an array's kind is refused and what to give instead, by NumPy's letter of the kind."""


def as_array(given: Any, what: str) -> np.ndarray:
    """Make an array of any object that can be one.

    Args:
        given: Array, list, data frame, or object with `__array__`.
        what: Name of the argument, for the message.

    Returns:
        An array of any type and shape. It may share the caller's memory.

    Raises:
        UserError: The object is sparse, is ragged, or cannot be made an array.
    """
    if hasattr(given, "nnz") and (hasattr(given, "toarray") or hasattr(given, "todense")):
        method = "toarray" if hasattr(given, "toarray") else "todense"
        raise UserError(f"{what} is a sparse {type(given).__name__}. Give the dense array {what}.{method}().")
    try:
        return np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    except Exception as error:  # another library's __array__ may raise anything
        if "inhomogeneous" in str(error):
            raise UserError(f"{what} is ragged: its rows differ in length. Give rows of one length.") from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{what}, a {type(given).__name__}, cannot be made an array ({reason}). Give an array."
        ) from error


def column_names(given: Any) -> tuple[str, ...] | None:
    """Return the names of a data frame's columns.

    Args:
        given: Any object.

    Returns:
        A name for each column. None if the object is no data frame.
    """
    if hasattr(given, "column_names") and hasattr(given, "__array__"):  # a table of pyarrow
        return tuple(map(str, given.column_names))
    columns = getattr(given, "columns", None)
    return None if columns is None or not hasattr(given, "to_numpy") else tuple(map(str, columns))


def column_name(index: int, names: Sequence[str] | None) -> str:
    """Name a column for a message.

    Args:
        index: Index of the column, counted from 0.
        names: Names of all columns. None or empty if they have none.

    Returns:
        The index, and the name if there is one.

    >>> column_name(2, None), column_name(1, ("age", "height"))
    ('column 2', "column 1 ('height')")
    """
    return f"column {index}" + (f" ({names[index]!r})" if names else "")


def as_numbers(array: np.ndarray, what: str) -> np.ndarray:
    """Convert an array to uint8, float32 or float64.

    Args:
        array: Array of any type but objects.
        what: Name of the argument, for the message.

    Returns:
        An array of the same shape in the machine's byte order. It is the given one if nothing changes.

    Raises:
        UserError: The values are not real numbers, or are integers that float64 cannot hold.
    """
    dtype = array.dtype
    if dtype == np.uint8:
        return array
    if dtype == np.bool_:
        return array.astype(np.float32)
    if jnp.issubdtype(dtype, jnp.integer) and dtype.kind != "m":  # NumPy counts durations among the integers
        largest = max(abs(int(array.min())), abs(int(array.max()))) if array.size else 0
        if largest > EXACT_IN_FLOAT64:
            raise UserError(f"{what} holds integers up to {largest}, which float64 rounds. Subtract a constant first.")
        return array.astype(np.float32 if largest <= EXACT_IN_FLOAT32 else np.float64)
    if jnp.issubdtype(dtype, jnp.floating):
        with np.errstate(over="ignore"):
            return array.astype(np.float32 if dtype.itemsize <= 4 else np.float64, copy=False)
    reason = REASONS.get(dtype.kind, "not numbers. Give integers or floating numbers")
    raise UserError(f"{what} is {dtype}: {reason}.")


def numbers_of_objects(array: np.ndarray, what: str, names: tuple[str, ...] | None) -> np.ndarray:
    """Convert the objects of a data frame whose columns may differ in type.

    Args:
        array: Array of Python objects.
        what: Name of the argument, for the message.
        names: Names of the D columns. None if the array is no data frame. Objects are refused then.

    Returns:
        A float64 array of the same shape.

    Raises:
        UserError: An object is not a number, or there are no names.
    """
    if array.ndim == 0:
        raise UserError(f"{what} is a {type(array.item()).__name__}. Give an array [N, ...].")
    for index, value in enumerate(array.reshape(-1)):
        if isinstance(value, Real | np.bool_):
            continue
        row, column = divmod(index, max(array[0].size, 1) if array.ndim > 1 else 1)
        place = f"row {row}, {column_name(column, names if array.ndim > 1 else None)}"
        if is_missing(value):
            raise UserError(f"{what} misses a value in {place}. Fill in a value, or remove such rows.")
        kind = f"text ({value!r})" if isinstance(value, str | bytes) else f"a {type(value).__name__}"
        raise UserError(f"{what} holds {kind} in {place}. Encode it as numbers.")
    if names is None:
        raise UserError(f"{what} is an array of Python objects. Give numbers, such as {what}.astype(np.float32).")
    try:
        return array.astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{what} holds numbers that float64 cannot hold ({error}). Rescale them.") from error


def is_missing(value: Any) -> bool:
    """Return whether an object stands for a missing value.

    Args:
        value: Any object.

    Returns:
        True for None, NaN, and pandas' NA and NaT.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
