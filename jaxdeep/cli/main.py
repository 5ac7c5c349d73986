"""The command line that every experiment shares, from its words to its exit status."""

import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any, Final

from jaxdeep.cli.command import Command, default_command, flags, parse, parse_compared
from jaxdeep.cli.compare import compare_configurations
from jaxdeep.cli.distributed import joined
from jaxdeep.cli.export import check_export, export_best
from jaxdeep.cli.find_lr import find_lr
from jaxdeep.cli.help import help_text
from jaxdeep.cli.recipe import Experiment, Recipe
from jaxdeep.cli.run import load, run
from jaxdeep.cli.signals import LenientStream, signals
from jaxdeep.cli.terminal import help_width, show_what_can_be
from jaxdeep.cli.tune import tune_configurations
from jaxdeep.cli.words import best_command, closing_line
from jaxdeep.config.choices import Task
from jaxdeep.data.images import SPECS
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.report.architecture import architecture_table
from jaxdeep.report.tables import study_table
from jaxdeep.report.uncertainty_tables import uncertainty_table
from jaxdeep.study.reported import other_settings
from jaxdeep.terminal import width_of
from jaxdeep.train.job import current

HELP: Final = {"-h", "--help", "--help-all", "--help_all"}
BROKEN_PIPE: Final = 128 + getattr(signal, "SIGPIPE", 13)  # Windows has no such signal


def main(name: str, dataset: str, recipes: Mapping[str, Recipe], argv: Sequence[str] | None = None) -> int:
    """Run an experiment's command line.

    Args:
        name: Name of the experiment.
        dataset: Name of its images.
        recipes: Configurations of the experiment by name.
        argv: Words of the command line. None takes the words of the process.

    Returns:
        The exit status. 0 means success, 2 an error that the user can mend, 3 that every run diverged. 130 follows
        Ctrl-C, 143 SIGTERM and 129 SIGHUP.
    """
    if argv is None:
        program = _program_of_process()
        return answer(lambda: Experiment(name, dataset, recipes, program=program), sys.argv[1:])
    return answer(lambda: Experiment(name, dataset, recipes), list(argv))


