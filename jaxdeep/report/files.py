"""The files of a run, read and written whole."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord


def write_hits(path: Path, runs: Sequence[Run]) -> None:
    """Which images each run's kept weights tell: `valid` and `test`, booleans [S, N], in the order of the runs.

    Folds have validation images of their own, perhaps one more than others: what is short is filled up with misses.
    """
    most = max(len(run.val_hits) for run in runs)
    valid = np.stack([np.pad(run.val_hits, (0, most - len(run.val_hits))) for run in runs])
    np.savez_compressed(path, valid=valid, test=np.stack([run.test_hits for run in runs]))


def key_of(labels: Mapping[str, Any]) -> int | str:
    """What tells the runs of one configuration: the seed, or seed and fold."""
    return f"{labels['seed']} fold {labels['fold']}" if "fold" in labels else labels["seed"]


def read_histories(path: Path) -> dict[int | str, list[EpochRecord]]:
    """The epochs of each seed, or of each seed and fold, from a metrics.jsonl of one configuration.

    Raises:
        UserError: it cannot be read.
    """
    found: dict[int | str, list[EpochRecord]] = {}
    try:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            figures: Any = {name: math.nan if row[name] is None else row[name] for name in EpochRecord._fields}
            found.setdefault(key_of(row), []).append(EpochRecord(**figures))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file that `write_json` wrote.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all; NaN is refused."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)
