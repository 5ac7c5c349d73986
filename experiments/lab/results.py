"""The results of claims as JSON files: what was measured, the verdicts, and where they come from.

    runs/claims/NAME.json                    as it was measured here, NAME.quick.json for a quick measurement
    experiments/results/claims/NAME.json     as it is published

A result is computed once. A later call reads it.
"""

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from experiments.lab.claim import Claim, Outcome, findings, overall
from experiments.lab.figure import draw_findings
from experiments.lab.lab import Lab
from experiments.record import RESULTS, origin
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json, write_json

PUBLISHED: Final = RESULTS / "claims"
VERDICTS: Final = {
    "holds": "The interval of every part lies where the claim says.",
    "fails": "The interval of a part excludes what the claim says.",
    "undecided": "The intervals are too wide for a verdict on every part.",
}
"""Sentence on each verdict."""


def command_of(claim: Claim, lab: Lab) -> str:
    """Return the command that repeats a measurement.

    Args:
        claim: Claim that is measured.
        lab: Laboratory that measures it.
    """
    quick = " --quick" if lab.quick else ""
    synthetic = " --data synthetic" if lab.source == "synthetic" else ""
    return f"python -m experiments.claims --claim {claim.name}{quick}{synthetic}"


def stored(claim: Claim, lab: Lab) -> dict[str, Any] | None:
    """Return the result of an earlier measurement, or None.

    Args:
        claim: Claim that was measured.
        lab: Laboratory that measures it.
    """
    paths = [path_of(claim, lab), *([] if lab.quick or lab.source == "synthetic" else [published(claim)])]
    return next((read_json(path) for path in paths if path.exists()), None)


def path_of(claim: Claim, lab: Lab) -> Path:
    """Return the path of the result of a measurement.

    Args:
        claim: Claim that is measured.
        lab: Laboratory that measures it.
    """
    marks = (".quick" if lab.quick else "") + (".synthetic" if lab.source == "synthetic" else "")
    return lab.folder / f"{claim.name}{marks}.json"


def published(claim: Claim) -> Path:
    """Return the path of a claim's published result.

    Args:
        claim: Claim that is measured.
    """
    return PUBLISHED / f"{claim.name}.json"


def measured(claim: Claim, lab: Lab) -> dict[str, Any]:
    """Measure a claim, and store its result with its figure.

    Args:
        claim: Claim to measure.
        lab: Laboratory to measure it in.

    Returns:
        The result as JSON values.
    """
    began = time.perf_counter()
    outcome = claim.measure(lab)
    result = {**to_json(claim, lab, outcome), "seconds": round(time.perf_counter() - began, 1)}
    path = path_of(claim, lab)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_findings(path.with_suffix(".png"), result)
    write_json(path, result)
    return result


def to_json(claim: Claim, lab: Lab, outcome: Outcome) -> dict[str, Any]:
    """Return the result of a measurement as JSON values.

    Args:
        claim: Claim that was measured.
        lab: Laboratory that measured it.
        outcome: Parts and tables of the measurement.
    """
    found = findings(outcome.parts)
    verdict = overall(found)
    return {
        "name": claim.name,
        "statement": claim.statement,
        "sources": list(claim.sources),
        "questions": list(claim.questions),
        "section": claim.section,
        "hypothesis": claim.hypothesis,
        "parts": [finding.to_json() for finding in found],
        "verdict": verdict,
        "verdict_text": VERDICTS[verdict],
        "reduced": outcome.reduced,
        "notes": outcome.notes,
        "tables": [asdict(table) for table in outcome.tables],
        "quick": lab.quick,
        "data": _data(claim, lab),
        **origin(command_of(claim, lab)),
    }


def _data(claim: Claim, lab: Lab) -> dict[str, Any]:
    """Return the name and the origin of the images."""
    if claim.dataset is None:
        return {"name": "none", "source": "no images", "synthetic": False}
    images = lab.images(claim.dataset)
    return {"name": images.name, "source": images.source, "synthetic": images.name.startswith("synthetic")}


def publish(claim: Claim, lab: Lab) -> None:
    """Copy a result and its figure into the repository.

    Args:
        claim: Claim that was measured.
        lab: Laboratory that measured it.

    Raises:
        UserError: The measurement is a quick one, its images are synthetic, or it was made of changed files.
    """
    path = path_of(claim, lab)
    if not path.exists():
        return  # it is published already
    result = read_json(path)
    if result["quick"] or result["data"]["synthetic"]:
        raise UserError(
            "--record is for full measurements on real images. Leave it out, or --quick and synthetic data."
        )
    if result["changed"]:
        raise UserError(
            f"{claim.name} was measured by files that no commit holds. Commit them, and measure it --again."
        )
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    for ending in (".json", ".svg", ".png"):
        shutil.copyfile(path.with_suffix(ending), published(claim).with_suffix(ending))
