"""Whose a folder is: the study that it says it holds, and the files of a study."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.stored import UNCERTAINTY_PICTURES

FILES = (
    *("config.json", "metrics.jsonl", "summary.json", "hits.npz", "curves.png", "rates.png", "wall.json"),
    *UNCERTAINTY_PICTURES,
    *("tensorboard", "checkpoints", "profile"),
)
WRITTEN_BY = "jaxdeep"
"""The key of config.json that says which version wrote it."""


def identity_there(folder: Path, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a folder says that it is: by config.json, and where that is lost by the summary.

    Args:
        folder: folder that is not empty.
        wanted: identity of the study that is asked for, as nested JSON values.

    Raises:
        UserError: it is no run folder, or does not say any more what it is.
    """
    config = folder / "config.json"
    found = content_of(config)
    if found is not None and {"config", "data"} <= found.keys():
        found.pop(WRITTEN_BY, None)
        return found
    summary = content_of(folder / "summary.json")
    if summary is not None and all(name in summary for name in wanted):
        return {name: summary[name] for name in wanted}
    mend = "give the same command another --workdir, stop it, and copy its config.json to here"
    if config.exists():
        raise UserError(
            f"{folder}: cannot be used as a run folder (config.json is damaged). To go on, {mend}. "
            "--overwrite starts the run anew"
        )
    raise UserError(
        f"{folder} is not empty and holds no config.json: not a run folder. Choose another folder. If it is one, {mend}"
    )


def says(config: Path, identity: Mapping[str, Any]) -> bool:
    """Return whether a config.json is whole and that of a study.

    Args:
        config: path of the config.json.
        identity: identity of the study, as nested JSON values.
    """
    found = content_of(config)
    if found is None:
        return False
    found.pop(WRITTEN_BY, None)
    return relation(found, identity) is Relation.SAME


def version_there(folder: Path) -> str:
    """Return which version wrote a folder. Version 0.1 said so in finished folders alone.

    Args:
        folder: a run folder.
    """
    versions = (content_of(folder / "summary.json") or {}).get("versions")
    found = (content_of(folder / "config.json") or {}).get(WRITTEN_BY)
    return f"jaxdeep {found or (versions or {}).get('jaxdeep') or '0.1'}"


def remove_study(path: Path) -> None:
    """Remove what a study writes, and nothing else that a user may keep there.

    Args:
        path: a run folder.
    """
    for name in FILES:
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def content_of(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None where it cannot be read.

    Args:
        path: path of the file.
    """
    try:
        return read_json(path)
    except UserError:
        return None


def reason_of(path: Path, error: OSError) -> str:
    """Return why a folder cannot be made or opened.

    Args:
        path: path of the folder.
        error: what the system said.
    """
    if os.path.islink(path) and not os.path.exists(path):
        return "a link to what is not there"
    return "a file, not a folder" if os.path.isfile(path) else error.strerror or str(error)
