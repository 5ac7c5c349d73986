"""The trials of a command: all candidates of a grid or of random samples, with all seeds and folds."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from jaxdeep.config import Config, Static, Trained, short
from jaxdeep.config.config import TRACED
from jaxdeep.config.made import plain
from jaxdeep.config.seeds import LARGEST_SEED, plain_seed, plain_seeds
from jaxdeep.config.words import words_of
from jaxdeep.errors import UserError
from jaxdeep.study.brackets import Bracket, hyperband, successive_halving
from jaxdeep.study.space import Grid, Space
from jaxdeep.study.trial import Trial

Halving = Literal["successive", "hyperband"]
Values = Mapping[str, Any]
EPOCHS: Final = "train.epochs"
LARGEST_STUDY: Final = 100_000
"""Largest number of runs in a study. More would fill the memory before the first run is trained."""
DRAWS: Final = 100
"""Number of draws for each requested candidate before a space counts as too small."""


@dataclass(frozen=True)
class Design:
    """The trials of a command without their base configuration.

    Attributes:
        seeds: S seeds in 0 .. 2^32 - 1.
        grid: Values of each field by dotted name. All combinations are candidates. With samples, each sample draws one
            of the values.
        space: Range to draw from for each field, by dotted name.
        samples: Number of candidates to draw. None takes the whole grid, or the number that Hyperband needs.
        folds: Number of folds of a cross-validation, 2 or more. None keeps the validation rows.
        halving: How the search drops candidates. None trains all candidates to the end.
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
            raise UserError(f"{', '.join(both)}: in --grid and in --space. Give it in one of them.")
        if self.halving is not None and not self.varied:
            raise UserError(f"--halving {self.halving} needs candidates. Add --grid or --space.")
        if self.halving is not None and EPOCHS in self.varied:
            raise UserError(f"{EPOCHS}: --halving {self.halving} decides it for each candidate. Give one value.")
        if self.samples is not None and (self.samples < 1 or not self.space):
            raise UserError(f"--samples is {self.samples}. Give 1 or more, with --space.")
        if self.space and (self.samples is None) != (self.halving == "hyperband"):
            given = "not given" if self.samples is None else self.samples
            raise UserError(
                f"--samples is {given}. Give the number of candidates with --space, and nothing with "
                "--halving hyperband, which decides it."
            )
        if self.folds is not None and self.folds < 2:
            raise UserError(f"--folds is {self.folds}. Give 2 or more.")

    @property
    def varied(self) -> tuple[str, ...]:
        """Return the dotted names of the fields in which the candidates differ."""
        return (*self.grid, *self.space)

    def trials(self, config: Config) -> tuple[Trial, ...]:
        """Return every candidate with every seed and fold.

        Args:
            config: Configuration whose fields the candidates vary.

        Returns:
            All trials, ordered by candidate, seed and fold.

        Raises:
            UserError: A candidate is no configuration, the space has too few, or the study has over LARGEST_STUDY runs.
        """
        runs = self._most_candidates(config) * len(self.seeds) * (self.folds or 1)
        if runs > LARGEST_STUDY:
            raise UserError(
                f"a study of {runs:,} runs (candidates x seeds x folds) is too large. Give {LARGEST_STUDY:,} at most."
            )
        unique = {_key(candidate): candidate for candidates in self._candidates(config) for candidate in candidates}
        folds = (None,) if self.folds is None else range(self.folds)
        return tuple(
            Trial(config.updated(candidate), seed, dict(candidate), fold)
            for candidate in unique.values()
            for seed in self.seeds
            for fold in folds
        )

    def brackets(self, config: Config) -> tuple[Bracket, ...]:
        """Return the brackets of the search. They are empty if all candidates are trained to the end.

        Args:
            config: Configuration whose fields the candidates vary.

        Returns:
            One bracket for successive halving, several for Hyperband.

        Raises:
            UserError: The space has too few candidates.
        """
        if self.halving is None:
            return ()
        candidates = [
            tuple(Trial(config.updated(candidate), 0, dict(candidate)).candidate for candidate in part)
            for part in self._candidates(config)
        ]
        epochs = config.train.epochs
        rungs = hyperband(epochs) if self.halving == "hyperband" else (successive_halving(len(candidates[0]), epochs),)
        return tuple(itertools.starmap(Bracket, zip(candidates, rungs, strict=True)))

    def identity(self) -> dict[str, Any]:
        """Return the values that two commands must share to be the same study. Values that are not given are left out.

        Returns:
            Seeds, grid, space, samples, folds and halving as JSON values.
        """
        grid = {name: plain(values) for name, values in self.grid.items()}
        space = {name: str(span) for name, span in self.space.items()}
        numbers = {"samples": self.samples, "folds": self.folds, "halving": self.halving}
        given = {"grid": grid, "space": space, **numbers}
        return {"seeds": list(self.seeds)} | {name: value for name, value in given.items() if value}

    def parts_of_name(self, *, grows: bool = True) -> list[str]:
        """Return the parts of the study's folder name that describe the design.

        A study grows by seeds in its folder. The number of seeds is in the name only for studies that cannot grow.

        Args:
            grows: Whether the folder's content can grow. A search by halving never can.
        """
        parts = [f"{name}={'_'.join(map(short, values))}" for name, values in self.grid.items()]
        parts += [f"{name}={str(span).replace(':', '-')}" for name, span in self.space.items()]
        parts += [f"{name}={value}" for name in ("samples", "folds", "halving") if (value := getattr(self, name))]
        parts += [f"seed={self.seeds[0]}"] if self.seeds[0] != 42 else []
        return parts + ([f"seeds={len(self.seeds)}"] if len(self.seeds) > 1 and (self.halving or not grows) else [])

    def old_parts_of_name(self) -> list[str]:
        """Return the parts of the folder name that version 0.1 used."""
        parts = [f"{name}={'|'.join(map(short, values))}" for name, values in self.grid.items()]
        parts += [f"{name}={span}" for name, span in self.space.items()]
        parts += [f"{name}={value}" for name in ("samples", "folds", "halving") if (value := getattr(self, name))]
        parts += [f"seed={self.seeds[0]}"] if self.seeds[0] != 42 else []
        return parts + ([f"seeds={len(self.seeds)}"] if len(self.seeds) > 1 else [])

    def words(self) -> list[str]:
        """Return the command line flags of the design."""
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
        """Return the largest possible number of candidates, before any is made."""
        if self.samples is not None:
            return self.samples
        if self.space:
            return sum(rungs[0].candidates for rungs in hyperband(config.train.epochs))
        return math.prod(map(len, self.grid.values()))

    def _candidates(self, config: Config) -> Sequence[Sequence[Values]]:
        """Return the candidates of each bracket. There is one group if there are no brackets."""
        rng = np.random.default_rng(self.seeds[0])
        combinations = [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]
        if self.halving != "hyperband":
            return [
                combinations
                if self.samples is None
                else list(itertools.islice(self._drawn(rng, self.samples), self.samples))
            ]
        counts = [rungs[0].candidates for rungs in hyperband(config.train.epochs)]
        if self.space:
            drawn = self._drawn(rng, sum(counts))
            return [list(itertools.islice(drawn, count)) for count in counts]
        names = sorted(self.grid)  # as in `_drawn`
        combinations.sort(key=lambda candidate: [self.grid[name].index(candidate[name]) for name in names])
        chosen = [rng.permutation(len(combinations))[:count] for count in counts]
        return [[combinations[index] for index in sorted(indices)] for indices in chosen]

    def _drawn(self, rng: np.random.Generator, count: int) -> Iterator[Values]:
        """Draw distinct random candidates. They do not depend on the order of the fields."""

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
        raise UserError(
            f"--space has {len(seen)} candidates at three digits, and {count} are requested. Widen a range, or request "
            "fewer."
        )


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """Return consecutive seeds.

    Args:
        first: Value of --seed in 0 .. 2^32 - 1.
        count: Value of --seeds, 1 or more.

    Returns:
        The seeds first, first + 1 and so on, `count` in all.

    Raises:
        UserError: The first or last seed is out of range, or there are more than a study takes.
    """
    plain_seed(first, "--seed")
    if count > LARGEST_STUDY:
        raise UserError(f"--seeds is {count}. Give {LARGEST_STUDY:,} at most.")
    if first + count - 1 > LARGEST_SEED:
        raise UserError(
            f"--seed {first} --seeds {count} ends at {first + count - 1}. Give a last seed of {LARGEST_SEED} at most."
        )
    return tuple(range(first, first + count))


def programs_of(trials: Sequence[Trial], varied: Sequence[str]) -> str:
    """Return the numbers of runs and of compiled programs in words, and why there are several programs.

    Args:
        trials: All trials of a study.
        varied: Dotted names of the fields in which the candidates differ.

    Returns:
        Words such as "4 runs, 1 compiled program".
    """
    count = len({static for config in {trial.config for trial in trials} for static in _statics(config)})
    runs = f"{len(trials)} runs, {count} compiled program{'s' if count > 1 else ''}"
    fixed = [name for name in varied if name not in TRACED]
    return f"{runs}: one for each value of {' and '.join(fixed)}" if count > 1 and fixed else runs


def _statics(config: Config) -> Iterator[Static]:
    """Yield what the programs of each phase of a configuration are compiled for."""
    transfer = config.transfer
    slowed = (transfer.layers or 0) if transfer.rate_factor != 1 else 0
    for phase in transfer.phases(config.train.epochs):
        yield config.static(Trained(phase.frozen, slowed=slowed))


def _key(candidate: Values) -> tuple[Any, ...]:
    return tuple(candidate.values())
