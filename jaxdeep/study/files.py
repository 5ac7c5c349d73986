"""The files of a run, read and written whole."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jaxdeep.errors import UserError
from jaxdeep.train.history import EpochRecord

PART = ".part"
"""Ends the name of a file that is being written; a kill may leave one behind."""


def read_metrics(path: Path) -> list[tuple[dict[str, Any], EpochRecord]]:
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
