"""Fields of the configuration that a study varies: over listed values, or within a range."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from jaxdeep.config.fields import plain_field
from jaxdeep.config.parts import PARTS, dotted_name, field_hints
from jaxdeep.config.values import NotPlain, entries, number, shown
from jaxdeep.errors import UserError

OF_THE_STUDY: Final = ("data.scaling", "data.valid_size", "data.train_size", "data.resample", "train.dtype")
"""Fields that all trials share, since the images on the device depend on them."""
DIGITS: Final = 3
"""Number of significant digits of a drawn value. More digits would add nothing but long names."""


class Span(NamedTuple):
    """A range to draw from, uniformly or uniformly in the logarithm.

    Attributes:
        low: Lowest value.
        high: Highest value.
        log: Whether the logarithm is drawn uniformly.
        whole: Whether values are whole numbers.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, rng: np.random.Generator) -> float | int:
        """Draw a value in low .. high.

        Args:
            rng: Generator of random numbers, which advances by one.

        Returns:
            A whole number if `whole` is true, else a number of three significant digits or an end of the range.
        """
        share = rng.random()
        low, high = self.low, self.high + 1 if self.whole else self.high  # the last value is as likely as the others
        value = low ** (1 - share) * high**share if self.log else low + (high - low) * share
        rounded = math.floor(value) if self.whole else float(f"{value:.{DIGITS}g}")
        within = min(max(rounded, self.low), self.high)
        return int(within) if self.whole else within

    def __str__(self) -> str:
        """Return the range as it is given on the command line."""
        return ":".join(str(end).removesuffix(".0") for end in self[:2]) + (":log" if self.log else "")


Grid = Mapping[str, tuple[Any, ...]]
"""Values of each field, by dotted name."""
Space = Mapping[str, Span]
"""Range of each field, by dotted name."""


def plain_grid(grid: Any) -> dict[str, tuple[Any, ...]]:
    """Return the values of each field as plain Python values.

    Args:
        grid: One or more values for each field by dotted name.

    Returns:
        Values of each field by dotted name.

    Raises:
        UserError: A field is unknown or shared by all trials, or its values are missing, repeated or of another type.

    >>> plain_grid({"optim.learning_rate": [1, 1e-2], "model.units": [[8, 8], [16]]})
    {'optim.learning_rate': (1.0, 0.01), 'model.units': ((8, 8), (16,))}
    """
    plain = {}
    for name, values in _items("grid", grid, "several values"):
        name = checked_field("grid", name)
        part, _, field = name.partition(".")
        try:
            given = entries(values)
        except NotPlain:
            raise UserError(f"grid: {name} has {shown(values)}. Give a list of its values.") from None
        plain[name] = tuple(plain_field(part, PARTS[part], field, value) for value in given)
        if not plain[name]:
            raise UserError(f"grid: {name} has no values. Give one or more.")
        if len(set(plain[name])) < len(plain[name]):
            raise UserError(f"grid: {name} has a value twice. Give each value once.")
    return plain


def plain_space(space: Any) -> dict[str, Span]:
    """Return the range of each field.

    Args:
        space: Range of each field by dotted name. It is (low, high), or (low, high, "log") to draw the logarithm
            uniformly.

    Returns:
        Range of each field by dotted name.

    Raises:
        UserError: A field is unknown, shared by all trials or no number, or its range does not rise.

    >>> plain_space({"optim.learning_rate": (1e-5, 1e-2, "log")})["optim.learning_rate"].log
    True
    """
    spans = {}
    for name, ends in _items("space", space, "a range"):
        name = checked_field("space", name)
        if isinstance(ends, Span):
            ends = (ends.low, ends.high, *(["log"] if ends.log else []))
        try:
            low, high, *scale = ends
            spans[name] = checked_span(f"space {name}={low}:{high}", name, number(low), number(high), scale)
        except (NotPlain, TypeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f'space: {name} has {shown(ends)}. Give (low, high) or (low, high, "log").') from None
    return spans


def checked_span(what: str, name: str, low: float, high: float, scale: Sequence[str]) -> Span:
    """Return a range, after a check that it rises and that the field takes its values.

    Args:
        what: Beginning of the message, such as a flag with its value.
        name: Dotted name of the field.
        low: Lowest value.
        high: Highest value.
        scale: Empty, or "log" as its only entry.

    Returns:
        Range to draw from. It holds whole numbers if the field does.

    Raises:
        UserError: The field is no number, or the range does not rise.
    """
    hint = field_hints()[name]
    is_whole = hint in (int, int | None)
    if not is_whole and hint not in (float, float | None, float | tuple[float, ...]):
        raise UserError(f"{what}: {name} is no number. Use --grid {name}=VALUE,VALUE,... instead.")
    log = list(scale) == ["log"]
    if not -math.inf < low < high < math.inf or (scale and not log) or (log and low <= 0):
        raise UserError(
            f"{what} is no range. Give {name}=LOW:HIGH with LOW below HIGH, or =LOW:HIGH:log with LOW above 0."
        )
    if is_whole and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{what}: {name} takes whole numbers. Give them as LOW and HIGH.")
    return Span(float(low), float(high), log, is_whole)


def checked_field(what: str, name: str) -> str:
    """Return the dotted name of a field, after a check that a study can vary it.

    Args:
        what: Beginning of the message, such as a flag with its value.
        name: Dotted name of the field.

    Raises:
        UserError: The field does not exist, or all trials of a study share it.
    """
    name = dotted_name(what, name)
    if name in OF_THE_STUDY:
        raise UserError(f"{what.split()[0]} {name}: all trials of a study share it. Run a command for each value.")
    return name


def hint_of(name: str) -> Any:
    """Return the type hint of a field.

    Args:
        name: Dotted name of an existing field.
    """
    return field_hints()[name]


def _items(what: str, given: Any, of: str) -> list[tuple[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise UserError(f'{what} is {shown(given)}. Give {of} for each field, such as {{"optim.learning_rate": ...}}.')
    return [(str(name), value) for name, value in given.items()]
