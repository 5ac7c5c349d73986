"""The records of the repository: studies, claims and questions, and figures that need no training."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from experiments.report.entries import FAULTS, Entry, Fault, pictures_of, read_entry
from jaxdeep.report.page.study import Origin
from jaxdeep.study.files import read_json

ENDINGS: Final = (".tune.json", ".find-lr.json", ".json")
"""Endings of a record's file, the longest first."""
LISTING: Final = "figures.json"
"""List of the figures in a folder."""
FIGURES: Final = "figures"
"""Folder of the figures that need no training, with their list."""


@dataclass
class Gathered:
    """What was found.

    Attributes:
        entries: Files that a page shows.
        faults: Files and folders that it cannot show.
        figures: Entry of figures.json for each figure that needs no training.
        folder: Folder that was searched.
    """

    folder: Path
    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str, experiment: str | None = None) -> list[Entry]:
        """Return the entries of a kind.

        Args:
            kind: What the files hold.
            experiment: Name of an experiment, or None for all.
        """
        return [of for of in self.entries if of.kind == kind and experiment in (None, of.experiment)]


def gather_records(results: Path) -> Gathered:
    """Return all records below a folder.

    Args:
        results: Folder of the records, with a folder for each experiment.
    """
    found, dates = Gathered(results), commit_dates(results)
    for path in sorted(results.glob("*/*.json")):
        shown = path.relative_to(results).as_posix()
        if path.parent.name == FIGURES:
            continue
        stem = next(path.name.removesuffix(ending) for ending in ENDINGS if path.name.endswith(ending))
        pictures = pictures_of(path.parent, stem) if path.name == f"{stem}.json" else _range_test_picture(path, stem)
        origin = Origin(dates.get(shown, ""), "", pictures, f"experiments/results/{shown}")
        try:
            found.entries.append(read_entry(path, stem, origin))
        except FAULTS as error:
            found.faults.append(Fault(shown, reason_of(error, path)))
    found.figures = list(listed_figures(results / FIGURES, found.faults))
    return found


def _range_test_picture(path: Path, stem: str) -> dict[str, Path]:
    """Return the picture of a range test, under the kind that all other records use for their first one."""
    drawing = path.with_name(f"{stem}.find-lr.svg")
    return {"curves": drawing} if path.name.endswith(".find-lr.json") and drawing.exists() else {}


def listed_figures(folder: Path, faults: list[Fault]) -> Iterator[dict[str, Any]]:
    """Yield the entries of figures.json, each with the path of its picture.

    An entry whose file lies outside of the folder is a picture of another record, which the page shows there.

    Args:
        folder: Folder of the figures.
        faults: Takes the figures whose pictures are missing.
    """
    listing = folder / LISTING
    if not listing.exists():
        return
    try:
        listed = read_listing(listing)
    except FAULTS as error:
        faults.append(Fault(f"{FIGURES}/{listing.name}", reason_of(error, listing)))
        return
    for entry in listed:
        if "/" in str(entry.get("file", "")):
            continue
        path = next((of for kind in ("svg", "png") if (of := folder / f"{entry.get('name')}.{kind}").exists()), None)
        if path is None:
            faults.append(Fault(f"{FIGURES}/{entry.get('name')}", "its picture is not there"))
        else:
            yield {**entry, "path": path}


def read_listing(path: Path) -> Sequence[dict[str, Any]]:
    """Return the entries of figures.json, which is a list, or an object with a list under "figures".

    Args:
        path: Path of the file.

    Raises:
        ValueError: It is neither.
    """
    content = json.loads(path.read_text())
    listed = content.get("figures") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ValueError("it holds no list of figures")
    return listed


def commit_dates(folder: Path) -> dict[str, str]:
    """Return the date on which each file below a folder was last committed, by its path from the folder.

    Args:
        folder: Folder in a checkout. Outside of one nothing is known.
    """
    words = ("git", "log", "--format=date:%as", "--name-only", "--relative", "--", ".")
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    dates: dict[str, str] = {}
    date = ""
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        if line.startswith("date:"):
            date = line.removeprefix("date:")
        elif line:
            dates.setdefault(line.strip('"'), date)
    return dates


def reason_of(error: BaseException, path: Path) -> str:
    """Return what is wrong in a line, without the path, which stands beside it.

    Args:
        error: Error that reading the file raised.
        path: Path of the file.
    """
    if isinstance(error, KeyError):
        return f"it has no {error}"
    text = " ".join(str(error).split()).replace(f"{path}: ", "").replace(str(path), path.name)
    return text.rstrip(".") or type(error).__name__


def bench_records(folder: Path, faults: list[Fault]) -> list[tuple[str, dict[str, Any]]]:
    """Return the records of the bench by the names of their files, the latest first.

    Args:
        folder: Folder of the records.
        faults: Takes the files that cannot be read.
    """
    found = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            found.append((path.name, read_json(path)))
        except FAULTS as error:
            faults.append(Fault(f"bench/records/{path.name}", reason_of(error, path)))
    return found
