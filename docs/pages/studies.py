"""experiments/results/STUDIES.md, and what the README takes of it: the recorded studies, their verdicts and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from docs.pages.records import Records
from jaxdeep.analysis.evidence import p_cell
from jaxdeep.config import short
from jaxdeep.config.config import TRACED
from jaxdeep.report.comparison_text import matrix, sentences
from jaxdeep.report.figures import histories_by_key
from jaxdeep.report.learning_curves import learning_curves
from jaxdeep.report.tables import markdown_table, runs_of, with_interval
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison, FigureComparison
from jaxdeep.study.result import FIGURES, StudyResult

EXERCISE: Final = ("onecycle", "alpha_dropout", "selu", "bn_swish", "bn", "swish", "elu")
"""Exercise 8, f to a: a pair's first one is what came later."""
QUESTIONS: Final = (
    *(("swish", "elu"), ("bn", "elu"), ("bn_swish", "bn"), ("selu", "elu"), ("selu", "bn"), ("alpha_dropout", "selu")),
    ("onecycle", "alpha_dropout"),
)
"""What the exercise asks of them: is the first one better?"""
CONTROLS: Final = {
    "selu, rate 5e-4": "selu,optim.learning_rate=0.0005",
    "elu, standardised": "elu,data.scaling=standardize",
    "bn, raw input": "bn,model.batch_norm_input=False",
    "alpha_dropout, 15 epochs": "alpha_dropout,train.epochs=15",
}
"""Records that differ from a configuration of the exercise in one field, by the name that the tables give them."""
CHAPTERS_ONECYCLE: Final = "onecycle,optim.learning_rate=0.05"
"""Record of onecycle with the highest rate that the chapter prints."""
PAIRS_OF_CONTROLS: Final = (
    ("selu, rate 5e-4", "selu"),
    ("alpha_dropout", "selu, rate 5e-4"),
    ("elu, standardised", "elu"),
    ("selu", "elu, standardised"),
    ("bn, raw input", "bn"),
    ("bn, raw input", "elu"),
    ("bn_swish", "bn, raw input"),
    ("alpha_dropout, 15 epochs", "alpha_dropout"),
    ("onecycle", "alpha_dropout, 15 epochs"),
)
"""Pairs that take the exercise's questions apart. One field differs, or fewer fields than in the question itself."""
INTRODUCTION: Final = """# The studies

Written by `python -m docs.publish --write` from the records in this folder. A figure is a mean over seeds 42, 43,
..., ± half of its 95% interval (Student's t). A wall time is that of the whole study from the images on the device to
the last trial's end, compilation, validation and checkpoints included. Those of the grids of elu and bn are a quiet
machine's. Tests ran on the same two cores while the others were made. `alpha_dropout`, the controls and the tuned
networks come from a slower processor that had other work too, so compare no times with theirs.
"""


def studies_page(records: Records, tuned: Sequence[str]) -> str:
    """Return the text of STUDIES.md.

    Args:
        records: Records of `cifar`.
        tuned: Lines of the section on the exercise at tuned learning rates.
    """
    exercise, of_controls = exercise_8(records), controls(records)
    comparison = compare_studies(exercise)
    parts = [INTRODUCTION, "## Exercise 8, a to f\n", costs_table(exercise)]
    parts += ["\nAll pairs, on the test images. The validation images chose the epochs, and give no verdict.\n"]
    parts += [*(f"- {line}" for line in sentences(comparison.pairs, "test_accuracy")), ""]
    parts += ["The validation images make differences larger:\n"]
    parts += [too_good(comparison), "\n## Controls of exercise 8\n", costs_table(of_controls), ""]
    parts += ["The same pairs as in docs/results.md, on the test images.\n"]
    parts += [*(f"- {line}" for line in sentences(compare_controls(records).pairs, "test_accuracy")), ""]
    parts += tuned
    for name, study in records.studies("cifar", grids=True).items():
        parts += grid_section(study, name)
    return "\n".join(parts)


def exercise_8(records: Records) -> list[StudyResult]:
    """Return the studies of the exercise's configurations.

    Args:
        records: Records of `cifar`.
    """
    return [records.study("cifar", name) for name in EXERCISE]


def controls(records: Records) -> list[StudyResult]:
    """Return the studies of CONTROLS, each with its own name.

    Args:
        records: Records of `cifar`.
    """
    return [replace(records.study("cifar", record), name=name) for name, record in CONTROLS.items()]


def compare_controls(records: Records) -> Comparison:
    """Return the comparison of the pairs of PAIRS_OF_CONTROLS.

    Args:
        records: Records of `cifar`.
    """
    return compare_studies([*exercise_8(records), *controls(records)], pairs=PAIRS_OF_CONTROLS)


def controls_table(records: Records) -> str:
    """Return a row for each pair of PAIRS_OF_CONTROLS: what differs, and the verdict.

    Args:
        records: Records of `cifar`.
    """
    return pairs_table(compare_controls(records))


def onecycle_table(records: Records) -> str:
    """Return the rows of onecycle at the chapter's highest rate and at the range test's, and the verdict on them.

    Args:
        records: Records of `cifar`.
    """
    chapter = replace(records.study("cifar", CHAPTERS_ONECYCLE), name="onecycle, rate .05")
    studies = [chapter, records.study("cifar", "onecycle")]
    rows = [
        (study.name, runs_of(study), *(with_interval(study.mean[of]) for of in ("val_accuracy", "test_accuracy")))
        for study in studies
    ]
    means = markdown_table(("configuration", "seeds", "val accuracy", "test accuracy"), rows)
    return f"{means}\n\n{pairs_table(compare_studies(studies))}"


