"""The command `jaxdeep predict`: labels and probabilities of the rows of a file, by a trained network."""

import csv
import io
import os
import shlex
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import numpy as np

from jaxdeep.cli.flags import flags_of, read_flags
from jaxdeep.cli.help import descriptions
from jaxdeep.config.choices import Task
from jaxdeep.data.npz import new_rows
from jaxdeep.data.table_columns import TableColumns
from jaxdeep.data.tables import ENDS, as_table, is_table_path
from jaxdeep.errors import UserError
from jaxdeep.files import replace_file
from jaxdeep.train.exported import Label, load_exported
from jaxdeep.train.exported_file import RECORD
from jaxdeep.train.saved import load

FILES: Final = "MODEL ROWS"


@dataclass(frozen=True)
class PredictFlags:
    """Flags of `jaxdeep predict`. Each field is a flag."""

    out: Path | None = None
    """File for the predictions, as CSV. None: they are printed."""
    overwrite: bool = False
    """Replace the file of --out if it exists."""
    seed: int | None = None
    """Seed that chooses a network of a folder with several."""
    name: str | None = None
    """Name that chooses a network of a folder with several, such as seed_42."""


class Answers(NamedTuple):
    """What a network says of N rows.

    Attributes:
        probabilities: Probabilities [N, C].
        labels: Labels of the C classes as they were given for training.
        class_names: Names of the C classes.
        task: What the network predicts. The probabilities are numbers [N] or [N, C] for regression.
    """

    probabilities: np.ndarray
    labels: Sequence[Label]
    class_names: Sequence[str]
    task: Task = "classification"

    def to_csv(self) -> str:
        """Return a line for each row.

        That is the label of its most probable class, then the probability of each class. Or a 0 or a 1 for each of
        several labels, then their probabilities. Or its numbers.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.task == "regression":
            rows = self.probabilities.reshape(len(self.probabilities), -1)
            writer.writerow(self.class_names if len(self.class_names) > 1 else ["prediction"])
            writer.writerows([*map(str, row)] for row in rows)
            return text.getvalue()
        if self.task == "multilabel":
            writer.writerow([*self.class_names, *(f"probability of {name}" for name in self.class_names)])
            writer.writerows([*map(int, row > 0.5), *map(str, row)] for row in self.probabilities)
            return text.getvalue()
        writer.writerow(["prediction", *(f"probability of {name}" for name in self.class_names)])
        for row in self.probabilities:
            writer.writerow([self.labels[int(row.argmax())], *map(str, row)])
        return text.getvalue()


def predict(given: Sequence[str], program: tuple[str, ...]) -> int:
    """Run `jaxdeep predict`.

    Args:
        given: Words behind `predict`.
        program: Words that begin the command, such as ("jaxdeep", "predict").

    Returns:
        The exit status, 0.

    Raises:
        UserError: A file is missing or cannot be used, or the rows do not fit the network.
    """
    usage = f"{shlex.join(program)} {FILES} --out predictions.csv"
    if len(given) < 2 or any(word.startswith("-") for word in given[:2]):
        raise UserError(f"predict has no model and rows. Allowed: {usage}.")
    model, rows, *words = given
    own = [flag for flag in flags_of(PredictFlags, {}) if flag.owner is PredictFlags]
    flags = read_flags(PredictFlags(), own, words)
    out = None if flags.out is None else Path(os.path.expanduser(flags.out))
    if out is None and flags.overwrite:
        raise UserError("--overwrite has no effect without --out. Remove it, or add --out FILE.")
    if out is not None and out.exists() and not flags.overwrite:
        raise UserError(f"--out is {out}, which exists. Choose another file, or add --overwrite.")
    with jax.enable_x64(True):  # which a network of float64 needs, and one of float32 does not notice
        text = answers_of(Path(os.path.expanduser(model)), Path(os.path.expanduser(rows)), flags).to_csv()
    if out is None:
        print(text, end="")
        return 0
    replace_file(out, text.encode())
    print(f"{out}: {text.count(chr(10)) - 1:,} predictions", file=sys.stderr)
    return 0


def answers_of(model: Path, rows: Path, flags: PredictFlags) -> Answers:
    """Ask a network about the rows of a file.

    Args:
        model: Saved network, folder of an exported one, or folder of a finished study.
        rows: File with rows: a table, or an .npz file.
        flags: Flags that choose a network of a folder.

    Returns:
        Probabilities and labels.

    Raises:
        UserError: A file cannot be read, or the rows do not fit the network.
    """
    if (model / RECORD).is_file():
        if flags.seed is not None or flags.name is not None:
            raise UserError(f"{model} is one exported network. Remove --seed and --name.")
        network = load_exported(model)
        given = _rows(rows, network.table, network.column_names)
        found = network.predict(given) if network.task == "regression" else network.probabilities(given)
        return Answers(found, network.labels, network.class_names, network.task)
    run = load(model, seed=flags.seed, name=flags.name)
    info = run.data.info
    columns = info.columns.names if info and info.columns else None
    found = run.predict(_rows(rows, info.table if info else None, columns))
    labels = tuple(range(run.data.classes)) if info is None or info.label_values is None else info.label_values
    return Answers(found, labels, info.class_names if info else tuple(map(str, labels)), run.data.task)


def help_of(program: tuple[str, ...]) -> str:
    """Return the text of --help.

    Args:
        program: Words that begin the command.
    """
    about = (
        "Predict the label of each row, or its numbers. MODEL is a saved network, the folder of --export, or the "
        "folder of a finished command. ROWS is a .csv, .tsv, .parquet or .npz file. Columns are matched by name, and "
        "others are ignored."
    )
    lines = [f"usage: {shlex.join(program)} {FILES} [flags]", "", *textwrap.wrap(about, 80), ""]
    lines += [f"  --{name:11}{text}" for name, text in descriptions(PredictFlags).items()]
    return "\n".join(lines)


def _rows(path: Path, table: TableColumns | None, names: Sequence[str] | None) -> Any:
    """Return the rows of a file as the network takes them."""
    if path.suffix.lower() == ".npz":
        return new_rows(path)
    if not is_table_path(path):
        raise UserError(f"{path} has no rows by its name. Give a file whose name ends in {', '.join(ENDS)} or .npz.")
    found = as_table(path, str(path), table.text if table else ())
    return found if table else found.frame(names)
