"""Flags of a command, and the reader of a command line."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

import tyro

from jaxdeep.cli.budget import budget_of, check_tune
from jaxdeep.cli.flags import Flag, flags_of, read_flags
from jaxdeep.cli.grid import parse_grid, parse_space
from jaxdeep.cli.processes import check_processes
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.table_flags import FLAGS
from jaxdeep.config import Config
from jaxdeep.config.parts import ALIASES
from jaxdeep.config.values import shown
from jaxdeep.config.words import perhaps
from jaxdeep.errors import UserError
from jaxdeep.run.uncertainty import UncertaintyRequest
from jaxdeep.study.budget import Budget
from jaxdeep.study.design import Design, Halving, seeds_from

SEEDS_OF_RANGE_TEST: Final = 5
OF_IMAGES: Final = ("name", "compare", "list", "data", "data_dir")
"""Fields that are flags of an experiment only. A user's own file has one configuration and is its own data."""

Repeatable = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclass(frozen=True)
class Command:
    """A command. Each field is a flag, except `config`, whose fields are flags of their own."""

    name: Annotated[str, tyro.conf.arg(name="config")] = ""
    """The configuration to train. Its values are the defaults of all other flags."""
    config: Annotated[Config, tyro.conf.arg(name="")] = Config()  # noqa: RUF009 (frozen)
    """What is trained."""
    list: bool = False
    """Print the configurations."""
    seed: int = 42
    """The first seed."""
    seeds: int | None = None
    """Number of seeds: seed, seed + 1, ... None: 1, or 5 with --find-lr, --compare and --tune."""
    data: str = "auto"
    """Where the images come from. auto: the real ones, or the built-in synthetic set where they cannot be had."""
    data_dir: Path | None = None
    """Folder with the classic files, the only place looked in. Without it JAXDEEP_DATA comes first."""
    workdir: Path | None = None
    """Folder for the results. Without it, runs/ and a name that says what was changed."""
    overwrite: bool = False
    """Remove another run's files from the folder first."""
    help: bool = False
    """Print the flags, with the defaults of the chosen configuration."""
    help_all: bool = False
    """Print all flags, with the flags of the network, its optimizer and its data."""
    grid: Repeatable = ()
    """FIELD=VALUE,VALUE,...: train all combinations, each with all seeds. Repeatable: --grid lr=1e-4,1e-3."""
    space: Repeatable = ()
    """FIELD=LOW:HIGH or FIELD=LOW:HIGH:log: draw candidates from a range. Repeatable: --space lr=1e-5:1e-2:log."""
    samples: int | None = None
    """Number of candidates to draw from --space. Fields of --grid draw one of their values."""
    halving: Halving | None = None
    """Train many candidates for few epochs and promote the best. hyperband does so several times."""
    folds: int | None = None
    """Number of folds of a stratified cross-validation on the training and validation rows together."""
    compare: tuple[str, ...] = ()
    """Two or more configurations in place of --config: train each with the same seeds, and compare them in pairs."""
    smallest_effect: float | None = None
    """Smallest difference of interest to --compare, in the unit of a figure. None: 0.005, half a point of accuracy."""
    tune: bool = False
    """Search each configuration's learning rate with the same budget, then train it with the fresh --seeds."""
    tune_rates: int | None = None
    """Number of learning rates that --tune tries for each configuration. None: 5."""
    tune_seeds: int | None = None
    """Number of seeds of each of these rates. They are no --seeds. None: 3."""
    tune_epochs: int | None = None
    """Largest number of epochs of a trial of the search. None: train.epochs."""
    mc_samples: int | None = None
    """Number of passes with dropout on: how uncertain the trained networks are, and whether dropout helps."""
    ensemble: bool = False
    """Take the networks of all seeds as one predictor, and say whether it helps."""
    summary: bool = False
    """Print the layers with their shapes and parameter counts. Train nothing."""
    find_lr: bool = False
    """Raise the learning rate from 1e-5 to 10 within an epoch, plot the loss and suggest a rate. Train nothing."""
    strict: bool = False
    """Refuse a probable mistake in the configuration or its data before anything is trained. Else it is a warning."""
    export: Path | None = None
    """Folder for the network with the best validation figure of all trials, which jaxdeep.load_exported serves."""
    export_onnx: bool = False
    """Write model.onnx into the folder of --export too, for any ONNX runtime."""
    profile: bool = False
    """Trace the second epoch into the folder's profile/, for Perfetto or TensorBoard."""

    distributed: bool = False
    """Join the processes that run this command at once."""
    coordinator: str | None = None
    """HOST:PORT of process 0. None: JAX finds it."""
    num_processes: int | None = None
    """Number of processes. None: JAX finds it."""
    process_id: int | None = None
    """Number of this process, from 0. None: JAX finds it."""
    data_parallel: bool = False
    """Train each trial on all devices, which divide batches."""

    def __post_init__(self) -> None:
        for name in ("data_dir", "workdir", "export"):  # expanduser leaves the ~ of an unknown user
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(os.path.expanduser(path)))
        count = self._count
        if count < 1:
            raise UserError(f"--seeds is {count}. Give 1 or more.")
        if (effect := self.smallest_effect) is not None:
            if not self.compare:
                raise UserError("--smallest-effect has no effect without --compare. Remove it, or add --compare.")
            if not 0 < effect < float("inf"):
                raise UserError(f"--smallest-effect is {effect}. Give a number above 0, such as 0.005.")
        check_tune(vars(self), seeds=count, is_asked=bool(self.asked))
        if self.tune:
            self.budget.search_seeds(self.design.seeds)  # raises UserError for seeds that are too large
        if self.summary and self.find_lr:
            raise UserError("--summary and --find-lr are both given. Give one of them.")
        if self.strict and (self.summary or self.find_lr):
            raise UserError("--strict has no effect with --summary or --find-lr, which train nothing. Remove it.")
        design = self.design
        if (design.varied or self.folds) and (self.find_lr or self.summary):
            raise UserError("--find-lr and --summary take one configuration. Remove --grid, --space and --folds.")
        if self.compare and (design.varied or self.find_lr or self.summary or self.workdir):
            raise UserError(
                "--compare trains named configurations, each in its own folder. "
                "Remove --grid, --space, --find-lr, --summary and --workdir."
            )
        check_processes(vars(self))
        if self.export_onnx and not self.export:
            raise UserError("--export-onnx has no effect without --export. Remove it, or add --export FOLDER.")
        if self.export and (self.compare or self.tune or self.folds or self.find_lr or self.summary):
            raise UserError(
                "--export takes the best network of one study, whose trials share their validation rows. "
                "Remove --compare, --tune, --folds, --find-lr and --summary."
            )
        if self.compare and count < 2:
            raise UserError(f"--seeds is {count}. Give 2 or more with --compare.")
        if self.asked and (design.varied or self.folds or self.compare or self.find_lr or self.summary):
            raise UserError(
                "--mc-samples and --ensemble take the seeds of one configuration. "
                "Remove --grid, --space, --folds, --compare, --find-lr and --summary."
            )
        design.trials(self.config)  # raises UserError for flags that cannot be combined

    @cached_property
    def budget(self) -> Budget:
        """Return the budget of --tune."""
        return budget_of(vars(self))

    @cached_property
    def design(self) -> Design:
        """Return the seeds, the candidates and the folds."""
        grid = parse_grid(self.grid)
        space = parse_space(self.space)
        return Design(seeds_from(self.seed, self._count), grid, space, self.samples, self.folds, self.halving)

    @cached_property
    def asked(self) -> UncertaintyRequest:
        """Return the uncertainty estimates that the trained networks are to give."""
        return UncertaintyRequest(self.mc_samples, self.ensemble)

    @property
    def _count(self) -> int:
        """Return the number of seeds."""
        several = SEEDS_OF_RANGE_TEST if self.find_lr or self.compare or self.tune else 1
        return several if self.seeds is None else self.seeds


