"""Identity of a run folder: the study that it holds, and the files that a study writes."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.stored import EARLIER_PICTURES, STUDY_PICTURES, UNCERTAINTY_PICTURES
from jaxdeep.train.saved import NETWORKS

FILES = (
    *("config.json", "metrics.jsonl", "summary.json", "hits.npz", "wall.json"),
    *STUDY_PICTURES,
    *UNCERTAINTY_PICTURES,
    *EARLIER_PICTURES,
    *("tensorboard", "checkpoints", NETWORKS, "profile"),
)
"""Names of all files and folders that a study writes."""
WRITTEN_BY = "jaxdeep"
"""Key of config.json that holds the version which wrote it."""


def identity_there(folder: Path, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the identity of the study in a folder. It stands in config.json, or in the summary if that is lost.

    Args:
        folder: Folder that is not empty.
        wanted: Identity of the requested study as nested JSON values.

    Returns:
        Identity of the stored study as nested JSON values.

    Raises:
        UserError: The folder is no run folder, or its config.json and its summary are lost or damaged.
    """
    config = folder / "config.json"
    identity = content_of(config)
    if identity is not None and {"config", "data"} <= identity.keys():
        identity.pop(WRITTEN_BY, None)
        return identity
    summary = content_of(folder / "summary.json")
    if summary is not None and all(name in summary for name in wanted):
        return {name: summary[name] for name in wanted}
    repair = "give the same command another --workdir, stop it, and copy its config.json to here"
    if config.exists():
        raise UserError(
            f"{folder}: cannot be used as a run folder (config.json is damaged). To continue, {repair}. "
            "To start anew, add --overwrite."
        )
    raise UserError(
        f"{folder} is not empty and holds no config.json: not a run folder. Choose another folder. "
        f"If it is a run folder, {repair}."
    )


def says(config: Path, identity: Mapping[str, Any]) -> bool:
    """Return whether a config.json can be read and holds the identity of a study, without a field that it lacks.

    Args:
        config: Path of the config.json.
        identity: Identity of the study as nested JSON values.
    """
    stored = content_of(config)
    if stored is None:
        return False
    stored.pop(WRITTEN_BY, None)
    is_known = _names(stored.get("config")) <= _names(identity["config"])
    return is_known and relation(stored, identity) is Relation.SAME


def _names(config: Any) -> set[tuple[str, str]]:
    """Return the fields of a configuration as pairs of names. None stands for what is no configuration."""
    parts = config.items() if isinstance(config, Mapping) else ()
    return {(part, field) for part, fields in parts if isinstance(fields, Mapping) for field in fields}


def version_there(folder: Path) -> str:
    """Return the name of the version that wrote a folder. Version 0.1 recorded it only in finished folders.

    Args:
        folder: Path of a run folder.

    Returns:
        A name such as "jaxdeep 0.2".
    """
    versions = (content_of(folder / "summary.json") or {}).get("versions")
    written_by = (content_of(folder / "config.json") or {}).get(WRITTEN_BY)
    return f"jaxdeep {written_by or (versions or {}).get('jaxdeep') or '0.1'}"


def remove_study(path: Path) -> None:
    """Remove the files that a study writes. Other files of the user stay.

    Args:
        path: Path of a run folder.
    """
    for name in FILES:
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def content_of(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file.

    Args:
        path: Path of the file.

    Returns:
        The object, or None if the file cannot be read.
    """
    try:
        return read_json(path)
    except UserError:
        return None


def reason_of(path: Path, error: OSError) -> str:
    """Return why a folder cannot be made or opened.

    Args:
        path: Path of the folder.
        error: Error that the system raised.
    """
    if os.path.islink(path) and not os.path.exists(path):
        return "a link to a missing file"
    return "a file, not a folder" if os.path.isfile(path) else error.strerror or str(error)
