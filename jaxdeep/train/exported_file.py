"""The folder of an exported network: a JSON record under a digest, and the files that it names with theirs.

`digest` is the SHA-256 of all other keys of the record. So keys that this version does not know are covered, and
ignored. Later versions may add some without another format.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from jaxdeep.errors import UserError
from jaxdeep.files import PART, replace_file

FORMAT: Final = 1
"""Version of the format that is written. All versions up to it can be read."""
RECORD: Final = "export.json"
"""Name of the JSON record."""
NETWORK: Final = "network.jax"
"""Name of the file with the network as `jax.export` serialises it."""
ONNX: Final = "model.onnx"
"""Name of the file with the network in ONNX."""
FILES: Final = (RECORD, NETWORK, ONNX)
"""Names of all files of the folder."""
KNOWN: Final = (*FILES, *(name + PART for name in FILES))
"""Names that an export may replace. A killed one may leave a part of a file."""


def write_folder(folder: Path, record: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write the folder of an exported network. The record is written last, so that an unfinished folder has none.

    Args:
        folder: Path of the folder. It is made if it does not exist, and an exported network in it is replaced.
        record: JSON values by key, all of them finite. The format and the digests are added.
        files: Content of the other files by name.

    Raises:
        UserError: The folder has other files, or a file cannot be written.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    content: dict[str, Any] = {"format": FORMAT, **record, "files": digests}
    text = json.dumps({**content, "digest": _digest(content)}, allow_nan=False, indent=1, ensure_ascii=False)
    try:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in KNOWN:
            (folder / name).unlink(missing_ok=True)
        for name, of in {**files, RECORD: f"{text}\n".encode()}.items():
            replace_file(folder / name, of)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}). Choose a folder that can be written."
        ) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder for an exported network that has other files.

    Args:
        folder: Path of the folder, which need not exist.

    Raises:
        UserError: The folder has other files, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file. Choose a folder.")
    if folder.is_dir() and (others := sorted(entry.name for entry in folder.iterdir() if entry.name not in KNOWN)):
        raise UserError(f"{folder} has other files, such as {others[0]}. Choose an empty folder, or a new one.")


def read_folder(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the record of an exported network and its network as `jax.export` serialised it.

    Args:
        folder: Path of the folder.

    Raises:
        UserError: The folder has no exported network, or one that is damaged, changed or of a later format.
    """
    record = _record(folder)
    try:
        network = (folder / NETWORK).read_bytes()
    except OSError as error:
        raise _unreadable(folder / NETWORK, error) from error
    if hashlib.sha256(network).hexdigest() != record["files"].get(NETWORK):
        raise _changed(folder / NETWORK)
    return record, network


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a folder."""
    path = folder / RECORD
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict) or type(record.get("format")) is not int:
            raise ValueError("it has no format")
    except OSError as error:
        raise _unreadable(path, error) from error
    except (RecursionError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: no exported network, or a damaged one ({reason}). Export the run again.") from error
    if record["format"] > FORMAT:
        raise UserError(
            f"{folder} has format {record['format']}, written by jaxdeep {record.get('jaxdeep')}. This version reads "
            f"formats up to {FORMAT}. Load it with a later version."
        )
    digest = record.pop("digest", None)
    with suppress(ValueError):  # NaN, which no record holds
        if digest == _digest(record) and isinstance(record.get("files"), dict):
            return record
    raise _changed(path)


def _digest(content: Mapping[str, Any]) -> str:
    """Return the digest of a record without its digest."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be read ({error.strerror or error}). Give the folder that Run.export wrote.")


def _changed(path: Path) -> UserError:
    return UserError(f"{path}: damaged or changed. Its digest is not that of its content. Export the run again.")
