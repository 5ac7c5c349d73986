"""The chapter's printed figures beside ours, from studies: CIFAR-10, Fashion-MNIST and MNIST."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from experiments.grids import with_half
from experiments.report.agreement import NOTE, agreement
from experiments.report.entries import RECIPES, Entry
from experiments.report.printed import AUTHOR, DIGITS
from experiments.report.records import comparison_results, marks_of
from jaxdeep.errors import UserError
from jaxdeep.report.page.elements import Names, Node, code, element
from jaxdeep.report.page.tables import Table, badge, table_nodes
from jaxdeep.report.tables import runs_of, with_interval
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import StudyResult

EXERCISE: Final = ("onecycle", "alpha_dropout", "selu", "bn_swish", "bn", "swish", "elu")
"""Exercise 8, f to a, so that a pair begins with what came later."""
QUESTIONS: Final = (
    *(("swish", "elu"), ("bn", "elu"), ("bn_swish", "bn"), ("selu", "elu"), ("selu", "bn"), ("alpha_dropout", "selu")),
    ("onecycle", "alpha_dropout"),
)
"""What the exercise asks: is the first one better?"""


def plain_studies(entries: Sequence[Entry], experiment: str) -> list[StudyResult]:
    """Return the recorded studies of configurations that are unchanged, in the order of the experiment's list.

    Args:
        entries: Entries of studies.
        experiment: Name of the experiment.
    """
    order = list(RECIPES[experiment])
    found = [
        entry.value
        for entry in entries
        if entry.experiment == experiment
        and entry.value.name in order
        and not (entry.value.varied or entry.value.folds or entry.value.changed)
    ]
    return sorted(found, key=lambda study: order.index(study.name))


def printed_table(studies: Sequence[StudyResult], experiment: str, title: str) -> Table:
    """Return a row for each configuration: the printed figures, ours, and whether they agree.

    Args:
        studies: Studies of unchanged configurations.
        experiment: Name of the experiment.
        title: Caption of the table.
    """
    rows: list[Sequence[Node]] = []
    has_test = any(reported.get("test_accuracy") is not None for study in studies for reported in study.reported)
    for study in studies:
        beside = [] if other_settings(study) else list(study.reported)
        mean = study.mean
        rows.append(
            (
                _head(experiment, study.name),
                runs_of(study),
                _printed(beside, "val_accuracy"),
                with_interval(mean["val_accuracy"]),
                *_verdicts(asdict(mean["val_accuracy"]), [of["val_accuracy"] for of in beside]),
                with_interval(mean["test_accuracy"]),
                *([_printed(beside, "test_accuracy")] if has_test else []),
                _printed(beside, "val_loss"),
                with_interval(mean["val_loss"]),
                "-" if (best := mean["best_epoch"].mean) is None else f"{best:.1f}",
            )
        )
    accuracy = ("val accuracy: chapter", "val accuracy: ours", "one more seed", "chapter's run", "test accuracy: ours")
    others = ("val loss: chapter", "val loss: ours", "best epoch")
    test = ("test accuracy: chapter",) if has_test else ()
    marks = ("synthetic",) if any(study.data["synthetic"] for study in studies) else ()
    return Table(title, ("configuration", "seeds", *accuracy, *test, *others), rows, marks, (NOTE,))


def _head(experiment: str, name: str) -> Node:
    description = RECIPES[experiment][name].description
    return element("div", code(name), element("p", description, class_="note"), class_="wide")


def _printed(beside: Sequence[Mapping[str, Any]], figure: str) -> str:
    """Return the figures that the sources print, each with its source."""
    found = [(of["source"], of[figure]) for of in beside if of.get(figure) is not None]
    return ", ".join(f"{value:.4f} ({source})" for source, value in found)


def _verdicts(estimate: Mapping[str, Any], printed: Sequence[float]) -> tuple[Node, Node]:
    """Return where one more run would lie, and whether each printed figure does."""
    found = [of for value in printed if (of := agreement(estimate, value)) is not None]
    if not found:
        return "", ""
    badges = (node for of in found for node in (badge(of.verdict), " "))
    return f"{found[0].low:.4f} to {found[0].high:.4f}", element("span", badges)


def exercise_nodes(studies: Sequence[StudyResult], names: Names) -> list[Node]:
    """Return the table of exercise 8 and its verdicts.

    Args:
        studies: Studies of unchanged configurations of `cifar`.
        names: Gives tables their ids.
    """
    by_name = {study.name: study for study in studies}
    shown = [by_name[name] for name in reversed(EXERCISE) if name in by_name]
    if not shown:
        return []
    title = "Exercise 8 on CIFAR-10: the chapter's figures beside ours, means ± half of the 95% interval"
    nodes: list[Node] = [*table_nodes(printed_table(shown, "cifar", title), names)]
    asked = [pair for pair in QUESTIONS if all(name in by_name for name in pair)]
    try:
        comparison = compare_studies(list(reversed(shown)))
    except UserError as error:
        return [*nodes, element("p", f"No verdicts: {error}", class_="note")]
    lead = "What the exercise asks, on the test images. Intervals are corrected for all pairs of the table."
    nodes.append(element("p", lead))
    marks = ("synthetic",) if shown[0].data["synthetic"] else ()
    return [*nodes, *comparison_results(comparison, "Exercise 8, all pairs", marks, names, asked)]


def fashion_nodes(studies: Sequence[StudyResult], names: Names) -> list[Node]:
    """Return the table of Fashion-MNIST's networks.

    Args:
        studies: Studies of unchanged configurations of `fashion_mnist`.
        names: Gives tables their ids.
    """
    title = "Fashion-MNIST's networks: the chapter's figures (001) beside ours, means ± half of the 95% interval"
    return [*table_nodes(printed_table(studies, "fashion_mnist", title), names)] if studies else []


def digits_nodes(studies: Sequence[StudyResult], names: Names) -> list[Node]:
    """Return the table of the digits, with a row for each configuration.

    Args:
        studies: Studies of unchanged configurations of `mnist`.
        names: Gives tables their ids.
    """
    return [*table_nodes(_digits_table(studies), names)] if studies else []


def _digits_table(studies: Sequence[StudyResult]) -> Table:
    """Return the printed test accuracies, ours, and whether they agree."""
    rows: list[Sequence[Node]] = []
    for study in studies:
        printed, mean = DIGITS.get(study.name, ()), study.mean["test_accuracy"]
        rows.append(
            (
                _head("mnist", study.name),
                runs_of(study),
                " to ".join(f"{value:.4f}" for value in printed),
                with_interval(mean),
                *_verdicts(asdict(mean), printed),
                with_interval(study.mean["val_accuracy"]),
            )
        )
    columns = (
        "configuration",
        "seeds",
        AUTHOR,
        "test accuracy: ours",
        "one more seed",
        "printed run",
        "val accuracy: ours",
    )
    title = "MNIST, digits 0 to 4 and 5 to 9: printed figures beside ours, means ± half of the 95% interval"
    return Table(title, columns, rows, (), ("Source 003 prints no figure of its own.", NOTE))


def beside_author(entry: Entry, printed: Sequence[tuple[str, float, str]], by: str) -> Table:
    """Return printed test accuracies beside the cells of a record of transfer.

    Args:
        entry: Entry of the record.
        printed: What it is, the printed test accuracy, and the name of our cell.
        by: Who printed it.
    """
    rows: list[Sequence[Node]] = []
    for what, value, cell in printed:
        found = (entry.content["cells"].get(cell) or {}).get("test_accuracy")
        ours = with_half(found) if found else "-"
        rows.append((what, f"{value:.4f}", ours, str(found["runs"] if found else 0), *_verdicts(found or {}, [value])))
    columns = ("network", by, "test accuracy: ours", "runs", "one more run", "printed run")
    return Table(
        f"{entry.content['title']}: printed figures beside ours", columns, rows, marks_of(entry.content), (NOTE,)
    )