def _program_of_process() -> tuple[str, ...]:
    """Return the words that started this process, such as ("python", "-m", "experiments.cifar")."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return ("python", sys.argv[0]) if spec is None else ("python", "-m", spec.name)


def answer(experiment: Callable[[], Experiment], given: Sequence[str]) -> int:
    """Run a command line, and turn every expected error into a line on stderr.

    Args:
        experiment: Function that makes the experiment. It may raise UserError.
        given: Words of the command line.

    Returns:
        The exit status, with the values that `main` returns, and 141 if the reader of stdout is gone.
    """
    return with_lines(lambda: respond(experiment(), given))


def with_lines(do: Callable[[], int]) -> int:
    """Do what a command asks for, and print every expected error, warning and log message as a line on stderr.

    Args:
        do: Function that returns the exit status. It may raise UserError.

    Returns:
        The exit status. It is 2 after an error that the user can mend, and 141 if the reader of stdout is gone.
    """
    show_what_can_be(sys.stdout, sys.stderr)
    with redirect_stderr(LenientStream(sys.stderr)), _warnings_as_lines(), _log_as_lines():
        try:
            return do()
        except UserError as error:
            print(f"error: {_one_line(error)}", file=sys.stderr)
            return 2
        except BrokenPipeError:  # the reader of stdout is gone, such as in `... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except OSError as error:  # the system refuses, such as for a full disk or too many open files
            print(f"error: {_one_line(error)}", file=sys.stderr)
            return 2


def respond(experiment: Experiment, given: Sequence[str]) -> int:
    """Run a command line, and turn a signal into its exit status.

    Args:
        experiment: Configurations and their data.
        given: Words of the command line.

    Returns:
        The exit status, with the values that `main` returns.

    Raises:
        UserError: The user can mend what is wrong.
    """
    try:
        with signals(lambda: "what is saved stays, and the same command goes on from there"):
            if HELP & set(given):
                print(_help(experiment, given))
                return 0
            if "--list" in given and experiment.source is None:
                print("\n".join(map(_listed, experiment.recipes, experiment.recipes.values())))
                return 0
            if commands := parse_compared(experiment, given):
                compare = tune_configurations if commands[0].tune else compare_configurations
                with joined(commands[0]):
                    compared = compare(experiment, commands)
                    print(compared.text)
                    return compared.status
            command = parse(experiment, given)
            with joined(command):
                return _train(experiment, command)
    except KeyboardInterrupt as stop:
        do = "begin anew" if "--find-lr" in given else "continue"
        print(f"stopped; to {do}: {shlex.join((*experiment.program, *given))}", file=sys.stderr)
        return 128 + getattr(stop, "number", signal.SIGINT)


def _train(experiment: Experiment, command: Command) -> int:
    """Do what a command without `--compare` asks for, and return the exit status."""
    if command.summary:
        print(architecture_table(command.config.network, *_sizes(experiment, command), width=width_of(sys.stdout)))
        return 0
    if command.find_lr:
        print(find_lr(experiment, command))
        return 0
    if command.tune:
        tuned = tune_configurations(experiment, [command])
        print(tuned.text)
        return tuned.status
    if command.export is not None:
        check_export(command.export, command.config, onnx=command.export_onnx)
    result, folder = run(experiment, command)
    width = width_of(sys.stdout)
    print(study_table(result, width))
    if command.asked and result.uncertainty is not None:
        print(uncertainty_table(result.uncertainty, result.data["name"], width, other_settings(result)))
    if result.varied and result.best is not None:
        print(f"best: {best_command(experiment, command, result.best.values)}")
    if command.export is not None and current().leads:
        print(export_best(result, folder, command.export, onnx=command.export_onnx))
    print(closing_line(folder, "summary.json"))
    return 3 if result.diverged == len(result.trials) else 0


def _help(experiment: Experiment, given: Sequence[str]) -> str:
    """Return the text of --help or --help-all."""
    default, usage, defaults = default_command(experiment, given), shlex.join(experiment.program), ""
    if experiment.source is None:
        usage += " --config NAME"
        chosen = default.name or f"{next(iter(experiment.recipes))}, the first one"
        defaults = f"[...] is a default: here of --config {chosen}."
    everything = bool({"--help-all", "--help_all"} & set(given))
    return help_text(usage, defaults, default, flags(experiment), help_width(), everything=everything)


def _sizes(experiment: Experiment, command: Command) -> tuple[int, int, Task]:
    """Return the features of a row, the number of classes, of labels or of numbers, and what these are."""
    if experiment.source is not None:
        _, data = load(experiment, command)
        return data.inputs, data.classes, data.task
    spec = SPECS[experiment.dataset]
    height, width, channels = spec.image_shape
    return height * width * channels, len(spec.class_names), "classification"


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print each of our own warnings as one line on stderr, and leave all others as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", JaxdeepWarning)
        show_other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, JaxdeepWarning):
                print(f"warning: {message}", file=sys.stderr)
            else:
                show_other(message, category, *where)

        warnings.showwarning = show
        yield


@contextmanager
def _log_as_lines() -> Iterator[None]:
    """Print each message that the library logs as one line on stderr, and nowhere else.

    Packages that are imported late give the root logger a handler, which would print it again.
    """
    logger, handler = logging.getLogger("jaxdeep"), _Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Lines(logging.Handler):
    """A handler that prints each message on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr)


def _listed(name: str, recipe: Recipe) -> str:
    """Return the line of a configuration for --list."""
    reported = [f"{figures.source}: {figures.val_loss:.4f} / {figures.val_accuracy:.4f}" for figures in recipe.reported]
    return f"{name:20} {recipe.description}" + (f" [{', '.join(reported)}]" if reported else "")


def _one_line(error: Exception) -> str:
    """Return an error's message on one line. The name of a folder in it may have a line break."""
    return " ".join(str(error).splitlines())
