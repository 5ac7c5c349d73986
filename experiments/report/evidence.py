"""The exercise at tuned learning rates, and the predictive uncertainty: verdicts from records of several studies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from experiments.report.chapter import QUESTIONS
from experiments.report.entries import Entry
from experiments.report.records import comparison_results, marks_of
from jaxdeep.errors import UserError
from jaxdeep.report.page.elements import Names, Node, element
from jaxdeep.report.page.tables import Table, table_nodes
from jaxdeep.report.uncertainty_tables import answers, chapters, figure_rows
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import StudyResult


def uncertainty_nodes(entries: Sequence[Entry], names: Names) -> list[Node]:
    """Return what MC dropout and ensembles give, for each study whose uncertainty was evaluated.

    Args:
        entries: Entries of studies.
        names: Gives tables their ids.
    """
    nodes: list[Node] = []
    for entry in entries:
        study: StudyResult = entry.value
        found = study.uncertainty
        if found is None:
            continue
        columns, *rows = figure_rows(found)
        marks = ("synthetic",) if study.data["synthetic"] else ()
        title = f"{study.experiment} {study.name}: plain networks, MC dropout and the ensemble on the test images"
        nodes += table_nodes(Table(title, columns, rows, marks), names)
        said = [f"The chapter: {line}" for line in chapters(found, other_settings(study))]
        nodes.append(element("ul", (element("li", f"{line}.") for line in (*said, *answers(found)[:3]))))
    return nodes


def tuned_nodes(entries: Sequence[Entry], names: Names) -> list[Node]:
    """Return the exercise's verdicts between networks that are each trained at their own best learning rate.

    Args:
        entries: Entries of studies and tunings.
        names: Gives tables their ids.
    """
    nodes: list[Node] = []
    for tuning in (entry for entry in entries if entry.kind == "tuning"):
        studies = []
        for tuned in tuning.value.configurations:
            study = next((of for of in (entry.value for entry in entries) if _is_tuned(of, tuning, tuned)), None)
            studies += [] if study is None else [replace(study, name=tuned.name)]
        if len(studies) < 2:
            continue
        names_there = {study.name for study in studies}
        asked = [pair for pair in QUESTIONS if names_there >= {*pair}]
        try:
            comparison = compare_studies(studies, pairs=asked or None)
        except UserError as error:
            nodes.append(element("p", f"No verdicts: {error}", class_="note"))
            continue
        title = "Exercise 8 at each network's own best learning rate"
        nodes += comparison_results(comparison, title, marks_of(tuning.content), names, asked)
    return nodes


def _is_tuned(study: Any, tuning: Entry, tuned: Any) -> bool:
    """Return whether a study is that of a configuration's best rate, and changes nothing else."""
    if not isinstance(study, StudyResult) or (study.experiment, study.name) != (tuning.experiment, tuned.name):
        return False
    changed = {} if tuned.best_rate == tuned.own_rate else {"optim.learning_rate": tuned.best_rate}
    return not (study.varied or study.folds) and dict(study.changed or {}) == changed
