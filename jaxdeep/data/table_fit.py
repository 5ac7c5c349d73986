"""Learn a table's columns from its training rows, or refuse a column by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from jaxdeep.data.table_columns import Kind, Numbers, TableColumn, TableColumns, numbers_of, texts_of
from jaxdeep.data.tables import Table
from jaxdeep.errors import UserError

QUANTILES: Final = 256
"""Largest number of training values that map a number to normal quantiles."""
BINS: Final = 16
"""Largest number of bins of a number."""
FEWEST_IN_A_BIN: Final = 10
"""Training values in a bin, on average."""
MOST_VALUES: Final = 100
"""Largest number of a category's values that have a feature of their own."""
FREQUENT: Final = (2, 1 / 200, 20)
"""Rows that make a value frequent: this share of the training rows, within these bounds."""
FEW_VALUES: Final = 20
"""Number of values that a column of text may have, however few rows there are."""


def fitted(table: Table, names: Sequence[str], train: np.ndarray, numbers: Numbers) -> TableColumns:
    """Learn the columns of a table.

    Args:
        table: Table of N rows.
        names: Names of the columns that are features.
        train: Indices of the training rows.
        numbers: How numbers enter. `Dataset.from_table` describes it.

    Returns:
        The columns in the order of `names`.

    Raises:
        UserError: A column is text, dates, nested, or has no value in the training rows. Or there is no column.
    """
    if not names:
        raise UserError(f"{table.what} has no column that can be a feature. Give one or more beside the target.")
    return TableColumns(tuple(_fitted(table, name, train, numbers) for name in names))


def kind_of(table: Table, name: str) -> Kind:
    """Return the kind of a column by its type.

    Args:
        table: Table that has the column.
        name: Name of the column.

    Raises:
        UserError: The type is no feature, such as a date.
    """
    from pyarrow import types

    if table.is_categorical(name):
        return "category"
    of = table.column(name).type
    if types.is_boolean(of):
        return "boolean"
    if types.is_integer(of) or types.is_floating(of) or types.is_decimal(of):
        return "number"
    if types.is_string(of) or types.is_large_string(of) or types.is_string_view(of):
        return "category"
    raise _refused(name, _reason(of))


def _fitted(table: Table, name: str, train: np.ndarray, numbers: Numbers) -> TableColumn:
    """Return what a column's training rows teach."""
    kind = kind_of(table, name)
    if kind == "category":
        return _category(table, name, train)
    values = numbers_of(table, name)[train]
    known = values[~np.isnan(values)]
    if not known.size:
        raise _refused(name, "without a value in the training rows")
    column = TableColumn(name, kind, float(np.median(known)), known.size < values.size)
    if kind != "number" or numbers == "standardize":
        return column
    bins = min(BINS, max(known.size // FEWEST_IN_A_BIN, 1))
    count = min(QUANTILES, known.size) if numbers == "quantile" else bins + 1
    # values that occur, since interpolated ones would split ties by their rounding
    scores = np.quantile(known, np.linspace(0, 1, count), method="nearest")
    if numbers == "quantile":
        return replace(column, quantiles=tuple(scores.tolist()) if count > 1 else ())
    edges = np.unique(scores)
    return replace(column, edges=tuple(edges.tolist()) if len(edges) > 1 else ())


def _category(table: Table, name: str, train: np.ndarray) -> TableColumn:
    """Return the frequent values of a category. A column of text, whose values mostly differ, is refused."""
    texts = texts_of(table, name).take(train).drop_null()
    counted = texts.value_counts()
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy()
    is_text = len(values) > FEW_VALUES and 2 * len(values) > len(texts)
    if is_text and not table.is_categorical(name):
        raise _refused(name, f"text, with {len(values):,} different values in {len(texts):,} training rows")
    least, share, most = FREQUENT
    needed = np.clip(share * len(train), least, most)
    ranked = sorted(zip(values, counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    kept = [value for value, count in ranked if count >= needed][:MOST_VALUES]
    if not kept:
        raise _refused(name, "without a frequent value in the training rows")
    rows = dict(ranked)
    has_other = sum(rows[value] for value in kept) < len(train)
    return TableColumn(name, "category", values=tuple(sorted(kept)), has_other=has_other)


def _reason(of: Any) -> str:
    """Return in words why a type is no feature."""
    from pyarrow import types

    if types.is_temporal(of):
        return f"dates or times ({of})"
    if types.is_nested(of):
        return f"nested ({of})"
    return "empty" if types.is_null(of) else f"{of}"


def _refused(name: str, reason: str) -> UserError:
    return UserError(
        f"the column {name!r} is {reason}, and no feature is made of it. Leave it out by drop=({name!r},) or "
        f"--drop {name}, or give numbers in its place."
    )
