"""Words that a command prints, such as its folder and commands that can be pasted."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxdeep.cli.budget import TUNE_FLAGS
from jaxdeep.cli.command import Command
from jaxdeep.cli.flags import with_no
from jaxdeep.cli.recipe import Experiment
from jaxdeep.config import Config, differences
from jaxdeep.config.words import words_of
from jaxdeep.run.uncertainty import UncertaintyRequest
from jaxdeep.study.design import Design


def command_words(
    program: Sequence[str],
    name: str | None,
    base: Config,
    config: Config,
    design: Design | None = None,
    asked: UncertaintyRequest | None = None,
) -> list[str]:
    """Return the words that train a configuration, for `shlex.join`.

    Args:
        program: Words that begin the command, such as ("python", "-m", "experiments.cifar").
        name: Name of the configuration after `--config`. None if the program has one configuration.
        base: Configuration of that name.
        config: Configuration to train. Fields that differ from `base` become flags.
        design: Seeds, candidates and folds. None means one run with the first seed.
        asked: Uncertainty estimates of the trained networks. None means no estimates.

    Returns:
        The words, without quotes.

    >>> changed = Config().updated({"train.epochs": 5})
    >>> shlex.join(command_words(("jaxdeep", "train", "mine.npz"), None, Config(), changed, Design((42, 43))))
    'jaxdeep train mine.npz --train.epochs 5 --seeds 2'
    """
    changes = differences(base.to_dict(), config.to_dict())
    words = [*program, *(() if name is None else ("--config", name))]
    words += _flags_of({field: value for field, (_, value) in changes.items()})
    return words + (design.words() if design else []) + (asked.words() if asked else [])


def command_of(experiment: Experiment, command: Command, *, asked: UncertaintyRequest | None = None) -> str:
    """Return the command that repeats a command's figures, without its folder and the place of its images.

    Args:
        experiment: Configurations and their data.
        command: Command whose figures are repeated.
        asked: Uncertainty estimates of the trained networks. None means no estimates.

    Returns:
        The command as one line, quoted for a shell.
    """
    return command_for(experiment, command, command.config, command.design, asked=asked)


def command_for(
    experiment: Experiment,
    command: Command,
    config: Config,
    design: Design,
    *,
    asked: UncertaintyRequest | None = None,
) -> str:
    """Return the command that trains another configuration or another design than a given command.

    Args:
        experiment: Configurations and their data.
        command: Command with the name of the configuration.
        config: Configuration to train.
        design: Seeds, candidates and folds.
        asked: Uncertainty estimates of the trained networks. None means no estimates.

    Returns:
        The command as one line, quoted for a shell.
    """
    return shlex.join(_of_config(experiment, command, config, design, asked))


def best_command(experiment: Experiment, command: Command, values: Mapping[str, Any]) -> str:
    """Return the command that trains a search's best candidate, with the same seeds and the same data.

    Args:
        experiment: Configurations and their data.
        command: Command of the search.
        values: Field -> value of the candidate.

    Returns:
        The command as one line, quoted for a shell.
    """
    words = _of_config(experiment, command, command.config.updated(values), Design(command.design.seeds), None)
    words += ["--data", command.data] if command.data != "auto" else []
    return shlex.join(words + (["--data-dir", str(command.data_dir)] if command.data_dir else []))


def tune_command(experiment: Experiment, commands: Sequence[Command]) -> str:
    """Return the command that repeats a tuning, without the place of its images.

    Args:
        experiment: Configurations and their data.
        commands: One command for each configuration, all with the same flags.

    Returns:
        The command as one line, quoted for a shell.
    """
    first = commands[0]
    names = [] if experiment.source is not None else ["--config", first.name]
    names = ["--compare", *(command.name for command in commands)] if first.compare else names
    fields: dict[str, Any] = {}
    for command in commands:
        changes = differences(experiment.recipes[command.name].config.to_dict(), command.config.to_dict())
        fields |= {name: value for name, (_, value) in changes.items()}
    words = [*experiment.program, *names, *_flags_of(fields), "--tune"]
    for name in TUNE_FLAGS:
        words += [] if (value := getattr(first, name)) is None else [f"--{name.replace('_', '-')}", str(value)]
    design = Design(first.design.seeds)
    return shlex.join([*words, *design.words(), *(["--seeds", "1"] if len(design.seeds) == 1 else [])])


def closing_line(folder: Path, *files: str) -> str:
    """Return the last line of a command, with its folder and the files to look at there.

    Args:
        folder: Folder that the command wrote.
        files: Names of files to look at. The names of the folder's pictures follow them.

    Returns:
        The line.
    """
    pictures = sorted(path.name for path in folder.glob("*.png"))
    return f"{folder}: {', '.join((*files, *pictures))}"


def _flags_of(fields: Mapping[str, Any]) -> list[str]:
    """Return the flags that give fields of the configuration their values."""
    words = []
    for field, value in fields.items():
        flag = f"--{field.replace('_', '-')}"
        words += [flag if value else with_no(flag)] if isinstance(value, bool) else [flag, *words_of(value)]
    return words


def _of_config(
    experiment: Experiment, command: Command, config: Config, design: Design, asked: UncertaintyRequest | None
) -> list[str]:
    """Return the words that train a configuration of an experiment."""
    name = None if experiment.source is not None else command.name
    base = experiment.recipes[command.name].config
    return command_words(experiment.program, name, base, config, design, asked)
