"""The pictures that the records have already: figures.json lists them by reference, and nothing draws them anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from experiments.figures.figure import SECTIONS
from jaxdeep.study.files import read_json

(INITIALISERS, _, _, TRANSFERS, _, RATES, REGULARISERS, EXERCISE, _, COMPRESSION) = SECTIONS


class Kind(NamedTuple):
    """A kind of pictures in the records.

    Attributes:
        pattern: Pattern of their paths below the folder of the records.
        section: Section of the chapter.
        title: Beginning of their titles.
        caption: What they show.
        summary: Ending of the record beside the picture, in place of the pattern's own. None for a picture of many
            records.
    """

    pattern: str
    section: str
    title: str
    caption: str
    summary: str | None = ".json"


KINDS: Final = (
    Kind(
        "transfer/*.png",
        TRANSFERS,
        "Transfer",
        "Test accuracy, or the error from scratch over that with transfer. Intervals are of 95%.",
    ),
    Kind(
        "*/*.rates.png",
        RATES,
        "Accuracy against learning rate",
        "A search over learning rates, as one study. The range test stands beside it.",
    ),
    Kind(
        "*/*.diagnostics.png",
        INITIALISERS,
        "Layers during training",
        "Activations, gradients, updates and dead units of each layer, before each epoch's first step.",
    ),
    Kind(
        "*/*.find-lr.png",
        RATES,
        "Range test",
        "Batch loss against learning rate for all seeds, with the suggested rates.",
        ".find-lr.json",
    ),
    Kind(
        "*/*.reliability.png",
        REGULARISERS,
        "Reliability",
        "Accuracy against confidence of the network, of MC dropout and of the ensemble.",
    ),
    Kind(
        "*/*.first_image.png",
        REGULARISERS,
        "MC dropout on the first test image",
        "The class probabilities of all samples, class by class, with their mean and standard deviation.",
    ),
    Kind(
        "*/*.certainty.png",
        REGULARISERS,
        "Images with predictions",
        "The test images that MC dropout is most and least certain about, with its predictions.",
    ),
    Kind(
        "*/*.samples.png",
        REGULARISERS,
        "Number of MC samples",
        "What more samples of MC dropout change.",
    ),
    Kind(
        "*/*.risk_coverage.png",
        REGULARISERS,
        "Risk and coverage",
        "The error that is left if the least certain images are refused.",
    ),
    Kind(
        "exercise_8.png",
        EXERCISE,
        "Learning curves of exercise 8",
        "Loss and accuracy of the exercise's networks by epoch, means with their 95% intervals.",
        None,
    ),
    Kind(
        "compress/sparse-*.png",
        COMPRESSION,
        "Sparsity against accuracy",
        "Test accuracy of each way to a sparse network, by its share of zeros.",
    ),
    Kind(
        "compress/serve-*.png",
        COMPRESSION,
        "Low latency",
        "Accuracy, latency and size of networks that are folded, small or of low precision.",
    ),
)
"""All kinds, in the order of the chapter."""


def references(results: Path) -> list[dict[str, Any]]:
    """Return an entry of figures.json for each picture in the records.

    Args:
        results: Folder of the records, whose folder `figures` holds figures.json.
    """
    return [entry for kind in KINDS for entry in _entries(results, kind)]


def _entries(results: Path, kind: Kind) -> Iterator[dict[str, Any]]:
    """Yield the entries of a kind of pictures."""
    for path in sorted(results.glob(kind.pattern)):
        name = path.relative_to(results).with_suffix("").as_posix()
        ending = "".join(Path(kind.pattern.replace("*", "x")).suffixes)
        record: dict[str, Any] = {}
        if kind.summary is not None:
            summary = path.with_name(path.name.removesuffix(ending) + kind.summary)
            if not summary.exists():
                continue
            record = read_json(summary)
        yield {
            "name": name,
            "title": f"{kind.title}: {_subject(path, ending, record)}" if record else kind.title,
            "caption": kind.caption,
            "section": kind.section,
            "command": _command(record),
            "file": f"../{path.relative_to(results).as_posix()}",
            "synthetic": bool(record.get("data", {}).get("synthetic")),
        }


def _subject(path: Path, ending: str, record: dict[str, Any]) -> str:
    """Return what a record is about: its own title, or its experiment, its configuration and what was varied."""
    name = path.name.removesuffix(ending)
    return record.get("title") or f"{path.parent.name} {name.replace(',', ', ')}"


def _command(record: dict[str, Any]) -> str:
    """Return the command that draws a picture again with its record."""
    if not record:
        return "python -m docs.publish --write"
    if "turning_points" in record:
        flags = f"--config {record['name']} --find-lr --seeds {len(record['seeds'])}"
        return f"python -m experiments.{record['experiment']} {flags}"
    return record["command"]
