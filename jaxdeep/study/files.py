"""The files of a run, read and written whole."""

import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord

PART = ".part"
"""Ends the name of a file that is being written; a kill may leave one behind."""


def write_hits(path: Path, runs: Sequence[Run]) -> None:
    """Which images each run's kept weights tell: `valid` and `test`, booleans [S, N], in the order of the runs.

    Folds have validation images of their own, perhaps one more than others: what is short is filled up with misses.
    """
    most = max(len(run.val_hits) for run in runs)
    valid = np.stack([np.pad(run.val_hits, (0, most - len(run.val_hits))) for run in runs])
    content = io.BytesIO()
    np.savez_compressed(content, valid=valid, test=np.stack([run.test_hits for run in runs]))
    write_bytes(path, content.getvalue())


def key_of(labels: Mapping[str, Any]) -> int | str:
    """What tells the runs of one configuration: the seed, or seed and fold."""
    return f"{labels['seed']} fold {labels['fold']}" if "fold" in labels else labels["seed"]


def read_rows(path: Path) -> list[tuple[dict[str, Any], EpochRecord]]:
    """Read a metrics.jsonl.

    Args:
        path: Where the file is.

    Returns:
        For each line the whole row, and its figures. What was not finite is NaN.

    Raises:
        UserError: It cannot be read.
    """
    found = []
    try:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            figures: Any = {name: math.nan if row[name] is None else row[name] for name in EpochRecord._fields}
            found.append((row, EpochRecord(**figures)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    return found


def read_histories(path: Path) -> dict[int | str, list[EpochRecord]]:
    """The epochs of each seed, or of each seed and fold, from a metrics.jsonl of one configuration.

    Raises:
        UserError: it cannot be read.
    """
    found: dict[int | str, list[EpochRecord]] = {}
    for row, record in read_rows(path):
        found.setdefault(key_of(row), []).append(record)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file that `write_json` wrote.

    Raises:
        UserError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: cannot be read (no JSON object)")
    return content


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all; NaN is refused."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Args:
        path: Where the file is to be.
        content: What it is to hold.

    Raises:
        UserError: The system refuses, as when the disk is full. What was there is still there.
    """
    part = path.with_name(path.name + PART)
    with writing(path):
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make one line of what the system says when it refuses to write a file.

    Args:
        path: What is being written, for the line.

    Raises:
        UserError: The system refused.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}). Mend that, and the same command goes on.") from error


def save_figure(path: Path, figure: Any, dpi: int) -> None:
    """Write a picture whole or not at all.

    Args:
        path: Where the PNG file is to be.
        figure: Matplotlib's figure.
        dpi: Pixels an inch.

    Raises:
        UserError: The system refuses, as when the disk is full.
    """
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi)
    write_bytes(path, content.getvalue())
