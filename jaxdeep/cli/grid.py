"""Readers of `--grid` FIELD=VALUE,VALUE,... and `--space` FIELD=LOW:HIGH."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxdeep.config.words import read_words
from jaxdeep.errors import UserError
from jaxdeep.study.space import Span, checked_field, checked_span, hint_of


def parse_grid(given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read FIELD=VALUE,VALUE,... as field -> typed values.

    A value of several numbers has spaces between them.

    Args:
        given: Text behind each --grid.

    Returns:
        Dotted name of a field -> its values.

    Raises:
        UserError: A field is unknown, shared by all trials or given twice, or a value is given twice.

    >>> parse_grid(["optim.learning_rate=1e-3,1e-2", "model.units=8 8,16"])
    {'optim.learning_rate': (0.001, 0.01), 'model.units': ((8, 8), (16,))}
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for text in given:
        name, values = _field("--grid", text, grid)
        grid[name] = tuple(read_words(name, hint_of(name), value.split()) for value in values.split(","))
        if len(set(grid[name])) < len(grid[name]):
            raise UserError(f"--grid {text}: a value is given twice. Give each value once.")
    return grid


def parse_space(given: Sequence[str]) -> dict[str, Span]:
    """Read FIELD=LOW:HIGH and FIELD=LOW:HIGH:log as field -> range.

    The first is drawn uniformly, the second uniformly in the logarithm.

    Args:
        given: Text behind each --space.

    Returns:
        Dotted name of a field -> its range.

    Raises:
        UserError: A field is unknown, shared by all trials, given twice or no number, or LOW is not below HIGH.

    >>> parse_space(["optim.learning_rate=1e-5:1e-2:log"])["optim.learning_rate"].low
    1e-05
    """
    space: dict[str, Span] = {}
    for text in given:
        name, values = _field("--space", text, space)
        low, high, *scale = values.split(":") if values.count(":") in (1, 2) else ("", "")
        try:
            ends = float(low), float(high)
        except ValueError:
            ends = math.nan, math.nan
        space[name] = checked_span(f"--space {text}", name, *ends, scale)
    return space


def _field(flag: str, text: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Return a field's name, and the text behind the equals sign."""
    name, _, values = text.partition("=")
    name = checked_field(f"{flag} {text}", name)
    if name in known:
        raise UserError(f"{flag} {name} is given twice. Give it once, with all its values.")
    return name, values
