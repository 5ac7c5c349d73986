"""Records of studies that are no grid, tunings, comparisons and range tests, as sections of a page."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from experiments.compress.tables import TABLES as COMPRESS_TABLES
from experiments.grids import Grid, Grids
from experiments.report.entries import Entry
from experiments.transfer.tables import TABLES as TRANSFER_TABLES
from jaxdeep.report.comparison_text import legend, matrix, sentences
from jaxdeep.report.page.elements import Names, Node, element
from jaxdeep.report.page.facts import command_node, data_in_full, duration, facts_list, versions_in_words
from jaxdeep.report.page.pictures import Embedder, Picture
from jaxdeep.report.page.study import Origin
from jaxdeep.report.page.tables import BADGES, Table, badge, table_nodes
from jaxdeep.report.tuning_text import REGRET, budget_line, edge_lines, regret_rows, tuning_rows
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.tuning import Tuning

TABLES: Final[Mapping[str, Mapping[str, Grids]]] = {"transfer": TRANSFER_TABLES, "compress": COMPRESS_TABLES}
"""Makes the tables of each question, by experiment."""


def marks_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the marks of what is no result.

    Args:
        content: JSON values of a record or a claim.
    """
    data = content.get("data")
    is_synthetic = isinstance(data, Mapping) and bool(data.get("synthetic"))
    return (*(["synthetic"] if is_synthetic else []), *(["quick"] if content.get("quick") else []))


def facts_of(content: Mapping[str, Any], origin: Origin) -> dict[str, Node]:
    """Return what a record says of its origin, by term.

    Args:
        content: JSON values of a record or a claim. Each may be missing.
        origin: Date and folder.
    """
    machine, data = content.get("machine") or {}, content.get("data") or {}
    seeds, rows, seconds = content.get("seeds") or (), content.get("rows"), content.get("seconds")
    shown = [
        machine.get("processor"),
        f"{machine['cores']} cores" if machine.get("cores") else None,
        machine.get("device"),
    ]
    counts = ", ".join(f"{count} {part}" for part, count in rows.items()) if isinstance(rows, Mapping) else ""
    changed = ", with changes that are not committed" if content.get("changed") else ""
    return {
        "Command": command_node(content.get("command")),
        "Data": data_in_full(data) if isinstance(data, Mapping) else str(data),
        "Rows": counts,
        "Seeds": f"{len(seeds)}: {', '.join(map(str, seeds))}" if seeds else "",
        "Date": origin.date or "not known",
        "Machine": ", ".join(str(part) for part in shown if part),
        "Versions": versions_in_words(content.get("versions")),
        "Commit": f"{content['commit']}{changed}" if content.get("commit") else "",
        "Time": duration(seconds) if isinstance(seconds, int | float) else "",
        "Files": origin.folder,
    }


