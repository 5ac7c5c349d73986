"""What a command runs: all candidates of a grid or of random samples, with all seeds and folds, whole or by halving."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from jaxdeep.config import Config, short
from jaxdeep.config.config import TRACED, plain
from jaxdeep.config.seeds import LARGEST_SEED, plain_seed, plain_seeds
from jaxdeep.config.words import words_of
from jaxdeep.errors import UserError
from jaxdeep.study.halving import Bracket, hyperband, successive_halving
from jaxdeep.study.space import Grid, Space
from jaxdeep.study.trial import Trial

Halving = Literal["successive", "hyperband"]
Values = Mapping[str, Any]
EPOCHS: Final = "train.epochs"
LARGEST_STUDY: Final = 100_000
"""Runs of a study at most: more would fill the memory before the first one is trained."""
DRAWS: Final = 100
"""For each candidate that is asked for, before a space counts as too small for them."""


@dataclass(frozen=True)
class Design:
    """The trials of a command, but for their configuration.

    Attributes:
        seeds: S of them.
        grid: field -> values: all combinations; with samples, each draws one of the values.
        space: field -> range to draw from.
        samples: candidates to draw; None: all of the grid, or as many as Hyperband wants.
        folds: of cross-validation; None: the validation rows are as they are.
        halving: how the search drops candidates; None: it does not.
    """

    seeds: tuple[int, ...]
    grid: Grid = field(default_factory=dict)
    space: Space = field(default_factory=dict)
    samples: int | None = None
    folds: int | None = None
    halving: Halving | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", plain_seeds(self.seeds, "--seed"))
        if both := sorted(self.grid.keys() & self.space.keys()):
            raise UserError(f"{', '.join(both)}: in --grid and in --space; allowed: one of them")
        if self.halving is not None and not self.varied:
            raise UserError(f"--halving {self.halving} needs candidates: --grid, or --space")
        if self.halving is not None and EPOCHS in self.varied:
            raise UserError(f"{EPOCHS}: --halving {self.halving} decides it for each candidate. Give one value.")
        if self.samples is not None and (self.samples < 1 or not self.space):
            raise UserError(f"--samples is {self.samples}; allowed: 1 or more, with --space")
        if self.space and (self.samples is None) != (self.halving == "hyperband"):
            given = "not given" if self.samples is None else self.samples
            raise UserError(
                f"--samples is {given}. Give the number of candidates with --space, and nothing with "
                "--halving hyperband, which decides it."
            )
        if self.folds is not None and self.folds < 2:
            raise UserError(f"--folds is {self.folds}; allowed: 2 or more")

    @property
    def varied(self) -> tuple[str, ...]:
        """The fields that its candidates differ in."""
        return (*self.grid, *self.space)

    def trials(self, config: Config) -> tuple[Trial, ...]:
        """Every candidate with every seed and fold.

        Args:
            config: what the candidates vary.

        Raises:
            UserError: A candidate is no configuration, the space has too few, or the study has over LARGEST_STUDY runs.
        """
        runs = self._most_candidates(config) * len(self.seeds) * (self.folds or 1)
        if runs > LARGEST_STUDY:
            raise UserError(f"a study of {runs:,} runs: candidates x seeds x folds; allowed: {LARGEST_STUDY:,} at most")
        unique = {_key(candidate): candidate for candidates in self._candidates(config) for candidate in candidates}
        folds = (None,) if self.folds is None else range(self.folds)
        return tuple(
            Trial(_varied(config, candidate), seed, dict(candidate), fold)
            for candidate in unique.values()
            for seed in self.seeds
            for fold in folds
        )

    def brackets(self, config: Config) -> tuple[Bracket, ...]:
        """The rounds of its search; none where all candidates are trained whole."""
        if self.halving is None:
            return ()
        candidates = [
            tuple(Trial(_varied(config, candidate), 0, dict(candidate)).candidate for candidate in part)
            for part in self._candidates(config)
        ]
        epochs = config.train.epochs
        rungs = hyperband(epochs) if self.halving == "hyperband" else (successive_halving(len(candidates[0]), epochs),)
        return tuple(itertools.starmap(Bracket, zip(candidates, rungs, strict=True)))

    def identity(self) -> dict[str, Any]:
        """What two commands must share to be the same study, as JSON values; what is not given is left out."""
        grid = {name: plain(values) for name, values in self.grid.items()}
        space = {name: str(span) for name, span in self.space.items()}
        others = {"samples": self.samples, "folds": self.folds, "halving": self.halving}
        given = {"grid": grid, "space": space, **others}
        return {"seeds": list(self.seeds)} | {name: value for name, value in given.items() if value}

    def parts_of_name(self, *, grows: bool = True) -> list[str]:
        """Return what the name of its folder says of it.

        A study grows by seeds in its folder, so their number is no part of the name, but for what cannot grow.

        Args:
            grows: whether what is kept in the folder can grow. A search by halving never can.
        """
        parts = [f"{name}={'_'.join(map(short, values))}" for name, values in self.grid.items()]
        parts += [f"{name}={str(span).replace(':', '-')}" for name, span in self.space.items()]
        parts += [f"{name}={value}" for name in ("samples", "folds", "halving") if (value := getattr(self, name))]
        parts += [f"seed={self.seeds[0]}"] if self.seeds[0] != 42 else []
        return parts + ([f"seeds={len(self.seeds)}"] if len(self.seeds) > 1 and (self.halving or not grows) else [])

    def old_parts_of_name(self) -> list[str]:
        """Return what version 0.1 said of it in the name of its folder."""
        parts = [f"{name}={'|'.join(map(short, values))}" for name, values in self.grid.items()]
        parts += [f"{name}={span}" for name, span in self.space.items()]
        parts += [f"{name}={value}" for name in ("samples", "folds", "halving") if (value := getattr(self, name))]
        parts += [f"seed={self.seeds[0]}"] if self.seeds[0] != 42 else []
        return parts + ([f"seeds={len(self.seeds)}"] if len(self.seeds) > 1 else [])

    def words(self) -> list[str]:
        """The flags that ask for it."""
        words = []
        for name, values in self.grid.items():
            words += ["--grid", f"{name}={','.join(' '.join(words_of(value)) for value in values)}"]
        for name, span in self.space.items():
            words += ["--space", f"{name}={span}"]
        for name in ("samples", "folds", "halving"):
            words += [f"--{name}", str(value)] if (value := getattr(self, name)) else []
        words += ["--seed", str(self.seeds[0])] if self.seeds[0] != 42 else []
        return words + (["--seeds", str(len(self.seeds))] if len(self.seeds) > 1 else [])

    def _most_candidates(self, config: Config) -> int:
        """How many candidates there are at most, before any is made."""
        if self.samples is not None:
            return self.samples
        if self.space:
            return sum(rungs[0].candidates for rungs in hyperband(config.train.epochs))
        return math.prod(map(len, self.grid.values()))

    def _candidates(self, config: Config) -> Sequence[Sequence[Values]]:
        """The candidates of each bracket; of one, where there are none."""
        rng = np.random.default_rng(self.seeds[0])
        of_grid = [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]
        if self.halving != "hyperband":
            return [
                of_grid
                if self.samples is None
                else list(itertools.islice(self._drawn(rng, self.samples), self.samples))
            ]
        counts = [rungs[0].candidates for rungs in hyperband(config.train.epochs)]
        if self.space:
            drawn = self._drawn(rng, sum(counts))
            return [list(itertools.islice(drawn, count)) for count in counts]
        names = sorted(self.grid)  # as in `_drawn`
        of_grid.sort(key=lambda candidate: [self.grid[name].index(candidate[name]) for name in names])
        chosen = [rng.permutation(len(of_grid))[:count] for count in counts]
        return [[of_grid[index] for index in sorted(of_bracket)] for of_bracket in chosen]

    def _drawn(self, rng: np.random.Generator, count: int) -> Iterator[Values]:
        """Random candidates, no two alike; the same ones in whatever order the fields are given."""

        def draw(name: str) -> Any:
            if name in self.space:
                return self.space[name].draw(rng)
            return self.grid[name][rng.integers(len(self.grid[name]))]

        seen = set()
        for _ in range(DRAWS * count):
            drawn = {name: draw(name) for name in sorted(self.varied)}
            candidate = {name: drawn[name] for name in self.varied}
            if _key(candidate) not in seen:
                seen.add(_key(candidate))
                yield candidate
        raise UserError(f"--space has {len(seen)} candidates at three digits; {count} are asked for")


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """Return `count` seeds: first, first + 1, ...

    Args:
        first: the value of --seed, in 0 .. 2^32 - 1.
        count: the value of --seeds, 1 or more.

    Raises:
        UserError: the first or the last seed is out of its range, or there are more than a study takes.
    """
    plain_seed(first, "--seed")
    if count > LARGEST_STUDY:
        raise UserError(f"--seeds is {count}; allowed: {LARGEST_STUDY:,} at most")
    if first + count - 1 > LARGEST_SEED:
        raise UserError(f"--seed {first} --seeds {count} ends at {first + count - 1}; allowed: {LARGEST_SEED} at most")
    return tuple(range(first, first + count))


def programs_of(trials: Sequence[Trial], varied: Sequence[str]) -> str:
    """How many programs a study compiles, and why more than one.

    Args:
        trials: of the study.
        varied: the fields that its candidates differ in.
    """
    count = len({trial.config.static() for trial in trials})
    runs = f"{len(trials)} runs, {count} compiled program{'s' if count > 1 else ''}"
    fixed = [name for name in varied if name not in TRACED]
    return f"{runs}: one for each value of {' and '.join(fixed)}" if count > 1 and fixed else runs


def _varied(config: Config, candidate: Values) -> Config:
    for name, value in candidate.items():
        part, _, of_part = name.partition(".")
        config = replace(config, **{part: replace(getattr(config, part), **{of_part: value})})
    return config


def _key(candidate: Values) -> tuple[Any, ...]:
    return tuple(candidate.values())
