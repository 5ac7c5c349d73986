"""A user's `.npz` file: the names that the field gives to rows and labels, and every damage as one line."""

import os
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.data.formats import one_line
from jaxdeep.errors import UserError

ROWS: Final = ("x", "images", "data", "features")
LABELS: Final = ("y", "labels", "label", "targets", "target")
LONGEST_END: Final = 22 + 65_535
"""Bytes of a zip file's last record, with the longest comment."""

PARTS: Final = {"": "", "train": "", "test": "_test", "val": "_valid", "valid": "_valid", "validation": "_valid"}
"""What the field calls a part, and the ending of its fields in `NpzRows`. A name without a part is of training."""


class NpzRows(NamedTuple):
    """The arrays of a file by what they are for.

    Attributes:
        x: [N, ...] training rows.
        y: [N, ...] their labels.
        x_test: [M, ...] test rows, or None.
        y_test: [M, ...] their labels, or None.
        x_valid: [V, ...] validation rows, or None.
        y_valid: [V, ...] their labels, or None.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    x_valid: np.ndarray | None = None
    y_valid: np.ndarray | None = None


def read_rows(path: str | Path) -> NpzRows:
    """Read the rows and labels of an `.npz` file, under the names that the field gives them.

    Known names are x and y, X_train and y_test, train_images and val_labels, data and target, and their mixtures: ROWS
    and LABELS, in any case, with a part of PARTS before or behind. Other arrays are not read.

    Args:
        path: of the file; `~` is the home folder.

    Raises:
        UserError: there is no such file, it is damaged, two arrays have one role, or a role lacks its array.
    """
    try:
        with zipfile.ZipFile(os.path.expanduser(path)) as archive:
            trials = archive.namelist()
            _check_count(archive, trials)
            roles = _roles(path, [trial.removesuffix(".npy") for trial in trials if trial.endswith(".npy")])
            return NpzRows(**{role: _array(archive, path, key) for role, key in roles.items()})
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: found {error.strerror or error}, expected an .npz file that can be read") from error
    except Exception as error:  # damaged bytes can raise anything
        raise UserError(f"{path}: not a readable .npz file ({one_line(error)}). Save it again with np.savez") from error


def training_and_test(
    path: str | Path, valid_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Read the file's training rows and labels, and its test rows and labels, None where there are none.

    Validation rows of the file are put before its training rows, where a Dataset looks for them.

    Args:
        path: of the file.
        valid_size: how many rows the Dataset takes for validation.

    Raises:
        UserError: the file cannot be used (see `read_rows`), or has another number of validation rows.
    """
    rows = read_rows(path)
    if rows.x_valid is None or rows.y_valid is None:
        return rows.x, rows.y, rows.x_test, rows.y_test
    count = len(rows.x_valid)
    if count != valid_size:
        raise UserError(
            f"{path}: found {count:,} validation rows of its own, data.valid_size is {valid_size:,}. "
            f"Set data.valid_size to {count}"
        )
    x, y = _joined(path, rows.x_valid, rows.x), _joined(path, rows.y_valid, rows.y)
    return x, y, rows.x_test, rows.y_test


def _check_count(archive: zipfile.ZipFile, trials: list[str]) -> None:
    """Refuse an archive whose end counts other entries: a damaged entry can swallow those behind it unseen."""
    end = archive.fp
    if end is None:
        raise zipfile.BadZipFile("it is closed")
    end.seek(max(end.seek(0, os.SEEK_END) - LONGEST_END, 0))
    tail = end.read()
    start = tail.rfind(b"PK\5\6")
    count = int.from_bytes(tail[start + 10 : start + 12], "little")
    if count not in (len(trials), 0xFFFF):  # which stands for a number that does not fit
        raise zipfile.BadZipFile(f"it lists {len(trials)} arrays and counts {count}")


def _roles(path: str | Path, keys: list[str]) -> dict[str, str]:
    """The key of each role that the file has, by the fields of NpzRows."""
    candidates: dict[str, list[str]] = {}
    for key in sorted(keys):
        if role := _role(key):
            candidates.setdefault(role, []).append(key)
    for role, found in candidates.items():
        if len(found) > 1:
            raise UserError(
                f"{path}: found {' and '.join(found)}, which all may be {_words(role)}. Save the file with one of them"
            )
    needed = {"x", "y"} | {f"{stem}_{role.partition('_')[2]}" for role in candidates if "_" in role for stem in "xy"}
    for role in sorted(needed - candidates.keys()):
        stem, _, part = role.partition("_")
        part = {"": "train", "valid": "val"}.get(part, part)
        names = ROWS if stem == "x" else LABELS
        spelled = (f"{stem}_{part}", f"{part}_{names[1]}", *(names if part == "train" else ()))
        raise UserError(
            f"{path}: found {_listed(sorted(keys))}, and no {_words(role)}. Name them one of {', '.join(spelled)}"
        )
    return {role: found[0] for role, found in candidates.items()}


def _role(key: str) -> str | None:
    part = "(?:train|test|validation|valid|val)"
    pattern = f"(?:({part})_?)?({'|'.join((*ROWS, *LABELS))})(?:_?({part}))?"
    found = re.fullmatch(pattern, key.lower())
    if found is None or (found[1] and found[3]):
        return None
    return ("x" if found[2] in ROWS else "y") + PARTS[found[1] or found[3] or ""]


def _words(role: str) -> str:
    stem, _, part = role.partition("_")
    part = {"": "training", "valid": "validation"}.get(part, part)
    return f"{part} {'rows' if stem == 'x' else 'labels'}"


def _array(archive: zipfile.ZipFile, path: str | Path, key: str) -> np.ndarray:
    """The array under the key. The trial is read whole, because only then its checksum is compared."""
    stream = BytesIO(archive.read(f"{key}.npy"))
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header can raise anything
        raise UserError(
            f"{path}: {key} cannot be read ({one_line(error)}). Save it as a plain array of numbers or strings"
        ) from error
    if stream.read(1) or array.ndim == 0:
        wrong = "is one value" if array.ndim == 0 else f"has more bytes than its shape {array.shape} says"
        raise UserError(f"{path}: {key} {wrong}, expected an array with a row for each example")
    return array


def _joined(path: str | Path, valid: np.ndarray, train: np.ndarray) -> np.ndarray:
    if valid.shape[1:] != train.shape[1:] or valid.dtype.kind != train.dtype.kind:
        raise UserError(
            f"{path}: found validation arrays of {valid.dtype} {valid.shape[1:]} a row and training arrays of "
            f"{train.dtype} {train.shape[1:]}. Save both with one type and shape"
        )
    return np.concatenate([valid, train])


def _listed(keys: list[str]) -> str:
    if not keys:
        return "no arrays"
    return f"the arrays {', '.join(keys[:12])}{f' and {len(keys) - 12} more' if len(keys) > 12 else ''}"
