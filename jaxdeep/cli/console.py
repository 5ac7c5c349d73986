"""The console command `jaxdeep`: what experiments do with the chapter's images, for a file of your own."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jaxdeep.cli.recipe import Experiment, Recipe
from jaxdeep.cli.table_flags import TableFlags, take_flags
from jaxdeep.config import Config
from jaxdeep.config.values import shown
from jaxdeep.config.words import perhaps
from jaxdeep.errors import UserError
from jaxdeep.version import __version__

NAME: Final = "mlp"
SUBCOMMANDS: Final = {
    "train": ("FILE", "train a network on the rows of an .npz file, or of a table with --target COLUMN"),
    "predict": ("MODEL ROWS", "write the label and the probabilities of each row of a file"),
}
USAGE: Final = f"""usage: jaxdeep COMMAND ...

Deep networks of dense layers for your own data.

commands
{chr(10).join(f"  {f'{name} {words}':21}{text}" for name, (words, text) in SUBCOMMANDS.items())}

jaxdeep train --help lists the flags of a command, jaxdeep --version says the version."""


def main(argv: Sequence[str] | None = None, program: tuple[str, ...] = ("jaxdeep",)) -> int:
    """Run the command `jaxdeep`.

    Args:
        argv: The words behind `jaxdeep`, or None for the words of the process.
        program: Words that begin the commands that are printed.

    Returns:
        The exit status: 2 for what the user can mend, and all others as for an experiment.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    if not given:
        print(USAGE, file=sys.stderr)
        return 2
    if given[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if given[0] == "--version":
        print(f"jaxdeep {__version__}")
        return 0
    if given[0] not in SUBCOMMANDS:
        known = f"Allowed: {', '.join(SUBCOMMANDS)}.{perhaps(given[0], SUBCOMMANDS)}"
        print(f"error: there is no command {shown(given[0])}. {known}", file=sys.stderr)
        return 2
    if given[0] == "predict":
        return _predict(given[1:], (*program, "predict"))
    return _train(given[1:], (*program, "train"))


def _predict(given: Sequence[str], program: tuple[str, ...]) -> int:
    from jaxdeep.cli.main import HELP, with_lines
    from jaxdeep.cli.predict import help_of, predict

    if HELP & set(given):
        print(help_of(program))
        return 0
    return with_lines(lambda: predict(given, program))


def _train(given: Sequence[str], program: tuple[str, ...]) -> int:
    from jaxdeep.cli.main import HELP, answer, respond, with_lines  # which imports all that trains

    if HELP & set(given):
        return answer(lambda: _experiment("FILE", program), given)
    return with_lines(lambda: respond(*_of_file(given, program)))


def _of_file(given: Sequence[str], program: tuple[str, ...]) -> tuple[Experiment, list[str]]:
    """Return the experiment of a file, and the words that are no flags of a table."""
    if not given or given[0].startswith("-"):
        raise UserError(f"train has no file. Allowed: {' '.join(program)} FILE, and flags behind it.")
    path, *words = given
    table, others = take_flags(path, words)
    return _experiment(path, program, table), others


def _experiment(path: str, program: tuple[str, ...], table: TableFlags | None = None) -> Experiment:
    stem, words = Path(path).stem, table.words() if table else ()
    return Experiment(stem, stem, {NAME: Recipe(Config(), "")}, Path(path), (*program, path, *words), table)
