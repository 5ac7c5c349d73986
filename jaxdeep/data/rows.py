"""Turn feature rows of any origin into numbers, or refuse them with the reason."""

from collections import Counter
from typing import Any, Final, NamedTuple

import jax
import numpy as np

from jaxdeep.data.arrays import as_array, as_numbers, column_names, numbers_of_objects
from jaxdeep.errors import UserError

CHUNK_ROWS: Final = 2_000
"""Number of rows that are converted at a time to save memory."""
LISTED: Final = 10
"""Number of names that a message lists."""


class Rows(NamedTuple):
    """Feature rows as numbers.

    Attributes:
        values: Rows [N, ...] of uint8, float32 or float64 in the machine's byte order.
        dtype: Type of the rows as they were given, such as "int64".
        source: Array [N, ...] whose bytes identify the rows.
        names: Names of the D columns of a data frame. None for other rows.
        mask: Booleans [N, ...], True for a masked value. None if no value is masked.
    """

    values: np.ndarray
    dtype: str
    source: np.ndarray
    names: tuple[str, ...] | None = None
    mask: np.ndarray | None = None

    def taken(self, chosen: slice) -> "Rows":
        """Take some of the rows.

        Args:
            chosen: Slice of the rows to take.

        Returns:
            Rows that share the memory of these.
        """
        mask = None if self.mask is None else self.mask[chosen]
        return self._replace(values=self.values[chosen], source=self.source[chosen], mask=mask)


def as_rows(given: Any, what: str) -> Rows:
    """Turn feature rows of any origin into numbers.

    uint8 stays uint8. Booleans, small floating types and integers up to 2^24 become float32. Other integers and wide
    floating types become float64.

    Args:
        given: Rows [N, ...] as an array, list, data frame, object with `__array__`, or Rows, which stay as they are.
        what: Name of the argument, for the message.

    Returns:
        The rows as numbers.

    Raises:
        UserError: The values are not real numbers, or are integers that float64 cannot hold.
    """
    if isinstance(given, Rows):
        return given
    array = as_array(given, what)
    names = column_names(given)
    if array.dtype.kind == "O":
        array = numbers_of_objects(array, what, names)
    mask = np.ma.getmaskarray(given) if np.ma.isMaskedArray(given) and np.ma.is_masked(given) else None
    values = as_numbers(array, what)
    was_accepted = array.dtype in (np.uint8, np.float16, np.float32, np.float64) and array.dtype.isnative
    return Rows(values, str(array.dtype), array if was_accepted else values, names, mask)


def aligned(rows: Rows, names: tuple[str, ...] | None, what: str) -> Rows:
    """Order a data frame's columns as the training rows have them.

    Args:
        rows: Rows [N, D] to be ordered.
        names: Names of the D training columns. None if they have no names. The order stays then.
        what: Name of the argument, for the message.

    Returns:
        Rows [N, D] in the order of the training columns.

    Raises:
        UserError: A column is missing, is unknown, or its name occurs twice.
    """
    if names is None or rows.names is None or rows.names == names:
        return rows
    expected, given = Counter(names), Counter(rows.names)
    missing, unknown = sorted((expected - given).elements()), sorted((given - expected).elements())
    if missing or unknown:
        parts = [f"lacks {_listed(missing)}"] * bool(missing)
        parts += [f"has the unknown {_listed(unknown)}"] * bool(unknown)
        raise UserError(f"{what} {' and '.join(parts)}. Give the columns of the training rows.")
    if max(expected.values()) > 1:
        twice = sorted(name for name, count in expected.items() if count > 1)
        raise UserError(f"{what} has other columns than the training rows, and {twice} occur twice. Rename them.")
    order = [rows.names.index(name) for name in names]
    mask = None if rows.mask is None else rows.mask[:, order]
    return rows._replace(values=rows.values[:, order], source=rows.source[:, order], names=names, mask=mask)


def _listed(names: list[str]) -> str:
    """List names for a message."""
    return f"{names[:LISTED]}" + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def flat(values: Any) -> np.ndarray:
    """Flatten all axes behind the first.

    Args:
        values: Array [N, ...].

    Returns:
        Array [N, D].
    """
    return values.reshape(len(values), -1)


def stored(values: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Copy rows into the form that the device holds.

    Args:
        values: Rows [N, D] of uint8, float32 or float64.
        offset: Numbers [D] float64 that are subtracted in float64 before the cast. None subtracts nothing.

    Returns:
        Rows [N, D] of uint8 or the widest floating type that JAX keeps of the given one. They share no memory with
        values.
    """
    if offset is None:
        return np.array(values, jax.dtypes.canonicalize_dtype(values.dtype), order="C")
    centred = np.empty(values.shape, jax.dtypes.canonicalize_dtype(np.float64))
    for start in range(0, len(values), CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        centred[chunk] = values[chunk].astype(np.float64) - offset
    return centred
