"""Words that a command prints, such as its folder and commands that can be pasted."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    words = [*program, *(() if name is None else ("--config", name))]
    for field, (_, value) in differences(base.to_dict(), config.to_dict()).items():
        flag = f"--{field.replace('_', '-')}"
        words += [flag if value else with_no(flag)] if isinstance(value, bool) else [flag, *words_of(value)]
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
    return shlex.join(_of_config(experiment, command, command.config, command.design, asked))


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


def _of_config(
    experiment: Experiment, command: Command, config: Config, design: Design, asked: UncertaintyRequest | None
) -> list[str]:
    """Return the words that train a configuration of an experiment."""
    name = None if experiment.source is not None else command.name
    base = experiment.recipes[command.name].config
    return command_words(experiment.program, name, base, config, design, asked)
