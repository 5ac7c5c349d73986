"""The files of a study. Each is written as a whole or not at all."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jaxdeep.errors import UserError
from jaxdeep.files import replace_file
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.history import EpochRecord, diagnosed

LIST: Final = re.compile(r'\[\n([^][{}"]*)\n *\]')
"""A list without texts, lists and objects in it, as `json.dumps` breaks it into lines."""

DIAGNOSTICS: Final = "diagnostics"
"""Key of the layers' figures in a row of metrics.jsonl. A row without them lacks it."""


def read_metrics(path: Path) -> list[tuple[dict[str, Any], EpochRecord]]:
    """Read a metrics.jsonl.

    Args:
        path: Path of the file.

    Returns:
        The whole row and its figures for each line. Figures that were not finite are NaN.

    Raises:
        UserError: The file cannot be read.
    """
    rows = []
    try:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            figures: Any = {name: math.nan if row[name] is None else row[name] for name in EpochRecord._fields}
            layers = row.get(DIAGNOSTICS)
            diagnostics = None if layers is None else Diagnostics.from_json(layers)
            rows.append((row, diagnosed(EpochRecord(**figures), diagnostics)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object in a file.

    Args:
        path: Path of the file.

    Returns:
        The object.

    Raises:
        UserError: The file cannot be read or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: cannot be read (no JSON object)")
    return content


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole or not at all. NaN is refused. A list of numbers is one line.

    Args:
        path: Path of the file.
        values: JSON values by name.

    Raises:
        UserError: The file cannot be written. Its old content stays.
        ValueError: A value is not finite.
    """
    text = json.dumps(values, indent=2, allow_nan=False)
    write_text(path, LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all.

    Args:
        path: Path of the file.
        text: New content of the file.

    Raises:
        UserError: The file cannot be written. Its old content stays.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all.

    Args:
        path: Path of the file.
        content: New content of the file.

    Raises:
        UserError: The file cannot be written, for example because the disk is full. Its old content stays.
    """
    with writing(path):
        replace_file(path, content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the system while a file is written into one line.

    Args:
        path: Path of the file, for the message.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}). Mend that, and the same command goes on.") from error