def pairs_table(comparison: Comparison) -> str:
    """Return a row for each pair of a comparison: what differs, and the verdict on the test accuracy.

    Args:
        comparison: Comparison of pairs that were chosen before.
    """
    rows = []
    for pair in comparison.pairs:
        found = pair.figures["test_accuracy"]
        rows.append((f"{pair.one} - {pair.other}", ", ".join(pair.differing), *_verdict(found)))
    return markdown_table(("pair", "differing fields", "test accuracy, points", "answer", "p", "would show"), rows)


def _verdict(found: FigureComparison) -> tuple[str, ...]:
    if found.difference is None:
        return "-", found.verdict, "-", "-"
    if found.answer is None:
        return f"{100 * found.difference:+.2f}", found.verdict, "-", "-"
    assert found.low_corrected is not None
    assert found.high_corrected is not None
    assert found.p_corrected is not None
    assert found.detectable is not None
    ends = f"{100 * found.low_corrected:+.2f} to {100 * found.high_corrected:+.2f}"
    points = f"{100 * found.difference:+.2f} ({ends})"
    return points, found.verdict, p_cell(found.p_corrected), f"{100 * found.detectable:.1f}"


def too_good(comparison: Comparison) -> str:
    """Return how often a difference is larger on the validation images than on the test images.

    Args:
        comparison: Comparison of studies whose validation images chose the epochs.
    """
    differences = [
        [abs(pair.figures[figure].difference or 0.0) for figure in ("val_accuracy", "test_accuracy")]
        for pair in comparison.pairs
    ]
    larger = sum(valid > test for valid, test in differences)
    means = [f"{100 * sum(of) / len(of):.2f}" for of in zip(*differences, strict=True)]
    return (
        f"{larger} of {len(differences)} differences are larger on the validation images than on the test images. "
        f"Their mean size is {means[0]} points there and {means[1]} points here."
    )


def draw_exercise_8(path: Path, records: Records) -> None:
    """Draw the learning curves of the exercise's configurations.

    Args:
        path: path of the PNG file.
        records: the records of `cifar`.
    """
    curves = {name: histories_by_key(records.study("cifar", name)) for name in reversed(EXERCISE)}
    seeds = min(map(len, curves.values()))
    learning_curves(path, curves, f"Exercise 8 on CIFAR-10, {seeds} seeds each")


def verdicts(records: Records) -> str:
    """Return the exercise's answers: the test accuracy's differences of all pairs, and its questions in words."""
    comparison = compare_studies(exercise_8(records))
    headers, *rows = matrix(comparison, "test_accuracy")
    asked = {(pair.one, pair.other): pair for pair in comparison.pairs}
    lines = (f"- {line}" for line in sentences([asked[question] for question in QUESTIONS], "test_accuracy"))
    return "\n".join((markdown_table(headers, rows), "", *lines))


def costs_table(studies: Sequence[StudyResult]) -> str:
    """Return a table of the command that repeats each study, and of what it took.

    Args:
        studies: results of the studies.
    """
    rows = [
        (f"`{study.command}`", runs_of(study), f"{_epochs(study):,}", _wall(study), study.device) for study in studies
    ]
    return markdown_table(("command", "runs", "epochs", "wall time", "device"), rows)


def grid_section(study: StudyResult, name: str) -> list[str]:
    """Return the lines on a study over a grid: command, wall time, table and picture.

    Args:
        study: result of the study, with its range test.
        name: name of its files in the records, without an ending.
    """
    rows = []
    for candidate in study.candidates:
        values = [short(value) for value in candidate.values.values()]
        rows.append(
            (
                *([f"**{value}**" for value in values] if candidate is study.best else values),
                runs_of(study, candidate),
                f"{candidate.mean['best_epoch'].mean:.1f}",
                *(with_interval(candidate.mean[figure]) for figure in FIGURES),
            )
        )
    picture = f"{study.experiment}/{name}.rates.png"
    found = study.range_test or {"suggestion": None, "seeds": []}
    suggestion, most = found["suggestion"], study.config["train"]["epochs"]
    programs = ", one compiled program" if set(study.grid) <= set(TRACED) else ""
    headers = (*study.grid, "runs", "best epoch", *(figure.replace("_", " ") for figure in FIGURES))
    bold = "Bold: the lowest mean validation loss" if study.best else "None is bold: each lost a run (diverged)"
    return [
        f"## {study.experiment} {study.name}: {' x '.join(study.grid)}\n",
        f"`{study.command}`\n",
        f"{len(study.trials)} runs of at most {most} epochs, {_epochs(study):,} epochs "
        f"in all{programs}: {_wall(study)} on {study.device}. {bold}. "
        f"The finder suggests {'nothing' if suggestion is None else f'{suggestion:.1e}'}{_lost_by_finder(found)}.\n",
        markdown_table(headers, rows),
        f"\n![Accuracy against learning rate]({picture.replace(' ', '%20')})\n",
    ]


def _lost_by_finder(found: Mapping[str, Any]) -> str:
    lost = found.get("without_suggestion", 0)
    return f" ({lost} of its {len(found['seeds'])} seeds have no suggestion)" if lost else ""


def _epochs(study: StudyResult) -> int:
    return sum(trial.epochs for trial in study.trials)


def _wall(study: StudyResult) -> str:
    if study.wall_seconds is None:
        return "not known"
    minutes, seconds = divmod(round(study.wall_seconds), 60)
    return f"{minutes} min {seconds:02} s"
