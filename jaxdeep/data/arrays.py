"""Make arrays of what a user gives, and real numbers of arrays, or refuse them with the reason."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.errors import UserError

EXACT_IN_FLOAT32: Final = 2**24
EXACT_IN_FLOAT64: Final = 2**53
REASONS: Final = {
    "c": "complex numbers. Give their real and imaginary parts as columns",
    "U": "text. Encode it as numbers",
    "S": "text. Encode it as numbers",
    "T": "text. Encode it as numbers",
    "M": "dates. Give numbers, such as (dates - start) / np.timedelta64(1, 's')",
    "m": "durations. Give numbers, such as durations / np.timedelta64(1, 's')",
    "V": "a structured type. Give its fields as columns of one type",
}
"""Why an array's kind is refused, and what to give instead."""


def as_array(given: Any, what: str) -> np.ndarray:
    """Make an array of anything that can be one.

    Args:
        given: an array, a list, a data frame, or an object with `__array__`.
        what: name of the argument, for the message.

    Returns:
        The array, of any type and shape. It may share the caller's memory.

    Raises:
        UserError: the object is sparse, ragged, or no array.
    """
    if hasattr(given, "nnz") and (hasattr(given, "toarray") or hasattr(given, "todense")):
        method = "toarray" if hasattr(given, "toarray") else "todense"
        raise UserError(f"{what} is a sparse {type(given).__name__}. Give a dense array: {what}.{method}()")
    try:
        return np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    except Exception as error:  # whatever a stranger's __array__ raises
        if "inhomogeneous" in str(error):
            raise UserError(f"{what} is ragged: its rows differ in length. Give rows of one length") from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{what}, a {type(given).__name__}, cannot be made an array: {reason}") from error


def column_names(given: Any) -> tuple[str, ...] | None:
    """Return the names of a data frame's columns, or None for what has none."""
    columns = getattr(given, "columns", None)
    return None if columns is None or not hasattr(given, "to_numpy") else tuple(map(str, columns))


def column_name(index: int, names: Sequence[str] | None) -> str:
    """Name a column for a message.

    >>> column_name(2, None), column_name(1, ("age", "height"))
    ('column 2', "column 1 ('height')")
    """
    return f"column {index}" + (f" ({names[index]!r})" if names else "")


def as_numbers(array: np.ndarray, what: str) -> np.ndarray:
    """Convert an array to uint8, float32 or float64.

    Args:
        array: of any type but objects.
        what: name of the argument, for the message.

    Returns:
        The array, in the machine's byte order. Where nothing changes, it is the given one.

    Raises:
        UserError: the values are not real numbers, or integers that float64 cannot hold.
    """
    dtype = array.dtype
    if dtype == np.uint8:
        return array
    if dtype == np.bool_:
        return array.astype(np.float32)
    if jnp.issubdtype(dtype, jnp.integer) and dtype.kind != "m":  # NumPy counts durations among the integers
        largest = max(abs(int(array.min())), abs(int(array.max()))) if array.size else 0
        if largest > EXACT_IN_FLOAT64:
            raise UserError(f"{what} holds integers up to {largest}, which float64 rounds. Subtract a constant first")
        return array.astype(np.float32 if largest <= EXACT_IN_FLOAT32 else np.float64)
    if jnp.issubdtype(dtype, jnp.floating):
        with np.errstate(over="ignore"):
            return array.astype(np.float32 if dtype.itemsize <= 4 else np.float64, copy=False)
    raise UserError(f"{what} is {dtype}: {REASONS.get(dtype.kind, 'not numbers. Give integers or floating numbers')}")


def numbers_of_objects(array: np.ndarray, what: str, names: tuple[str, ...] | None) -> np.ndarray:
    """Convert the objects of a data frame, whose columns may differ in type.

    Args:
        array: Python objects.
        what: name of the argument, for the message.
        names: D names of columns. None: the array is no data frame, and objects are refused.

    Returns:
        The array as float64.

    Raises:
        UserError: an object is not a number, or there are no names.
    """
    if array.ndim == 0:
        raise UserError(f"{what} is a {type(array.item()).__name__}. Give an array [N, ...]")
    for index, value in enumerate(array.reshape(-1)):
        if isinstance(value, Real | np.bool_):
            continue
        row, column = divmod(index, max(array[0].size, 1) if array.ndim > 1 else 1)
        place = f"row {row}, {column_name(column, names if array.ndim > 1 else None)}"
        if is_missing(value):
            raise UserError(f"{what} misses a value in {place}. Fill in a value, or remove such rows")
        kind = f"text ({value!r})" if isinstance(value, str | bytes) else f"a {type(value).__name__}"
        raise UserError(f"{what} holds {kind} in {place}. Encode it as numbers")
    if names is None:
        raise UserError(f"{what} is an array of Python objects. Give numbers: {what}.astype(np.float32)")
    try:
        return array.astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{what} holds numbers that float64 cannot hold: {error}") from error


def is_missing(value: Any) -> bool:
    """Tell whether an object stands for a missing value: None, NaN, or pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
