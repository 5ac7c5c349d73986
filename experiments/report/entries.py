"""What a page can show: a study, a claim, the record of a question, a tuning, a comparison or a range test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from experiments import cifar, fashion_mnist, mnist
from jaxdeep.config import Config, differences
from jaxdeep.errors import UserError
from jaxdeep.report.page.study import KINDS, Origin
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.files import read_json
from jaxdeep.study.result import StudyResult
from jaxdeep.study.stored import read_study
from jaxdeep.study.tuning import Tuning

Kind = Literal["study", "claim", "record", "tuning", "comparison", "range test"]
RECIPES: Final = {"cifar": cifar.CONFIGS, "fashion_mnist": fashion_mnist.CONFIGS, "mnist": mnist.CONFIGS}
FIRST_SEED: Final = 42
"""Seed that an experiment's command begins with."""
FAULTS: Final = (OSError, UserError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""Errors that a damaged or foreign file may raise, wherever it is read."""


@dataclass(frozen=True)
class Entry:
    """A file that a page shows.

    Attributes:
        kind: What the file holds.
        experiment: Name of the experiment, or of the study's family.
        name: Name of the record, or of a folder of runs.
        content: JSON values of the file.
        origin: Date, description and pictures.
        value: The typed value of a study, a tuning or a comparison. None for other kinds.
    """

    kind: Kind
    experiment: str
    name: str
    content: Mapping[str, Any]
    origin: Origin
    value: Any = None


@dataclass(frozen=True)
class Fault:
    """A file or folder that cannot be shown.

    Attributes:
        path: Path as readers see it.
        reason: What is wrong, in a sentence without its full stop.
    """

    path: str
    reason: str


def kind_of(content: Mapping[str, Any]) -> Kind:
    """Return what a file holds.

    Args:
        content: JSON values of the file.

    Raises:
        UserError: It is nothing that a page can show.
    """
    if "parts" in content or ("verdict" in content and "statement" in content):
        return "claim"
    if "configurations" in content:
        return "tuning"
    if "pairs" in content and "means" in content:
        return "comparison"
    if "suggestions" in content and "rates" in content:
        return "range test"
    if "runs" in content and "config" in content:
        return "study"
    if "question" in content:
        return "record"
    raise UserError("it holds no study, claim, record, tuning, comparison or range test")


def read_entry(path: Path, name: str, origin: Origin) -> Entry:
    """Read a file that a page can show.

    Args:
        path: Path of the JSON file. The rows of a study lie beside it, as hits.npz or under the name of a record.
        name: Name of the record, or of a folder of runs.
        origin: Date and pictures.

    Raises:
        UserError: The file cannot be read, or it is nothing that a page can show.
    """
    content = read_json(path)
    kind = kind_of(content)
    date = str(content.get("time") or "")[:10] or origin.date
    experiment = str(content.get("experiment") or {"claim": "claims"}.get(kind, ""))
    entry = Entry(kind, experiment, str(content.get("name", name)) if kind == "claim" else name, content, origin)
    entry = replace(entry, origin=replace(origin, date=date))
    if kind == "tuning":
        return replace(entry, value=Tuning.from_json(content))
    if kind == "comparison":
        return replace(entry, value=Comparison.from_json(content))
    if kind != "study":
        return entry
    beside = (path.with_name("hits.npz") if path.name == "summary.json" else path.with_suffix(".npz"),)
    study = read_study(path, None, next((file for file in beside if file.exists()), None))
    recipe = RECIPES.get(study.experiment, {}).get(study.name)
    if recipe is not None:
        found = differences(recipe.config.to_dict(), Config.from_dict(study.config).to_dict())
        study = replace(study, changed={field: value for field, (_, value) in found.items()})
        entry = replace(entry, origin=replace(entry.origin, description=recipe.description))
        study = replace(study, command=study.command or _command(study))
    return replace(entry, value=study)


def _command(study: StudyResult) -> str | None:
    """Return the command of a study of an unchanged configuration, which version 0.1 did not record."""
    seeds = len(study.seeds)
    if study.changed or study.varied or study.folds or study.seeds != tuple(range(FIRST_SEED, FIRST_SEED + seeds)):
        return None
    return f"python -m experiments.{study.experiment} --config {study.name} --seeds {seeds}"


def pictures_of(folder: Path, stem: str = "") -> dict[str, Path]:
    """Return the pictures of a study by their kind.

    Args:
        folder: Folder of the pictures.
        stem: Name of the record. "" for a run's folder, whose pictures are named by their kind alone.
    """
    found = {}
    for kind in KINDS:
        own = stem if kind == "curves" else f"{stem}.{kind}"
        for ending in ("svg", "png"):
            path = folder / f"{own if stem else kind}.{ending}"
            if kind not in found and path.exists():
                found[kind] = path
    return found
