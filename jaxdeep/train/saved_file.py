"""The file of a saved run: a JSON record and arrays in one `.npz`, without pickles, under one digest.

`digest` is the SHA-256 of all other arrays, the record included. So arrays and keys of the record that this version
does not know are covered, and ignored. Later versions may add some without another format.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.train.folders import reason_of
from jaxdeep.train.history import as_json
from jaxdeep.train.leaves import Leaves, leaves_digest

FORMAT: Final = 1
"""Version of the format that is written. All versions up to it can be read."""
RECORD, DIGEST = "record", "digest"
"""Names of the JSON record and of the digest among the arrays."""


def packed(record: Mapping[str, Any], arrays: Leaves) -> bytes:
    """Return the content of a file.

    Args:
        record: JSON values by key, all of them finite. The format is added.
        arrays: Arrays of numbers or truth values, by name.
    """
    text = json.dumps(as_json({"format": FORMAT, **record}), allow_nan=False)
    covered = {**arrays, RECORD: np.frombuffer(text.encode(), np.uint8)}
    members: Any = {**covered, DIGEST: np.array(_digest(covered))}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **members)
    return content.getvalue()


def unpacked_bytes(content: bytes) -> tuple[dict[str, Any], Leaves]:
    """Return the record and the arrays of a file's content, which this version has just written.

    Args:
        content: Bytes that `packed` returned.

    Raises:
        UserError: The content is not what was packed.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if str(arrays.pop(DIGEST)) != _digest(arrays):
        raise UserError("a run was changed on its way from another process. Give the same command again.")
    return json.loads(arrays[RECORD].tobytes()), arrays


def unpacked(path: Path) -> tuple[dict[str, Any], Leaves]:
    """Return the record and the arrays of a file.

    Args:
        path: Path of the file.

    Raises:
        UserError: The file is missing, damaged or changed, no saved run, or of a later format.
    """
    try:
        arrays = _arrays(path)
        record = json.loads(arrays[RECORD].tobytes())
        if not isinstance(record, dict) or type(record.get("format")) is not int:
            raise ValueError("its record has no format")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read ({reason}). Give the path of a saved run.") from error
    except Exception as error:  # damaged bytes can raise anything
        raise UserError(f"{path}: no saved run, or a damaged one ({reason_of(error)}). Save the run again.") from error
    if record["format"] > FORMAT:
        raise UserError(
            f"{path} has format {record['format']}, written by jaxdeep {record.get('jaxdeep')}. This version reads "
            f"formats up to {FORMAT}. Load it with a later version."
        )
    if str(arrays.pop(DIGEST, "")) != _digest(arrays):
        raise UserError(f"{path}: damaged or changed. Its digest is not that of its content. Save the run again.")
    return record, arrays


def is_saved_run(path: Path) -> bool:
    """Return whether a file is a saved run, whole or not.

    Args:
        path: Path of a file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {RECORD, DIGEST} <= set(archive.files)
    except Exception:  # another file can raise anything
        return False


def _arrays(path: Path) -> Leaves:
    """Return all arrays of a file by name. Members that are no arrays are left out."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        members = {name: archive[name] for name in archive.files}
    return {name: array for name, array in members.items() if isinstance(array, np.ndarray)}


def _digest(arrays: Leaves) -> str:
    """Return the digest of arrays in the order of their names."""
    return leaves_digest({name: arrays[name] for name in sorted(arrays)})
