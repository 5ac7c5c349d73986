"""`--grid` and `--space`: which fields of the configuration a study varies, over which values."""

import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import tyro

from jaxdeep.config.config import PARTS
from jaxdeep.errors import UserError

OF_THE_STUDY: Final = ("data.scaling", "data.valid_size", "data.train_size", "train.dtype")
"""Fields that all trials share, as they share the images on the device."""
DIGITS: Final = 3
"""Significant ones of a value that is drawn: more would tell nothing, and make long names."""


class Span(NamedTuple):
    """A range to draw from: uniformly, or uniformly in the logarithm."""

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, rng: np.random.Generator) -> float | int:
        """A value in the range: its end, or of three digits; a whole number where the field takes these."""
        share = rng.random()
        low, high = self.low, self.high + 1 if self.whole else self.high  # the last one is as likely as the others
        value = low ** (1 - share) * high**share if self.log else low + (high - low) * share
        rounded = math.floor(value) if self.whole else float(f"{value:.{DIGITS}g}")
        within = min(max(rounded, self.low), self.high)
        return int(within) if self.whole else within

    def __str__(self) -> str:
        """As it is given."""
        return ":".join(str(end).removesuffix(".0") for end in self[:2]) + (":log" if self.log else "")


Grid = Mapping[str, tuple[Any, ...]]
Space = Mapping[str, Span]


def parse_grid(given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read FIELD=VALUE,VALUE,... as field -> typed values; a value of several numbers has spaces between them.

    Raises:
        UserError: a field that there is not, that trials share, that is given twice, or a value given twice.

    >>> parse_grid(["optim.learning_rate=1e-3,1e-2", "model.units=8 8,16"])
    {'optim.learning_rate': (0.001, 0.01), 'model.units': ((8, 8), (16,))}
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for text in given:
        name, hint, values = _field("--grid", text, grid)
        grid[name] = tuple(_value(name, hint, value) for value in values.split(","))
        if len(set(grid[name])) < len(grid[name]):
            raise UserError(f"--grid {text}: a value is given twice")
    return grid


def parse_space(given: Sequence[str]) -> dict[str, Span]:
    """Read FIELD=LOW:HIGH, drawn uniformly, and FIELD=LOW:HIGH:log, drawn uniformly in the logarithm.

    Raises:
        UserError: as `parse_grid`; a field that is no number, or a range that is none.

    >>> parse_space(["optim.learning_rate=1e-5:1e-2:log"])["optim.learning_rate"].low
    1e-05
    """
    space: dict[str, Span] = {}
    for text in given:
        name, hint, values = _field("--space", text, space)
        whole = hint in (int, int | None)
        if not whole and hint not in (float, float | None):
            raise UserError(f"--space {text}: {name} is no number; allowed: --grid {name}=VALUE,VALUE,...")
        low, high, *scale = values.split(":") if values.count(":") in (1, 2) else ("", "")
        try:
            span = Span(float(low), float(high), scale == ["log"], whole)
        except ValueError:
            span = Span(math.nan, math.nan, False, False)
        if (
            not -math.inf < span.low < span.high < math.inf
            or scale not in ([], ["log"])
            or (span.log and span.low <= 0)
        ):
            raise UserError(
                f"--space {text}; allowed: {name}=LOW:HIGH with LOW below HIGH, or =LOW:HIGH:log with LOW above 0"
            )
        if whole and not (span.low.is_integer() and span.high.is_integer()):
            raise UserError(f"--space {text}: {name} takes whole numbers; allowed: these as LOW and HIGH")
        space[name] = span
    return space


def _field(flag: str, text: str, known: Mapping[str, Any]) -> tuple[str, Any, str]:
    """A field's name, its type, and what stands behind the equals sign."""
    hints = {f"{part}.{name}": hint for part, of in PARTS.items() for name, hint in typing.get_type_hints(of).items()}
    name, _, values = text.partition("=")
    name = name.replace("-", "_")
    if name not in hints:
        nearest = difflib.get_close_matches(name, hints, n=1)
        raise UserError(f"{flag} {text}: there is no field {name!r}" + (f"; perhaps {nearest[0]}" if nearest else ""))
    if name in OF_THE_STUDY:
        raise UserError(f"{flag} {name}: all trials of a study share it; allowed: a command for each value")
    if name in known:
        raise UserError(f"{flag} {name} is given twice; allowed: once, with all its values")
    return name, hints[name], values


def _value(name: str, hint: Any, text: str) -> Any:
    if hint is bool:
        if text not in ("True", "False"):
            raise UserError(f"--grid {name}={text}; allowed: True, False")
        return text == "True"
    return tyro.cli(hint, args=text.split(), prog=f"--grid {name}")
