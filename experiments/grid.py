"""`--grid`: the members of a study, all combinations of values with all seeds."""

import difflib
import itertools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import tyro

from jaxdeep.config import Config
from jaxdeep.config.config import PARTS, TRACED
from jaxdeep.errors import UserError
from jaxdeep.train.sweep import Member

Grid = Mapping[str, tuple[Any, ...]]
OF_THE_STUDY: Final = ("data.scaling", "data.valid_size", "data.train_size", "train.dtype")
"""Fields that all members share, as they share the images on the device."""


def parse_grid(given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read FIELD=VALUE,VALUE,... as field -> typed values; a value of several numbers has spaces between them.

    Raises:
        UserError: a field that there is not, that members share, that is given twice, or a value given twice.

    >>> parse_grid(["optim.learning_rate=1e-3,1e-2", "model.units=8 8,16"])
    {'optim.learning_rate': (0.001, 0.01), 'model.units': ((8, 8), (16,))}
    """
    hints = {f"{part}.{name}": hint for part, of in PARTS.items() for name, hint in typing.get_type_hints(of).items()}
    grid: dict[str, tuple[Any, ...]] = {}
    for text in given:
        name, _, values = text.partition("=")
        name = name.replace("-", "_")
        if name not in hints:
            nearest = difflib.get_close_matches(name, hints, n=1)
            raise UserError(
                f"--grid {text}: there is no field {name!r}" + (f"; perhaps {nearest[0]}" if nearest else "")
            )
        if name in OF_THE_STUDY:
            raise UserError(f"--grid {name}: all members of a study share it; allowed: a command for each value")
        if name in grid:
            raise UserError(f"--grid {name} is given twice; allowed: once, with all its values")
        grid[name] = tuple(_value(name, hints[name], value) for value in values.split(","))
        if len(set(grid[name])) < len(grid[name]):
            raise UserError(f"--grid {text}: a value is given twice")
    return grid


def members_of(config: Config, grid: Grid, seeds: Sequence[int]) -> tuple[Member, ...]:
    """Every combination of the grid's values with every seed.

    Raises:
        UserError: a combination is not a configuration.
    """
    found = []
    for combination in itertools.product(*grid.values()):
        values = dict(zip(grid, combination, strict=True))
        member = config
        for name, value in values.items():
            part, _, field = name.partition(".")
            member = replace(member, **{part: replace(getattr(member, part), **{field: value})})
        found += [Member(member, seed, values) for seed in seeds]
    return tuple(found)


def programs_of(members: Sequence[Member], grid: Grid) -> str:
    """How many programs a study compiles, and why more than one."""
    count = len({member.config.static() for member in members})
    runs = f"{len(members)} runs, {count} compiled program{'s' if count > 1 else ''}"
    fixed = [name for name in grid if name not in TRACED]
    return f"{runs}: one for each value of {' and '.join(fixed)}" if count > 1 and fixed else runs


def _value(name: str, hint: Any, text: str) -> Any:
    if hint is bool:
        if text not in ("True", "False"):
            raise UserError(f"--grid {name}={text}; allowed: True, False")
        return text == "True"
    return tyro.cli(hint, args=text.split(), prog=f"--grid {name}")
