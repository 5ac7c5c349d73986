"""A command line, read.

The flags are the fields of `Config`, by tyro; `--config` is read first and gives their defaults.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxdeep.cli.grid import parse_grid, parse_space
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.run.uncertainty import UncertaintyRequest as Asked
from jaxdeep.study.design import Design, Halving, seeds_from

SEEDS_OF_RANGE_TEST = 5


@dataclass(frozen=True)
class Command:
    """A command, read."""

    name: str
    config: Config
    design: Design
    data: str
    data_dir: Path | None
    workdir: Path | None
    overwrite: bool
    profile: bool
    summary: bool
    find_lr: bool
    asked: Asked
    strict: bool = False


def parse_compared(experiment: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str]) -> list[Command]:
    """Read a command line with `--compare` as one for each of its configurations; none without it.

    Args:
        experiment: as of `parse`.
        dataset: as of `parse`.
        recipes: as of `parse`.
        argv: as of `parse`.

    Raises:
        UserError: as `parse`; fewer than two configurations, the same twice, or `--config` beside them.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--compare", nargs="*", default=None)
    names = first.parse_known_args(argv)[0].compare
    if names is None:
        return []
    if len(set(names)) < max(len(names), 2):
        raise UserError(f"--compare {' '.join(names)}; allowed: two or more configurations, each once")
    if any(word.partition("=")[0] == "--config" for word in argv):
        raise UserError("--config is given with --compare; allowed: one of them")
    known = [name if name in recipes else next(iter(recipes)) for name in names]  # another one is refused by tyro
    return [parse(experiment, dataset, recipes, [*argv, "--config", name]) for name in known]


def parse(experiment: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str]) -> Command:
    """Read an experiment's command line; tyro ends the process where it cannot be read.

    Args:
        experiment: its name.
        dataset: the name of its images.
        recipes: its configurations by name.
        argv: command.

    Raises:
        UserError: a value is out of its range.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", default=None)
    named = first.parse_known_args(argv)[0].config
    defaults = recipes[named].config if named in recipes else next(iter(recipes.values())).config
    names = tyro.extras.literal_type_from_choices(list(recipes))
    sources = tyro.extras.literal_type_from_choices(["auto", dataset, "synthetic"])

    def command(
        config: names,  # pyright: ignore[reportInvalidTypeForm]
        settings: Annotated[Config, tyro.conf.arg(name="")] = defaults,
        seed: int = 42,
        seeds: int | None = None,
        data: sources = "auto",  # pyright: ignore[reportInvalidTypeForm]
        data_dir: Path | None = None,
        workdir: Path | None = None,
        overwrite: bool = False,
        profile: bool = False,
        summary: bool = False,
        find_lr: bool = False,
        grid: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
        space: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
        samples: int | None = None,
        halving: Halving | None = None,
        folds: int | None = None,
        mc_samples: int | None = None,
        ensemble: bool = False,
        strict: bool = False,
        compare: tuple[names, ...] = (),  # pyright: ignore[reportInvalidTypeForm]
        list: bool = False,
    ) -> Command:
        """Train one of the chapter's networks; the same command again continues what was interrupted.

        Args:
            config: which one; its values are the defaults of the flags below.
            settings: the run.
            seed: the first seed.
            seeds: how many: seed, seed + 1, ...; None: 1, and 5 with --find-lr and --compare.
            data: auto: the real images, and the built-in synthetic set where they cannot be had.
            data_dir: folder with the classic files, the only place looked in. Without it JAXDEEP_DATA comes first.
            workdir: folder of the run; by default runs/EXPERIMENT/CONFIG and what else was changed.
            overwrite: remove another run's files from the folder first.
            profile: trace the second epoch into the folder's profile/, for Perfetto or TensorBoard.
            summary: print the network's layers, shapes and parameter counts, and train nothing.
            find_lr: raise the learning rate from 1e-5 to 10 within an epoch, and plot and suggest; train nothing.
            grid: such as optim.learning_rate=1e-4,1e-3: all combinations, each with all seeds, are one study.
            space: such as optim.learning_rate=1e-5:1e-2:log, to draw points from (fields of --grid draw a value).
            samples: how many points to draw.
            halving: many points train for few epochs, few of them for all; hyperband does it several times.
            folds: of stratified cross-validation on the training and validation images together.
            mc_samples: what the trained networks do not know, by so many passes with dropout on; and whether it helps.
            ensemble: likewise, by the networks of all seeds as one predictor.
            strict: refuse, before anything is trained, what is else a warning about the configuration or its images.
            compare: in place of --config: two or more, each a study with the same seeds, compared in pairs.
            list: print the configurations.
        """
        several = SEEDS_OF_RANGE_TEST if find_lr or compare else 1
        count = several if seeds is None else seeds
        if count < 1:
            raise UserError(f"--seeds is {count}; allowed: 1 or more")
        if summary and find_lr:
            raise UserError("--summary and --find-lr are both given; allowed: one of them")
        if strict and (summary or find_lr):
            raise UserError("--strict has no effect with --summary or --find-lr, which train nothing. Remove it.")
        seeds_ = seeds_from(seed, count)
        design = Design(seeds_, parse_grid(grid), parse_space(space), samples, folds, halving)
        if (design.varied or folds) and (find_lr or summary):
            raise UserError("--grid, --space or --folds with --find-lr or --summary, which are of one configuration")
        if compare and (design.varied or find_lr or summary or workdir):
            raise UserError("--compare is given with --grid, --space, --find-lr, --summary or --workdir; allowed: none")
        if compare and count < 2:
            raise UserError(f"--seeds is {count}; allowed: 2 or more with --compare")
        asked = Asked(mc_samples, ensemble)
        if asked and (design.varied or folds or compare or find_lr or summary):
            raise UserError(
                "--mc-samples or --ensemble with --grid, --space, --folds, --compare, --find-lr or --summary; "
                "allowed: none of them, the seeds of one configuration"
            )
        design.trials(settings)  # which finds what cannot be combined
        places = (_expanded(data_dir), _expanded(workdir))
        return Command(config, settings, design, data, *places, overwrite, profile, summary, find_lr, asked, strict)

    program = f"python -m experiments.{experiment}"
    return tyro.cli(command, prog=program, args=argv, config=(tyro.conf.FlagCreatePairsOff,))


def _expanded(path: Path | None) -> Path | None:
    """A path with ~ as the user's home; a name that is nobody's home stays as it is."""
    return None if path is None else Path(os.path.expanduser(path))
