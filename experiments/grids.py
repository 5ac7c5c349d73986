"""Cells of a table, which the documents write as Markdown and the report as HTML."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Grid(NamedTuple):
    """A table without its looks.

    Attributes:
        caption: What the table shows.
        columns: Title of each column.
        rows: Cells of each row.
    """

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


Grids = Callable[[Mapping[str, Any]], list[Grid]]
"""Makes the tables of a record."""


def with_half(estimate: Mapping[str, Any]) -> str:
    """Return a mean with half of its 95% interval, from JSON values.

    Args:
        estimate: Values of mean, low and high. The ends are None without an interval.

    >>> with_half({"mean": 0.95, "low": 0.94, "high": 0.96}), with_half({"mean": 0.95, "low": None, "high": None})
    ('0.9500 ± 0.0100', '0.9500')
    """
    half = "" if estimate["low"] is None else f" ± {(estimate['high'] - estimate['low']) / 2:.4f}"
    return f"{estimate['mean']:.4f}{half}"