def grid_table(grid: Grid, caption: str, marks: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Table:
    """Return a grid as a table of a page, its verdicts as badges.

    Args:
        grid: Columns and rows.
        caption: What the table shows, in front of the grid's own caption.
        marks: Names of marks of what is no result.
        notes: Sentences below the table.
    """
    rows = [[badge(cell) if cell in BADGES else cell for cell in row] for row in grid.rows]
    return Table(f"{caption}: {grid.caption[0].lower()}{grid.caption[1:]}", grid.columns, rows, marks, notes)


def record_nodes(entry: Entry, names: Names, embedder: Embedder) -> list[Node]:
    """Return the tables and the figure of a question's record, and what they rest on.

    Args:
        entry: Entry of a record.
        names: Gives tables their ids.
        embedder: Turns pictures into data.
    """
    return [*record_results(entry, names, embedder), facts_list(facts_of(entry.content, entry.origin))]


def record_results(entry: Entry, names: Names, embedder: Embedder) -> list[Node]:
    """Return the tables and the figure of a question's record.

    Args:
        entry: Entry of a record.
        names: Gives tables their ids.
        embedder: Turns pictures into data.
    """
    content, marks, title = entry.content, marks_of(entry.content), record_title(entry)
    make = TABLES.get(entry.experiment, {}).get(str(content.get("question")))
    nodes: list[Node] = [] if make else [element("p", "Its tables are not known here.", class_="note")]
    for grid in make(content) if make else ():
        nodes += table_nodes(grid_table(grid, title, marks), names)
    for path in (entry.origin.pictures or {}).values():
        seeds = len(content.get("seeds") or ())
        alt = f"Figure of {title}: the figures of the table above, means and 95% intervals over {seeds} seeds."
        nodes.append(embedder.figure(Picture(path, alt, f"{title}, {seeds} seeds.", True, marks)))
    return nodes


def record_title(entry: Entry) -> str:
    """Return the title of a question's record.

    Args:
        entry: Entry of a record.
    """
    content = entry.content
    return str(content.get("title") or f"{content.get('question')} on {content.get('dataset')}")


def tuning_nodes(entry: Entry, names: Names) -> list[Node]:
    """Return the best learning rate of each configuration, and what each loses at the rates of the others.

    Args:
        entry: Entry of a tuning.
        names: Gives tables their ids.
    """
    tuning: Tuning = entry.value
    marks = marks_of(entry.content)
    columns, *rows = tuning_rows(tuning)
    notes = tuple(f"{line[0].upper()}{line[1:]}." for line in (budget_line(tuning), *edge_lines(tuning)))
    title = f"Learning rates of {tuning.experiment} that were found with equal budgets"
    nodes: list[Node] = [*table_nodes(Table(title, ("configuration", *columns[1:]), rows, marks, notes), names)]
    if len(tuning.configurations) > 1:
        columns, *rows = regret_rows(tuning)
        caption = f"{REGRET[0].upper()}{REGRET[1:].rstrip(':')}"
        nodes += table_nodes(Table(caption, ("configuration", *columns[1:]), rows, marks), names)
    seeds = ", ".join(map(str, tuning.search_seeds))
    facts: dict[str, Node] = {
        "Command": command_node(tuning.command),
        "Data": data_in_full(tuning.data),
        "Search seeds": seeds,
        "Date": entry.origin.date or "not known",
        "Machine": tuning.processor,
        "Versions": versions_in_words(tuning.versions),
        "Commit": tuning.commit,
        "Files": entry.origin.folder,
    }
    return [*nodes, facts_list(facts)]


def comparison_nodes(entry: Entry, names: Names, embedder: Embedder) -> list[Node]:
    """Return the verdicts of a comparison and its curves.

    Args:
        entry: Entry of a comparison.
        names: Gives tables their ids.
        embedder: Turns pictures into data.
    """
    comparison: Comparison = entry.value
    title = f"Comparison of {', '.join(comparison.names)} on {comparison.data.get('name')}"
    nodes = comparison_results(comparison, title, marks_of(entry.content), names)
    for path in (entry.origin.pictures or {}).values():
        nodes.append(
            embedder.figure(Picture(path, f"Learning curves: {title}.", f"{title}.", True, marks_of(entry.content)))
        )
    return [
        *nodes,
        facts_list({"Data": data_in_full(comparison.data), "Date": entry.origin.date, "Files": entry.origin.folder}),
    ]


def comparison_results(
    comparison: Comparison, title: str, marks: tuple[str, ...], names: Names, asked: Sequence[tuple[str, str]] = ()
) -> list[Node]:
    """Return the differences of all pairs in points of test accuracy, and verdicts in words.

    Args:
        comparison: Comparison of two or more studies.
        title: What is compared.
        marks: Names of marks of what is no result.
        names: Gives tables their ids.
        asked: Pairs whose verdicts are put in words. Empty for all pairs.
    """
    columns, *rows = matrix(comparison, "test_accuracy")
    cells = [[_bold(cell) for cell in row] for row in rows]
    caption = f"{title}: test accuracy of each row minus that of each column, in points"
    notes = ("Bold: the interval excludes 0. =: it lies within half a point of 0.", *legend(comparison)[1:])
    by_names = {(pair.one, pair.other): pair for pair in comparison.pairs}
    pairs = [by_names[pair] for pair in asked if pair in by_names] if asked else comparison.pairs
    words = zip(pairs, sentences(pairs, "test_accuracy"), strict=True)
    items = (element("li", badge(pair.figures["test_accuracy"].verdict), f" {text}.") for pair, text in words)
    table = Table(caption, ("minus", *columns[1:]), cells, marks, notes)
    return [*table_nodes(table, names), element("ul", items)]


def _bold(cell: str) -> Node:
    """Return a cell of Markdown's bold as an element."""
    return element("strong", cell.strip("*")) if cell.startswith("**") else cell


def range_test_nodes(entry: Entry, embedder: Embedder) -> list[Node]:
    """Return the rate that a range test suggests, and its picture.

    Args:
        entry: Entry of a range test.
        embedder: Turns pictures into data.
    """
    content, marks = entry.content, marks_of(entry.content)
    suggestion, seeds = content.get("suggestion"), content.get("seeds") or ()
    found = "no rate" if suggestion is None else f"a learning rate of {suggestion:.1e}"
    title = (
        f"Learning rate range test of {entry.experiment} {content.get('name')}, {len(seeds)} seeds: it suggests {found}"
    )
    nodes: list[Node] = [element("p", f"It suggests {found}. Rule: {content.get('rule') or 'not recorded'}.")]
    for path in (entry.origin.pictures or {}).values():
        alt = f"Loss of a batch against the learning rate. {title}."
        nodes.append(embedder.figure(Picture(path, alt, f"{title}.", True, marks)))
    facts = facts_of(content, entry.origin)
    return [*nodes, facts_list(facts)]
