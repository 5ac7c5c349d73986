"""What lies below a folder of runs: finished runs, unfinished runs, and what cannot be read."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from experiments.report.entries import FAULTS, Entry, Fault, pictures_of, read_entry
from experiments.report.repository import LISTING, Gathered, listed_figures, reason_of
from jaxdeep.report.page.study import Origin
from jaxdeep.study.files import read_json
from jaxdeep.study.stored import SUMMARY, read_stored

FINISHED: Final = (SUMMARY, "record.json", "tune.json", "comparison.json", "lr_finder.json")
"""Files that a finished run, study or test leaves."""
STARTED: Final = ("config.json", "metrics.jsonl", "points.json", "wall.json", "curves.png")
"""Files of a folder whose command has not finished."""
INSIDE: Final = ("checkpoints", "tensorboard", "networks", "sources", "profile", "search", "tuned", "trained")
"""Folders that belong to a run."""
CLAIMS: Final = "claims"
"""Folder of measured claims. Its inner folders hold their networks."""
OWN_PICTURES: Final = {"record.json": "figure", "lr_finder.json": "lr_finder", "comparison.json": "curves"}
"""Name of the picture beside a file that is no summary."""


def gather_runs(runs: Path) -> Gathered:
    """Return what lies below a folder of runs.

    Args:
        runs: Folder of the runs. It need not exist.
    """
    found = Gathered(runs)

    def refused(error: OSError) -> None:
        found.faults.append(Fault(_shown(Path(error.filename), runs), error.strerror or str(error)))

    for name, folders, files in os.walk(runs, onerror=refused):
        folder = Path(name)
        finished = [file for file in FINISHED if file in files]
        finished += [file for file in sorted(files) if folder.name == CLAIMS and file.endswith(".json")]
        for file in finished:
            _add(found, folder / file, alone=len(finished) == 1)
        if LISTING in files:
            found.figures += listed_figures(folder, found.faults)
        elif not finished and (started := [file for file in STARTED if file in files]):
            found.faults.append(Fault(_shown(folder, runs), f"it is not finished ({_progress(folder, started)})"))
        elif not finished and not folders and folder != runs:
            found.faults.append(Fault(_shown(folder, runs), "it holds no run"))
        is_run = bool(finished) or any(file in files for file in STARTED)
        folders[:] = sorted(inner for inner in folders if not (is_run and inner in INSIDE))
    found.entries.sort(key=lambda entry: (entry.experiment, entry.name))
    return found


def _add(found: Gathered, path: Path, *, alone: bool) -> None:
    """Read a file of a finished run, or say what is wrong with it."""
    folder = path.parent
    shown = _shown(folder if alone else path, found.folder)
    try:
        date = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
        pictures = pictures_of(folder) if path.name == SUMMARY else dict(_own_picture(path))
        pictures |= pictures_of(folder, path.stem) if folder.name == CLAIMS else {}
        faults = tuple(_faults(folder)) if path.name == SUMMARY else ()
        entry: Entry = read_entry(path, shown, Origin(date, "", pictures, shown, faults))
        found.entries.append(entry)
    except FAULTS as error:
        found.faults.append(Fault(shown, f"{path.name} {reason_of(error, path)}"))


def _own_picture(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the picture beside a file that is no summary."""
    for kind in ("svg", "png"):
        if (name := OWN_PICTURES.get(path.name)) and (picture := path.with_name(f"{name}.{kind}")).exists():
            yield "curves", picture
            return


def _faults(folder: Path) -> Iterator[str]:
    """Yield sentences on the files of a finished study that are missing or were changed."""
    stored = read_stored(folder)
    for name, fault in stored.faults.items() if stored is not None else ():
        yield f"{name} {fault}."


def _progress(folder: Path, started: list[str]) -> str:
    """Return how far an unfinished command has come."""
    try:
        if "metrics.jsonl" in started:
            lines = (folder / "metrics.jsonl").read_bytes().count(b"\n")
            return f"{lines:,} epoch{'' if lines == 1 else 's'} of all runs so far"
        if "points.json" in started:
            points = read_json(folder / "points.json").get("points") or {}
            return f"{len(points):,} points so far"
    except FAULTS as error:
        return reason_of(error, folder)
    return f"only {', '.join(started)}"


def _shown(path: Path, runs: Path) -> str:
    """Return a path as readers see it: below the folder of runs, and never of this machine."""
    return path.relative_to(runs).as_posix() if path != runs and path.is_relative_to(runs) else path.name
