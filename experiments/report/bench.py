"""The bench's records: what bench/RESULTS.md says of them, their files, and Keras's figures beside ours."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.report.entries import FAULTS, Entry, Fault
from experiments.report.markdown import blocks, cells_of, inline
from experiments.report.repository import bench_records, reason_of
from jaxdeep.report.divergence import counted
from jaxdeep.report.page.document import Section
from jaxdeep.report.page.elements import Names, Node, code, element
from jaxdeep.report.page.tables import BADGES, Table, badge, table_nodes
from jaxdeep.report.tables import runs_of, with_interval
from jaxdeep.study.result import FIGURES
from jaxdeep.study.trial_result import means_from_json


def bench_section(root: Path, studies: Sequence[Entry], names: Names, faults: list[Fault]) -> Section:
    """Return the bench's tables by machine and question.

    Args:
        root: Folder of the repository.
        studies: Entries of studies, which stand beside Keras's figures.
        names: Gives sections and tables their ids.
        faults: Takes the files that cannot be read.
    """
    found = bench_records(root / "bench" / "records", faults)
    name = names.of("bench")
    content: list[Node] = []
    try:
        parts = _results(root / "bench" / "RESULTS.md", content, names)
    except OSError as error:
        faults.append(Fault("bench/RESULTS.md", error.strerror or str(error)))
        parts = []
    content += table_nodes(_files_table(found), names) if found else [element("p", "The bench has no records.")]
    keras = {file: record for file, record in found if file.startswith("keras-")}
    rows = []
    for file, record in sorted(keras.items()):
        try:
            rows += _beside_keras(record, studies)
        except FAULTS as error:
            faults.append(Fault(f"bench/records/{file}", reason_of(error, Path(file))))
    if rows:
        title = "Keras itself, trained by the same configuration: means ± half of the 95% interval"
        columns = ("configuration", "by", "seeds", *(figure.replace("_", " ") for figure in FIGURES))
        nodes = table_nodes(Table(title, columns, rows), names)
        parts.append(Section(names.of("bench", "keras"), "Keras's figures beside ours", nodes))
    return Section(name, "The bench", content, parts, short="Bench")


def _results(path: Path, content: list[Node], names: Names) -> list[Section]:
    """Return a section for each machine and question of RESULTS.md. What stands before them becomes content."""
    machines: list[tuple[str, list[Node], list[tuple[str, list[Node]]]]] = []
    nodes, caption = content, ""
    for block in blocks(path.read_text()):
        text = block.lines[0]
        if block.kind == "heading" and block.level == 2:
            nodes, caption = [], text
            machines.append((text, nodes, []))
        elif block.kind == "heading" and block.level == 3 and machines:
            nodes = []
            caption = f"{text[0].upper()}{text[1:]}, {machines[-1][0]}".replace("_", " ")
            machines[-1][2].append((f"{text[0].upper()}{text[1:]}".replace("_", " "), nodes))
        elif block.kind == "table":
            nodes += table_nodes(_table(block.lines, caption), names)
        elif block.kind == "paragraph" and (bold := re.fullmatch(r"\*\*([^*]+)\*\*", text)):
            caption = bold[1].replace("`", "")
        elif block.kind == "paragraph":
            kind = "note" if re.match(r"\d{4}-\d\d-\d\d, commit ", text) else None
            nodes.append(element("p", inline(text), class_=kind))
        elif block.kind == "list":
            nodes.append(element("ul", (element("li", inline(line)) for line in block.lines)))
    return [
        Section(
            names.of("bench", machine),
            machine,
            own,
            [Section(names.of("bench", machine, title), title, inside) for title, inside in questions],
        )
        for machine, own, questions in machines
    ]


def _table(lines: Sequence[str], caption: str) -> Table:
    """Return a table of Markdown, its verdicts as badges."""
    columns, *rows = map(cells_of, lines)
    width = len(columns)
    return Table(caption, columns, [[_cell(cell) for cell in (*row, *[""] * width)[:width]] for row in rows])


def _cell(cell: str) -> Node:
    plain = cell.strip("*")
    if plain in BADGES:
        return badge(plain)
    return element("span", inline(cell)) if re.search(r"[`*\[]", cell) else cell


def _files_table(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """Return a row for each file of records."""
    rows: list[Sequence[Node]] = []
    for file, record in found:
        machine, questions = record.get("machine") or {}, record.get("questions") or {}
        asked = ", ".join(f"{question} ({len(of)})" for question, of in questions.items())
        what = asked or f"{record.get('experiment', '')} {record.get('name', '')}".strip()
        rows.append((code(file), str(record.get("date") or ""), str(machine.get("name") or ""), what))
    return Table("Files of bench/records", ("file", "date", "machine", "questions (workloads)"), rows)


def _beside_keras(record: Mapping[str, Any], studies: Sequence[Entry]) -> list[Sequence[Node]]:
    """Return Keras's means and ours of the same configuration."""
    lost = sum(bool(run.get("diverged", False)) for run in record["runs"])
    mean, name = means_from_json(record["mean"], lost), f"{record['experiment']} {record['name']}"
    by = f"Keras {record['versions']['keras']}"
    rows: list[Sequence[Node]] = [
        (code(name), by, counted(len(record["runs"]), lost), *(with_interval(mean[of]) for of in FIGURES))
    ]
    for entry in studies:
        study = entry.value
        if (study.experiment, study.name) == (record["experiment"], record["name"]) and not (
            study.changed or study.varied or study.folds
        ):
            rows.append((code(name), "jaxdeep", runs_of(study), *(with_interval(study.mean[of]) for of in FIGURES)))
    return rows
