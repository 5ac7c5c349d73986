"""experiments/results/STUDIES.md, and what the README takes of it: the recorded studies, their verdicts and costs."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from docs.pages.records import RESULTS, histories, record_name, summaries
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

Written by `python -m docs.publish` from the records in this folder. A figure is a mean over seeds 42, 43, ..., ±
half of its 95% interval (Student's t). A wall time is that of the whole study from the images on the device to the last
trial's end, compilation, validation and checkpoints included. Those of the grids of elu and bn are a quiet machine's;
tests ran on the same two cores while the others were made.
"""


def studies_page(results: Path = RESULTS) -> str:
    """The text of STUDIES.md."""
    exercise, comparison = exercise_8(results)
    parts = [INTRODUCTION, "## Exercise 8, a to f\n", costs_table(exercise)]
    count = pairs_compared(comparison)
    parts += [f"\nAll pairs, over common seeds and common images; p-values corrected for {count} pairs (Holm).\n"]
    for figure, images in (("val_accuracy", "validation"), ("test_accuracy", "test")):
        parts += [f"On the {images} images:\n", *(f"- {line}" for line in sentences(comparison, figure)), ""]
    for record in summaries("cifar", results, grids=True):
        parts += grid_section(record)
    return "\n".join(parts)


@cache
def exercise_8(results: Path = RESULTS) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """The records of the exercise's configurations, and their comparison."""
    folder = results / "cifar"
    studies = [read_study(name, folder / f"{name}.json", folder / f"{name}.npz") for name in EXERCISE]
    return [study.summary for study in studies], compare(studies)


def draw_exercise_8(path: Path, results: Path = RESULTS) -> None:
    """Draw the learning curves of the exercise's configurations.

    Args:
        path: of the PNG file.
        results: folder of the records.
    """
    curves = {name: histories("cifar", name, results) for name in reversed(EXERCISE)}
    seeds = min(map(len, curves.values()))
    learning_curves(path, curves, f"Exercise 8 on CIFAR-10, {seeds} seeds each")


def verdicts(results: Path = RESULTS) -> str:
    """The exercise's answers: the test images' differences of all pairs, and its questions in words."""
    _, comparison = exercise_8(results)
    headers, *rows = matrix(comparison, "test_accuracy")
    asked = {(pair["one"], pair["other"]): pair for pair in comparison["pairs"]}
    of_questions = {"pairs": [asked[question] for question in QUESTIONS]}
    lines = (f"- {line}" for line in sentences(of_questions, "test_accuracy"))
    return "\n".join((markdown_table(headers, rows), "", *lines))


def costs_table(records: Sequence[Mapping[str, Any]]) -> str:
    """What repeats each study, and what it took."""
    rows = [
        (f"`{record['command']}`", runs_of(record), f"{_epochs(record):,}", _wall(record), record["device"])
        for record in records
    ]
    return markdown_table(("command", "runs", "epochs", "wall time", "device"), rows)


def grid_section(record: Mapping[str, Any]) -> list[str]:
    """A study over a grid: command, wall time, table and picture."""
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
    picture = f"{record['experiment']}/{record_name(record)}.rates.png"
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
