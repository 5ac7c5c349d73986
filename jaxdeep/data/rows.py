"""Turn feature rows of any origin into numbers, or refuse them with the reason."""

from collections import Counter
from typing import Any, Final, NamedTuple

import jax
import numpy as np

from jaxdeep.data.arrays import as_array, as_numbers, column_names, numbers_of_objects
from jaxdeep.errors import UserError

CHUNK_ROWS: Final = 2_000
"""Rows that are converted at a time, to save memory."""
LISTED: Final = 10
"""Names that a message lists."""


class Rows(NamedTuple):
    """Feature rows as numbers.

    Attributes:
        values: [N, ...], uint8, float32 or float64, in the machine's byte order.
        dtype: type of the rows as they were given, such as "int64".
        source: [N, ...], the array whose bytes identify the rows.
        names: D names of columns, for a data frame.
        mask: [N, ...] booleans, true for a value that is masked. None: no value is.
    """

    values: np.ndarray
    dtype: str
    source: np.ndarray
    names: tuple[str, ...] | None = None
    mask: np.ndarray | None = None

    def taken(self, chosen: slice) -> "Rows":
        """Take some of the rows."""
        mask = None if self.mask is None else self.mask[chosen]
        return self._replace(values=self.values[chosen], source=self.source[chosen], mask=mask)


def as_rows(given: Any, what: str) -> Rows:
    """Turn feature rows of any origin into numbers.

    uint8 stays uint8. Booleans, small floating types and integers up to 2^24 become float32. Other integers and wide
    floating types become float64.

    Args:
        given: [N, ...], as for `as_array`.
        what: name of the argument, for the message.

    Returns:
        The rows.

    Raises:
        UserError: the values are not real numbers, or integers that float64 cannot hold.
    """
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
        rows: [N, D], to be ordered.
        names: D names of the training columns. None: they have no names, and the order stays.
        what: name of the argument, for the message.

    Raises:
        UserError: a column is missing, is unknown, or its name occurs twice.
    """
    if names is None or rows.names is None or rows.names == names:
        return rows
    wanted, found = Counter(names), Counter(rows.names)
    missing, unknown = sorted((wanted - found).elements()), sorted((found - wanted).elements())
    if missing or unknown:
        parts = [f"lacks {_listed(missing)}"] * bool(missing)
        parts += [f"has the unknown {_listed(unknown)}"] * bool(unknown)
        raise UserError(f"{what} {' and '.join(parts)}. Give the columns of the training rows")
    if max(wanted.values()) > 1:
        twice = sorted(name for name, count in wanted.items() if count > 1)
        raise UserError(f"{what} has other columns than the training rows, and {twice} occur twice. Rename them")
    order = [rows.names.index(name) for name in names]
    mask = None if rows.mask is None else rows.mask[:, order]
    return rows._replace(values=rows.values[:, order], source=rows.source[:, order], names=names, mask=mask)


def _listed(names: list[str]) -> str:
    return f"{names[:LISTED]}" + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def flat(values: Any) -> np.ndarray:
    """Flatten what is behind the first axis: [N, ...] -> [N, D]."""
    return values.reshape(len(values), -1)


def stored(values: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Copy rows into what the device holds.

    Args:
        values: [N, D], uint8, float32 or float64.
        offset: [D], float64, subtracted in float64 before the cast. None: nothing is subtracted.

    Returns:
        [N, D], uint8 or the widest floating type that JAX keeps of the given one. It shares no memory with values.
    """
    if offset is None:
        return np.array(values, jax.dtypes.canonicalize_dtype(values.dtype), order="C")
    centred = np.empty(values.shape, jax.dtypes.canonicalize_dtype(np.float64))
    for start in range(0, len(values), CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        centred[chunk] = values[chunk].astype(np.float64) - offset
    return centred
