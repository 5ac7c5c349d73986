"""Read a user's `.npz` file under the common names of rows and labels. Every damage is one line."""

import os
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.data.formats import one_line
from jaxdeep.errors import UserError

ROWS: Final = ("x", "images", "data", "features")
"""Names of an array of rows."""
LABELS: Final = ("y", "labels", "label", "targets", "target")
"""Names of an array of labels."""
LONGEST_END: Final = 22 + 65_535
"""Number of bytes in a zip file's last record with the longest comment."""

PARTS: Final = {"": "", "train": "", "test": "_test", "val": "_valid", "valid": "_valid", "validation": "_valid"}
"""Ending of the fields in `NpzRows` by the name of a part.

A name without a part is of training.
"""


class NpzRows(NamedTuple):
    """The arrays of a file by their role.

    Attributes:
        x: Training rows [N, ...].
        y: Labels [N, ...] of the training rows.
        x_test: Test rows [M, ...], or None.
        y_test: Labels [M, ...] of the test rows, or None.
        x_valid: Validation rows [V, ...], or None.
        y_valid: Labels [V, ...] of the validation rows, or None.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    x_valid: np.ndarray | None = None
    y_valid: np.ndarray | None = None


def read_rows(path: str | Path) -> NpzRows:
    """Read the rows and labels of an `.npz` file.

    Known names are x and y, X_train and y_test, train_images and val_labels, data and target, and their mixtures. A
    name joins a name of ROWS or LABELS and a part of PARTS. The part may stand before or behind and case does not
    matter. Other arrays are not read.

    Args:
        path: Path of the file. `~` is the home folder.

    Returns:
        The arrays by their role.

    Raises:
        UserError: The file does not exist, it is damaged, two arrays have one role, or a role lacks its array.
    """
    return NpzRows(**_arrays(path, lambda keys: _roles(path, keys)))


def new_rows(path: str | Path) -> np.ndarray:
    """Read rows to predict from an `.npz` file: the array under a name of ROWS, or its only array.

    Args:
        path: Path of the file. `~` is the home folder.

    Returns:
        Rows [N, ...].

    Raises:
        UserError: The file does not exist, it is damaged, or no array or several may be the rows.
    """

    def key_of_rows(keys: list[str]) -> dict[str, str]:
        candidates = keys if len(keys) == 1 else [key for key in keys if _role(key) == "x"]
        if len(candidates) != 1:
            raise UserError(f"{path}: found {_listed(sorted(keys))}. Save the rows to predict as x.")
        return {"x": candidates[0]}

    return _arrays(path, key_of_rows)["x"]


def _arrays(path: str | Path, roles_of: Callable[[list[str]], dict[str, str]]) -> dict[str, np.ndarray]:
    """Return the arrays of a file by their role, by a function from all keys to the key of each role."""
    try:
        with zipfile.ZipFile(os.path.expanduser(path)) as archive:
            members = archive.namelist()
            _check_count(archive, members)
            roles = roles_of([member.removesuffix(".npy") for member in members if member.endswith(".npy")])
            return {role: _array(archive, path, key) for role, key in roles.items()}
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}). Give the path of an .npz file.") from error
    except Exception as error:  # damaged bytes can raise anything
        raise UserError(
            f"{path}: not a readable .npz file ({one_line(error)}). Save it again with np.savez."
        ) from error


def training_and_test(
    path: str | Path, valid_size: int | float
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None], int | None]:
    """Read the training and the test rows of an `.npz` file for a Dataset.

    Validation rows of the file are put before its training rows because a Dataset looks for them there.

    Args:
        path: Path of the file. `~` is the home folder.
        valid_size: Number or share of rows that the Dataset takes for validation. A share is for files without
            validation rows of their own.

    Returns:
        Training rows and labels with test rows and labels, which are None if the file has none. And the number of the
        file's own validation rows, or None.

    Raises:
        UserError: The file cannot be used (see `read_rows`), or has another number of validation rows.
    """
    rows = read_rows(path)
    if rows.x_valid is None or rows.y_valid is None:
        return (rows.x, rows.y, rows.x_test, rows.y_test), None
    count = len(rows.x_valid)
    if isinstance(valid_size, int) and count != valid_size:
        raise UserError(
            f"{path}: found {count:,} validation rows of its own, data.valid_size is {valid_size:,}. "
            f"Set data.valid_size to {count}, or to a share, which takes the file's own."
        )
    x, y = _joined(path, rows.x_valid, rows.x), _joined(path, rows.y_valid, rows.y)
    return (x, y, rows.x_test, rows.y_test), count


def _check_count(archive: zipfile.ZipFile, members: list[str]) -> None:
    """Refuse an archive whose last record counts other entries.

    A damaged entry can hide the entries behind it unseen.
    """
    end = archive.fp
    if end is None:
        raise zipfile.BadZipFile("it is closed")
    end.seek(max(end.seek(0, os.SEEK_END) - LONGEST_END, 0))
    tail = end.read()
    start = tail.rfind(b"PK\5\6")
    count = int.from_bytes(tail[start + 10 : start + 12], "little")
    if count not in (len(members), 0xFFFF):  # 0xFFFF stands for a number that does not fit
        raise zipfile.BadZipFile(f"it lists {len(members)} arrays and counts {count}")


def _roles(path: str | Path, keys: list[str]) -> dict[str, str]:
    """Return the key of each role in a file by the fields of NpzRows."""
    candidates: dict[str, list[str]] = {}
    for key in sorted(keys):
        if role := _role(key):
            candidates.setdefault(role, []).append(key)
    for role, keys_found in candidates.items():
        if len(keys_found) > 1:
            raise UserError(
                f"{path}: found {' and '.join(keys_found)}, which all may be {_words(role)}. "
                "Save the file with one of them."
            )
    required = {"x", "y"} | {f"{stem}_{role.partition('_')[2]}" for role in candidates if "_" in role for stem in "xy"}
    for role in sorted(required - candidates.keys()):
        stem, _, part = role.partition("_")
        part = {"": "train", "valid": "val"}.get(part, part)
        names = ROWS if stem == "x" else LABELS
        spelled = (f"{stem}_{part}", f"{part}_{names[1]}", *(names if part == "train" else ()))
        raise UserError(
            f"{path}: found {_listed(sorted(keys))}, and no {_words(role)}. Name them one of {', '.join(spelled)}."
        )
    return {role: keys_found[0] for role, keys_found in candidates.items()}


def _role(key: str) -> str | None:
    """Return the role of a key, or None."""
    part = "(?:train|test|validation|valid|val)"
    pattern = f"(?:({part})_?)?({'|'.join((*ROWS, *LABELS))})(?:_?({part}))?"
    match = re.fullmatch(pattern, key.lower())
    if match is None or (match[1] and match[3]):
        return None
    return ("x" if match[2] in ROWS else "y") + PARTS[match[1] or match[3] or ""]


def _words(role: str) -> str:
    """Return a role in words."""
    stem, _, part = role.partition("_")
    part = {"": "training", "valid": "validation"}.get(part, part)
    return f"{part} {'rows' if stem == 'x' else 'labels'}"


def _array(archive: zipfile.ZipFile, path: str | Path, key: str) -> np.ndarray:
    """Return the array under a key.

    The member is read whole because its checksum is compared only then.
    """
    stream = BytesIO(archive.read(f"{key}.npy"))
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header can raise anything
        raise UserError(
            f"{path}: {key} cannot be read ({one_line(error)}). Save it as a plain array of numbers or strings."
        ) from error
    if stream.read(1) or array.ndim == 0:
        wrong = "is one value" if array.ndim == 0 else f"has more bytes than its shape {array.shape} says"
        raise UserError(f"{path}: {key} {wrong}. Save an array with a row for each example.")
    return array


def _joined(path: str | Path, valid: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Put the validation array before the training array."""
    if valid.shape[1:] != train.shape[1:] or valid.dtype.kind != train.dtype.kind:
        raise UserError(
            f"{path}: found validation arrays of {valid.dtype} {valid.shape[1:]} a row and training arrays of "
            f"{train.dtype} {train.shape[1:]}. Save both with one type and shape."
        )
    return np.concatenate([valid, train])


def _listed(keys: list[str]) -> str:
    """List keys for a message."""
    if not keys:
        return "no arrays"
    return f"the arrays {', '.join(keys[:12])}{f' and {len(keys) - 12} more' if len(keys) > 12 else ''}"
