"""The console command `jaxdeep`: what experiments do with the chapter's images, for a file of your own."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from jaxdeep.cli.recipe import Experiment, Recipe
from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.config.words import perhaps
from jaxdeep.data.npz import Rows, read_rows
from jaxdeep.errors import UserError
from jaxdeep.version import __version__

NAME: Final = "mlp"
SMALL_TABLE: Final = Config(
    data=Data(scaling="standardize"),
    model=Model(units=(100, 100), activation="selu", kernel_init="lecun_normal"),
    optim=Optim(optimizer="nadam", learning_rate=1e-3),
    train=Train(batch_size=32, epochs=100, patience=20),
)
"""What is trained on a file of your own, where no flag says otherwise."""
VALID_SHARE: Final = 5
"""One of so many training rows is for validation, where the file has no validation rows of its own."""
SUBCOMMANDS: Final = {"train": "train a network on the rows and labels of an .npz file"}
USAGE: Final = f"""usage: jaxdeep COMMAND ...

Deep networks of dense layers for your own data.

commands
{chr(10).join(f"  {name} FILE.npz    {text}" for name, text in SUBCOMMANDS.items())}

jaxdeep train --help lists the flags of a command, jaxdeep --version says the version."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `jaxdeep`.

    Args:
        argv: The words behind `jaxdeep`. None: those of the process.

    Returns:
        The exit status, as of an experiment's command.
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
        known = ", ".join(SUBCOMMANDS)
        print(
            f"error: there is no command {given[0]!r}; allowed: {known}{perhaps(given[0], SUBCOMMANDS)}",
            file=sys.stderr,
        )
        return 2
    return _train(given[1:])


def _train(given: Sequence[str]) -> int:
    from jaxdeep.cli.main import HELP, answer  # which imports JAX

    if HELP & set(given):
        return answer(lambda: _experiment("FILE.npz", SMALL_TABLE), given)
    is_named = bool(given) and not given[0].startswith("-")
    return answer(partial(_of_file, given[0] if is_named else None), given[1:])


def _of_file(path: str | None) -> Experiment:
    if path is None:
        raise UserError("jaxdeep train needs a file behind it; allowed: jaxdeep train FILE.npz, then flags")
    data = replace(SMALL_TABLE.data, valid_size=_valid_size(read_rows(path)))
    return _experiment(path, replace(SMALL_TABLE, data=data))


def _experiment(path: str, config: Config) -> Experiment:
    stem = Path(path).stem
    return Experiment(stem, stem, {NAME: Recipe(config, "")}, Path(path), ("jaxdeep", "train", path))


def _valid_size(rows: Rows) -> int:
    """Return the number of validation rows: the file's own, or a share of its training rows."""
    return max(len(rows.x) // VALID_SHARE, 1) if rows.x_valid is None else max(len(rows.x_valid), 1)
