"""The sections of the page: the chapter's tables, each experiment, the runs, and what cannot be shown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.report import chapter, evidence
from experiments.report.claims import claim_section
from experiments.report.entries import FAULTS, RECIPES, Entry, Fault
from experiments.report.printed import PRINTED
from experiments.report.records import (
    comparison_nodes,
    marks_of,
    range_test_nodes,
    record_nodes,
    record_results,
    record_title,
    tuning_nodes,
)
from experiments.report.repository import Gathered, reason_of
from jaxdeep.report.page.document import Section
from jaxdeep.report.page.elements import Names, Node, code, element
from jaxdeep.report.page.pictures import Embedder, Picture
from jaxdeep.report.page.study import study_nodes
from jaxdeep.report.page.tables import Table, mark_nodes, table_nodes

ROOT_FIGURES: Final = {
    "exercise_8": (
        "Learning curves of exercise 8 on CIFAR-10: loss and accuracy by epoch of the chapter's seven networks, means "
        "and 95% intervals over ten seeds. Batch normalisation (bn) reaches the highest validation accuracy, 0.54.",
        "Exercise 8 on CIFAR-10: loss and accuracy by epoch, means and 95% intervals over seeds.",
    ),
    "schedules": (
        "The chapter's learning rate schedules: the rate by epoch of power, exponential, piecewise constant, "
        "performance and 1cycle scheduling.",
        "The chapter's learning rate schedules as they are trained here.",
    ),
}
"""Alternative text and caption of each figure beside the folders of the records."""
EXPERIMENTS: Final = {
    "cifar": "CIFAR-10: exercise 8",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST: the digits",
    "transfer": "Transfer",
    "compress": "Compression",
}
"""Title of each experiment, in the order of the page."""


class Builder:
    """Makes the sections of a page, and keeps what could not be shown.

    Attributes:
        names: Gives sections and tables their ids.
        embedder: Turns pictures into data.
        faults: What could not be shown.
    """

    def __init__(self, names: Names, embedder: Embedder) -> None:
        self.names, self.embedder = names, embedder
        self.faults: list[Fault] = []

    def chapter(self, records: Gathered) -> Section:
        """Return the chapter's tables and figures beside ours.

        Args:
            records: Records of the repository.
        """
        studies, names = records.of("study"), self.names
        makers: dict[str, Callable[[], list[Node]]] = {
            "Exercise 8 on CIFAR-10": lambda: [
                *self._root_figure(records.folder, "exercise_8"),
                *chapter.exercise_nodes(chapter.plain_studies(studies, "cifar"), names),
            ],
            "At each network's own best learning rate": lambda: evidence.tuned_nodes(records.entries, names),
            "MC dropout and ensembles": lambda: evidence.uncertainty_nodes(studies, names),
            "Fashion-MNIST": lambda: chapter.fashion_nodes(chapter.plain_studies(studies, "fashion_mnist"), names),
            "Learning rate schedules": lambda: self._root_figure(records.folder, "schedules"),
            "MNIST: digits 0 to 4 and 5 to 9": lambda: chapter.digits_nodes(
                chapter.plain_studies(studies, "mnist"), names
            ),
            "Transfer": lambda: self._questions(records.of("record", "transfer")),
            "Compression": lambda: self._questions(records.of("record", "compress")),
            "Figures that need no training": lambda: self._figures(records.figures),
        }
        parts = [self._part(title, make) for title, make in makers.items()]
        lead = "Each table has the figure that a source of the chapter prints, and ours from several seeds beside it."
        content = [element("p", lead)]
        return Section(names.of("chapter"), "The chapter's tables and figures", content, parts, short="The chapter")

    def experiments(self, records: Gathered) -> Section:
        """Return every record but the claims, by experiment.

        Args:
            records: Records of the repository.
        """
        shown = [entry for entry in records.entries if entry.kind != "claim"]
        found = dict.fromkeys((*EXPERIMENTS, *sorted(entry.experiment for entry in shown)))
        parts = []
        for experiment in found:
            of = sorted((entry for entry in shown if entry.experiment == experiment), key=place)
            if sections := [section for entry in of if (section := self.entry(entry)) is not None]:
                title = EXPERIMENTS.get(experiment, experiment)
                parts.append(Section(self.names.of("experiment", experiment), title, parts=sections))
        lead = "Every recorded experiment: its curves, its figures, the command that repeats it, and what it rests on."
        content = [element("p", lead if parts else "Nothing is recorded yet.")]
        return Section(self.names.of("experiments"), "The experiments", content, parts, short="Experiments")

    def runs(self, runs: Gathered) -> Section:
        """Return what lies below the folder of runs.

        Args:
            runs: What was found there.
        """
        parts = [section for entry in runs.entries if (section := self.entry(entry)) is not None]
        if runs.figures:
            title = "Figures that need no training"
            parts.append(Section(self.names.of("runs", title), title, self._figures(runs.figures)))
        lead = (
            f"What is finished below {runs.folder.name}/, on the machine that wrote this page: {len(parts)} in all. "
            "These are no records until you take them into the repository."
        )
        content: list[Node] = [element("p", lead if parts else "There are no finished runs on this machine.")]
        return Section(self.names.of("runs"), "Runs on this machine", content, parts, short="Runs")

    def entry(self, entry: Entry) -> Section | None:
        """Return the section of an entry. None if its content is not what it should be, which is a fault.

        Args:
            entry: File that the page shows.
        """
        names, embedder = self.names, self.embedder
        name = names.of(entry.experiment, entry.name)
        makers: dict[str, Callable[[], list[Node]]] = {
            "study": lambda: study_nodes(entry.value, entry.origin, names, embedder),
            "record": lambda: record_nodes(entry, names, embedder),
            "tuning": lambda: tuning_nodes(entry, names),
            "comparison": lambda: comparison_nodes(entry, names, embedder),
            "range test": lambda: range_test_nodes(entry, embedder),
        }
        try:
            if entry.kind == "claim":
                return claim_section(entry, name, names, embedder)
            nodes = makers[entry.kind]()
        except FAULTS as error:
            self.faults.append(Fault(entry.origin.folder or entry.name, reason_of(error, Path(entry.name))))
            return None
        marks = mark_nodes(marks_of(entry.content))[1::2]
        title = entry_title(entry)
        return Section(name, title, nodes, short=title, marks=marks)

    def faults_section(self, faults: Sequence[Fault]) -> Section:
        """Return what cannot be shown, and why.

        Args:
            faults: Files and folders.
        """
        rows: list[Sequence[Node]] = [(code(fault.path), fault.reason) for fault in faults]
        table = Table("Files and folders that are not shown", ("file or folder", "what is wrong"), rows)
        content = table_nodes(table, self.names) if faults else [element("p", "Everything that was found is shown.")]
        return Section(self.names.of("not shown"), "What is not shown", content, short="Not shown")

    def _part(self, title: str, make: Callable[[], list[Node]]) -> Section:
        """Return a part of the chapter, or that nothing of it is recorded, or what is wrong with its records."""
        try:
            nodes = make() or [element("p", "Nothing of this is recorded yet.", class_="note")]
        except FAULTS as error:
            self.faults.append(Fault(title, reason_of(error, Path(title))))
            nodes = [element("p", "Its records cannot be shown.", class_="note fault")]
        return Section(self.names.of("chapter", title), title, nodes)

    def _root_figure(self, folder: Path, name: str) -> list[Node]:
        """Return a figure that lies beside the folders of the records, if it is there."""
        path = folder / f"{name}.svg"
        return [self.embedder.figure(Picture(path, *ROOT_FIGURES[name]))] if path.exists() else []

    def _questions(self, entries: Sequence[Entry]) -> list[Node]:
        """Return the tables and figures of questions, each with its title, and the printed figures beside ours."""
        nodes: list[Node] = []
        for entry in entries:
            printed = PRINTED.get((entry.experiment, str(entry.content.get("question"))))
            nodes.append(element("h4", record_title(entry), mark_nodes(marks_of(entry.content))))
            if printed is not None:
                nodes += table_nodes(chapter.beside_author(entry, *printed), self.names)
            nodes += record_results(entry, self.names, self.embedder)
        return nodes

    def _figures(self, figures: Sequence[Mapping[str, Any]]) -> list[Node]:
        """Return the figures that need no training, under the names of their sections."""
        nodes: list[Node] = []
        group = None
        for figure in sorted(figures, key=lambda of: str(of.get("section") or "")):
            if (section := str(figure.get("section") or "")) != group:
                group = section
                nodes += [element("h4", section)] if section else []
            title, text = str(figure.get("title") or figure.get("name")), str(figure.get("caption") or "")
            said = [element("strong", f"{title}. "), text, *_command(figure.get("command"))]
            marks = ("synthetic",) if figure.get("synthetic") else ()
            picture = Picture(figure["path"], f"{title}. {text}".strip(), element("span", said), True, marks)
            nodes.append(self.embedder.figure(picture))
        return nodes


def _command(command: object) -> list[Node]:
    return [" ", code(str(command))] if command else []


def place(entry: Entry) -> tuple[int, int, int, str]:
    """Return the place of an entry within its experiment.

    Configurations keep the order of the experiment's list. Each comes unchanged, then changed, then in a study of many.

    Args:
        entry: File that the page shows.
    """
    order = list(RECIPES.get(entry.experiment, ()))
    name = str(entry.content.get("name", ""))
    kind = ("study", "range test").index(entry.kind) if entry.kind in ("study", "range test") else 2
    changes = 0 if entry.kind != "study" else 100 if entry.value.varied else len(entry.value.changed or ())
    return order.index(name) if name in order else len(order), kind, changes, entry.name


def entry_title(entry: Entry) -> str:
    """Return the heading of an entry.

    Args:
        entry: File that the page shows.
    """
    if entry.kind == "record" and not entry.origin.folder.startswith("experiments/"):
        return f"{record_title(entry)} ({entry.name})"
    if entry.kind == "record":
        return record_title(entry)
    name, *settings = entry.name.split(",")
    if entry.kind == "tuning":
        return f"{entry.experiment}: learning rates of {len(entry.value.configurations)} configurations"
    if entry.kind == "study" and entry.value.varied:
        settings = [f"grid of {', '.join(entry.value.varied)}"] if "/" not in entry.name else settings
    words = f"{name}, {', '.join(settings)}" if settings else name
    return f"Range test of {words}" if entry.kind == "range test" else words
