"""A study on a page: its curves, its figures, what it rests on, its configuration and its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaxdeep.config import short
from jaxdeep.report.divergence import losses_in_words
from jaxdeep.report.page.elements import Names, Node, element
from jaxdeep.report.page.facts import (
    command_node,
    configuration_nodes,
    data_in_full,
    duration,
    facts_list,
    fold,
    versions_in_words,
)
from jaxdeep.report.page.pictures import Embedder, Picture
from jaxdeep.report.page.tables import Table, table_nodes
from jaxdeep.report.tables import NO_BEST, ON_TEST_ROWS, runs_of, with_interval
from jaxdeep.report.titles import seeds_in_words, title_of_study
from jaxdeep.study.reported import on_test_rows, other_settings
from jaxdeep.study.result import FIGURES, StudyResult
from jaxdeep.study.trial_result import MeanFigure

NAMES: Final = tuple(name.replace("_", " ") for name in FIGURES)
MOST_RUNS: Final = 200
"""Number of runs, at most, that have a row of their own."""
KINDS: Final = {
    "curves": "Loss and accuracy of training and validation by epoch",
    "rates": "Validation and test accuracy against the learning rate",
    "confusion": "Mean number of test rows of each true class by predicted class",
    "diagnostics": "Activations, gradients, updates and dead units of each layer, before each epoch's first step",
    "samples": "Accuracy and NLL against the number of MC dropout samples",
    "reliability": "Reliability diagrams: accuracy against confidence",
    "risk_coverage": "Error rate of the images kept, by the share of images kept",
    "certainty": "The images that the networks are most and least certain of",
    "first_image": "The first test image and its class probabilities by MC dropout",
}
"""What each kind of picture shows, in the order of the page."""
PHOTOGRAPHS: Final = ("certainty", "first_image")


@dataclass(frozen=True)
class Origin:
    """What a summary does not say of itself.

    Attributes:
        date: Date on which it was recorded or trained, such as "2026-11-29".
        description: What the configuration is, or "" if it has no recipe.
        pictures: Path of each picture by its kind.
        folder: Folder or file that the study was read from, as readers see it.
        faults: Sentences on missing or changed files.
    """

    date: str = ""
    description: str = ""
    pictures: Mapping[str, Path] | None = None
    folder: str = ""
    faults: Sequence[str] = ()


def marks_of(study: StudyResult) -> tuple[str, ...]:
    """Return the marks of what is no result.

    Args:
        study: Result of the study.
    """
    return ("synthetic",) if study.data.get("synthetic") else ()


def study_nodes(study: StudyResult, origin: Origin, names: Names, embedder: Embedder) -> list[Node]:
    """Return all that a page says of a study, behind its heading.

    Args:
        study: Result of the study. Its histories are not needed.
        origin: Date, description and pictures of the study.
        names: Gives tables their ids.
        embedder: Turns pictures into data.
    """
    nodes: list[Node] = [element("p", f"{origin.description}.")] if origin.description else []
    nodes += [element("p", fault, class_="note fault") for fault in origin.faults]
    nodes += [embedder.figure(picture) for picture in pictures_of(study, origin)]
    nodes += table_nodes(figures_table(study), names)
    nodes += [element("p", line, class_="note fault") for line in diverged_lines(study)]
    facts: dict[str, Node] = {
        "Command": command_node(study.command) if study.command else "not recorded",
        "Data": data_in_full(study.data),
        "Seeds": f"{seeds_in_words(study.seeds)}: {', '.join(map(str, study.seeds))}",
        "Date": origin.date or "not known",
        "Machine": ", ".join(part for part in (study.processor, study.device) if part),
        "Versions": versions_in_words(study.versions),
        "Commit": study.commit,
        "Wall time": duration(study.wall_seconds),
        "Parameters": f"{study.parameters:,}",
        "Files": origin.folder,
    }
    nodes.append(facts_list(facts))
    nodes += configuration_nodes(study.config, study.changed)
    rows = runs_table(study)
    return [*nodes, fold(f"Each of the {len(study.trials)} runs", table_nodes(rows, names))]


def diverged_lines(study: StudyResult) -> list[str]:
    """Return sentences on the runs that diverged, and on figures that are too good.

    Args:
        study: Result of the study.
    """
    lost = losses_in_words(study.name, len(study.trials), study.diverged, study.left_out, "runs")
    lines = [f"{line[0].upper()}{line[1:]}." for line in lost]
    lines += [f"{NO_BEST[0].upper()}{NO_BEST[1:]}."] if study.varied and study.best is None else []
    return lines + ([f"{ON_TEST_ROWS[0].upper()}{ON_TEST_ROWS[1:]}."] if on_test_rows(study) else [])


def pictures_of(study: StudyResult, origin: Origin) -> list[Picture]:
    """Return the pictures of a study with their texts.

    Args:
        study: Result of the study.
        origin: Paths of the pictures by kind.
    """
    title, found = title_of_study(study).replace("\n", ", "), origin.pictures or {}
    return [
        Picture(
            found[kind],
            f"{shown} of {title}. {_in_words(study)}",
            f"{shown}: {title}.",
            kind not in PHOTOGRAPHS,
            marks_of(study),
        )
        for kind, shown in KINDS.items()
        if kind in found
    ]


def _in_words(study: StudyResult) -> str:
    """Return the figures that a picture of a study leads to, in a sentence."""
    candidate = study.best if study.varied else study.candidates[0]
    if candidate is None:
        return "Each candidate lost a run."
    of = "The best candidate" if study.varied else f"The mean of {runs_of(study)} runs"
    values = ", ".join(f"{name} {short(value)}" for name, value in candidate.values.items())
    validation, test = (with_interval(candidate.mean[name]) for name in ("val_accuracy", "test_accuracy"))
    who = f"{of} ({values})" if values else of
    return f"{who} has a validation {study.metric} of {validation} and a test {study.metric} of {test}."


def figures_table(study: StudyResult) -> Table:
    """Return the means of a study, or of each candidate, and the chapter's figures below.

    Args:
        study: Result of the study.
    """
    varied = bool(study.varied)
    rows: list[Sequence[Node]] = []
    for candidate in study.candidates:
        is_best = varied and candidate is study.best
        values = [short(value) for value in candidate.values.values()] if varied else ["mean"]
        first, *others = values
        head = element("span", first, " ", element("strong", "best")) if is_best else first
        cells = (with_interval(candidate.mean[name]) for name in FIGURES)
        rows.append((head, *others, runs_of(study, candidate), *_epochs(candidate.mean), *cells))
    other = other_settings(study)
    for reported in () if varied or other else study.reported:
        cells = ("" if (value := reported.get(name)) is None else f"{value:.4f}" for name in FIGURES)
        rows.append((f"chapter {reported['source']}", "1", str(reported["best_epoch"]), "", *cells))
    columns = (*(study.varied or ("figures",)), "runs", "best epoch", "epochs", *_names(study))
    kind = "Figures of each candidate" if varied else "Figures of all runs"
    title = title_of_study(study).replace("\n", ", ")
    sources = ", ".join(of["source"] for of in study.reported)
    notes = (f"The chapter's figures ({sources}) are of other settings: {other}.",) if other and study.reported else ()
    return Table(f"{kind}, means ± half of the 95% interval: {title}", columns, rows, marks_of(study), notes)


def _names(study: StudyResult) -> tuple[str, ...]:
    """Return the headers of the figures, in which R2 stands in place of accuracy for regression."""
    return tuple(name.replace("accuracy", study.metric) for name in NAMES)


def _epochs(mean: Mapping[str, MeanFigure]) -> tuple[str, str]:
    best, epochs = ("-" if (value := mean[name].mean) is None else f"{value:.1f}" for name in ("best_epoch", "epochs"))
    return best, epochs


def runs_table(study: StudyResult) -> Table:
    """Return a row for each run, up to MOST_RUNS.

    Args:
        study: Result of the study.
    """
    rows: list[Sequence[Node]] = []
    for trial in study.trials[:MOST_RUNS]:
        values = (short(value) for value in trial.values.values())
        cells = ("-" if (value := getattr(trial, name)) is None else f"{value:.4f}" for name in FIGURES)
        ended = "diverged" if trial.diverged else "finished"
        rows.append(
            (str(trial.key), *values, str(trial.best_epoch), str(trial.epochs), *cells, f"{trial.seconds:.1f}", ended)
        )
    columns = ("seed", *study.varied, "best epoch", "epochs", *_names(study), "seconds", "end")
    more = len(study.trials) - MOST_RUNS
    notes = (f"{more} more runs stand in the file.",) if more > 0 else ()
    return Table(f"Runs of {study.experiment} {study.name}", columns, rows, marks_of(study), notes)
