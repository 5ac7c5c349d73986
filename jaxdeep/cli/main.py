"""The command line that every experiment shares: what is asked for, and how the process ends."""

import io
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

from jaxdeep.cli.command import Command, parse, parse_compared
from jaxdeep.cli.compare import compare_configurations
from jaxdeep.cli.find_lr import find_lr
from jaxdeep.cli.recipe import Experiment, Recipe
from jaxdeep.cli.run import run
from jaxdeep.cli.signals import LenientStream, signals
from jaxdeep.data.images import SPECS
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.report.architecture import architecture_table
from jaxdeep.report.tables import study_table
from jaxdeep.report.uncertainty_tables import uncertainty_table


def main(name: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str] | None = None) -> int:
    """Run an experiment's command line.

    Args:
        name: of the experiment.
        dataset: the name of its images.
        recipes: its configurations by name.
        argv: command; None: those of the process.

    Returns:
        The exit status: 0; 2 for what the user can mend; 3 if every run diverged; 130 after Ctrl-C, 143 after SIGTERM,
        129 after SIGHUP.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a folder's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    with redirect_stderr(LenientStream(sys.stderr)), _warnings_as_lines(), _log_as_lines():
        return _main(Experiment(name, dataset, recipes), given)


def _main(experiment: Experiment, given: Sequence[str]) -> int:
    name, dataset, recipes = experiment.name, experiment.dataset, experiment.recipes
    try:
        with signals(lambda: "what is saved stays, and the same command goes on from there"):
            if "--list" in given:
                print("\n".join(map(_listed, recipes, recipes.values())))
                return 0
            if commands := parse_compared(name, dataset, recipes, given):
                compared = compare_configurations(experiment, commands)
                print(compared.text)
                return compared.status
            return _answer(experiment, parse(name, dataset, recipes, given))
    except UserError as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # what the system refuses: a full disk, too many open files
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        command = shlex.join(("python", "-m", f"experiments.{name}", *given))
        do = "begin anew" if "--find-lr" in given else "continue"
        print(f"stopped; to {do}: {command}", file=sys.stderr)
        return 128 + getattr(stop, "number", signal.SIGINT)


def _answer(experiment: Experiment, command: Command) -> int:
    if command.summary:
        spec = SPECS[experiment.dataset]
        height, width, channels = spec.image_shape
        print(architecture_table(command.config.model, height * width * channels, len(spec.class_names)))
        return 0
    if command.find_lr:
        print(find_lr(experiment, command))
        return 0
    result = run(experiment, command).result
    print(study_table(result))
    if command.asked and result.uncertainty is not None:
        print(uncertainty_table(result.uncertainty, result.data["name"]))
    return 3 if result.diverged == len(result.trials) else 0


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print each of our own warnings as one line on stderr, and leave all others as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", JaxdeepWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, JaxdeepWarning):
                print(f"warning: {message}", file=sys.stderr)
            else:
                others(message, category, *where)

        warnings.showwarning = show
        yield


@contextmanager
def _log_as_lines() -> Iterator[None]:
    """Print what the library logs, a line each, on stderr."""
    logger, handler = logging.getLogger("jaxdeep"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr)


def _listed(name: str, recipe: Recipe) -> str:
    figures = [f"{of.source}: {of.val_loss:.4f} / {of.val_accuracy:.4f}" for of in recipe.reported]
    return f"{name:20} {recipe.description}" + (f" [{', '.join(figures)}]" if figures else "")


def _one_line(error: Exception) -> str:
    """An error's message, which may name a folder that has a line break in its name."""
    return " ".join(str(error).splitlines())