def flags(experiment: Experiment) -> list[Flag]:
    """Return the flags of the commands of an experiment.

    Args:
        experiment: Configurations and their data.

    Returns:
        The command's own flags, then the flags of its configuration.
    """
    names, sources = tuple(experiment.recipes), ("auto", experiment.dataset, "synthetic")
    if experiment.source is not None:
        return [*flags_of(Command, {}, OF_IMAGES), *FLAGS]
    return flags_of(Command, {"name": names, "compare": names, "data": sources})


def parse_compared(experiment: Experiment, argv: Sequence[str]) -> list[Command]:
    """Read a command line with `--compare` as one command for each of its configurations.

    Args:
        experiment: Configurations and their data.
        argv: Words of the command line.

    Returns:
        Commands with the same seeds, or an empty list without `--compare`.

    Raises:
        UserError: Fewer than two configurations are named, one is named twice, `--config` is given too, or a word of
            the command line cannot be read.
    """
    names = _words_after("--compare", argv)
    if names is None or experiment.source is not None:
        return []
    if len(set(names)) < max(len(names), 2):
        given = ", ".join(names) or "nothing"
        raise UserError(f"--compare names {given}. Give two or more configurations, each once.")
    if _words_after("--config", argv) is not None:
        raise UserError("--config is given with --compare. Remove one of them.")
    for name in names:
        _check_name(experiment, "--compare", name)
    return [parse(experiment, [*argv, "--config", name]) for name in names]


