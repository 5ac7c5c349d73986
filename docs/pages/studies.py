"""experiments/results/STUDIES.md, and what the README takes of it: the recorded studies, their verdicts and costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from docs.pages.records import Records
from jaxdeep.config import short
from jaxdeep.config.config import TRACED
from jaxdeep.report.comparison_text import matrix, pairs_compared, sentences
from jaxdeep.report.figures import learning_curves
from jaxdeep.report.tables import FIGURES, markdown_table, runs_of, with_interval
from jaxdeep.study.compare import compare, read_study
from jaxdeep.study.result import best_point

EXERCISE: Final = ("onecycle", "alpha_dropout", "selu", "bn_swish", "bn", "swish", "elu")
"""Exercise 8, f to a: a pair's first one is what came later."""
QUESTIONS: Final = (
    *(("swish", "elu"), ("bn", "elu"), ("bn_swish", "bn"), ("selu", "elu"), ("selu", "bn"), ("alpha_dropout", "selu")),
    ("onecycle", "alpha_dropout"),
)
"""What the exercise asks of them: is the first one better?"""
INTRODUCTION: Final = """# The studies

Written by `python -m docs.publish --write` from the records in this folder. A figure is a mean over seeds 42, 43,
..., ± half of its 95% interval (Student's t). A wall time is that of the whole study from the images on the device to
the last trial's end, compilation, validation and checkpoints included. Those of the grids of elu and bn are a quiet
machine's; tests ran on the same two cores while the others were made.
"""


def studies_page(records: Records) -> str:
    """Return the text of STUDIES.md."""
    exercise, comparison = exercise_8(records)
    parts = [INTRODUCTION, "## Exercise 8, a to f\n", costs_table(exercise)]
    count = pairs_compared(comparison)
    parts += [f"\nAll pairs, over common seeds and common images; p-values corrected for {count} pairs (Holm).\n"]
    for figure, images in (("val_accuracy", "validation"), ("test_accuracy", "test")):
        parts += [f"On the {images} images:\n", *(f"- {line}" for line in sentences(comparison, figure)), ""]
    for record in records.summaries("cifar", grids=True):
        parts += grid_section(record, records.name_of(record))
    return "\n".join(parts)


def exercise_8(records: Records) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """Return the records of the exercise's configurations, and their comparison."""
    folder = records.folder / "cifar"
    studies = [read_study(name, folder / f"{name}.json", folder / f"{name}.npz") for name in EXERCISE]
    return [study.summary for study in studies], compare(studies)


def draw_exercise_8(path: Path, records: Records) -> None:
    """Draw the learning curves of the exercise's configurations.

    Args:
        path: of the PNG file.
        records: the records of `cifar`.
    """
    curves = {name: records.histories("cifar", name) for name in reversed(EXERCISE)}
    seeds = min(map(len, curves.values()))
    learning_curves(path, curves, f"Exercise 8 on CIFAR-10, {seeds} seeds each")


def verdicts(records: Records) -> str:
    """Return the exercise's answers: the test accuracy's differences of all pairs, and its questions in words."""
    _, comparison = exercise_8(records)
    headers, *rows = matrix(comparison, "test_accuracy")
    asked = {(pair["one"], pair["other"]): pair for pair in comparison["pairs"]}
    of_questions = {"pairs": [asked[question] for question in QUESTIONS]}
    lines = (f"- {line}" for line in sentences(of_questions, "test_accuracy"))
    return "\n".join((markdown_table(headers, rows), "", *lines))


def costs_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the command that repeats each study, and of what it took."""
    rows = [
        (f"`{record['command']}`", runs_of(record), f"{_epochs(record):,}", _wall(record), record["device"])
        for record in records
    ]
    return markdown_table(("command", "runs", "epochs", "wall time", "device"), rows)


def grid_section(record: Mapping[str, Any], name: str) -> list[str]:
    """Return the lines on a study over a grid: command, wall time, table and picture.

    Args:
        record: the study's summary.
        name: name of its files in the records, without an ending.
    """
    names, best = list(record["grid"]), best_point(record)
    rows = []
    for point in record["points"]:
        values = [short(value) for value in point["values"].values()]
        rows.append(
            (
                *([f"**{value}**" for value in values] if point is best else values),
                runs_of(record, point),
                f"{point['mean']['best_epoch']['mean']:.1f}",
                *(with_interval(point["mean"][figure]) for figure in FIGURES),
            )
        )
    picture = f"{record['experiment']}/{name}.rates.png"
    suggestion, most = record["range_test"]["suggestion"], record["config"]["train"]["epochs"]
    programs = ", one compiled program" if set(names) <= set(TRACED) else ""
    headers = (*names, "runs", "kept epoch", *(figure.replace("_", " ") for figure in FIGURES))
    return [
        f"## {record['experiment']} {record['name']}: {' x '.join(names)}\n",
        f"`{record['command']}`\n",
        f"{len(record['runs'])} runs of at most {most} epochs, {_epochs(record):,} epochs "
        f"in all{programs}: {_wall(record)} on {record['device']}. "
        f"{'Bold: the lowest mean validation loss' if best else 'None is bold: each lost a run (diverged)'}. "
        f"The finder suggests {'nothing' if suggestion is None else f'{suggestion:.1e}'}{_lost_by_finder(record)}.\n",
        markdown_table(headers, rows),
        f"\n![Accuracy against learning rate]({picture.replace(' ', '%20')})\n",
    ]


def _lost_by_finder(record: Mapping[str, Any]) -> str:
    found = record["range_test"]
    lost = found.get("without_suggestion", 0)
    return f" ({lost} of its {len(found['seeds'])} seeds have no suggestion)" if lost else ""


def _epochs(record: Mapping[str, Any]) -> int:
    return sum(run["epochs"] for run in record["runs"])


def _wall(record: Mapping[str, Any]) -> str:
    minutes, seconds = divmod(round(record["wall_seconds"]), 60)
    return f"{minutes} min {seconds:02} s"