def parse(experiment: Experiment, argv: Sequence[str]) -> Command:
    """Read the command line of one configuration. Its values are the defaults of all flags.

    Args:
        experiment: Configurations and their data.
        argv: Words of the command line.

    Returns:
        The command.

    Raises:
        UserError: A word is no flag, or a value is out of its range.
    """
    default = default_command(experiment, argv)
    if experiment.source is None and not default.name:
        names = ", ".join(experiment.recipes)
        raise UserError(f"--config is not given. Give one of {names}, or --compare with several.")
    return read_flags(default, flags(experiment), _without_aliases(argv), [f"--{short}" for short in ALIASES])


def default_command(experiment: Experiment, argv: Sequence[str]) -> Command:
    """Return the command without any flag but `--config`.

    Args:
        experiment: Configurations and their data.
        argv: Words of the command line.

    Returns:
        The command with the defaults of the named configuration. Without `--config` it has no name and the first
        configuration.

    Raises:
        UserError: No configuration has that name.
    """
    first = next(iter(experiment.recipes))
    if experiment.source is not None:
        return Command(first, experiment.recipes[first].config)
    given = _words_after("--config", argv)
    if not given:
        return Command("", experiment.recipes[first].config)
    _check_name(experiment, "--config", given[0])
    return Command(given[0], experiment.recipes[given[0]].config)


def _check_name(experiment: Experiment, flag: str, name: str) -> None:
    names = list(experiment.recipes)
    if name not in names:
        raise UserError(f"{flag} is {shown(name)}. Give one of {', '.join(names)}.{perhaps(name, names)}")


def _words_after(flag: str, argv: Sequence[str]) -> list[str] | None:
    """Return the values of a flag at its last place, or None if it is not given."""
    values = None
    for index, word in enumerate(argv):
        if word == flag:
            values = list(itertools.takewhile(lambda word: not word.startswith("--"), argv[index + 1 :]))
        elif word.startswith(f"{flag}="):
            values = [word.partition("=")[2]]
    return values


def _without_aliases(argv: Sequence[str]) -> list[str]:
    """Return the words with the long flag in place of each short one."""
    given = [_normal(word) for word in argv]
    words = list(argv)
    for short, field in ALIASES.items():
        alias, flag = f"--{short}", f"--{field.replace('_', '-')}"
        if alias in given and flag in given:
            raise UserError(f"{alias} and {flag} are both given, and mean the same. Give one of them.")
        words = [flag + word[len(alias) :] if _normal(word) == alias else word for word in words]
    return words


def _normal(word: str) -> str:
    """Return a flag without its value, with hyphens."""
    return word.partition("=")[0].replace("_", "-")
