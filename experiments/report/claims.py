"""The claims of the chapter: all verdicts in one table, then each claim with its parts, tables and figure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from experiments.lab.text import claimed_text, effect_text, figure_text
from experiments.report.entries import FAULTS, Entry, Fault
from experiments.report.records import facts_of, marks_of
from experiments.report.repository import reason_of
from jaxdeep.report.page.document import Section
from jaxdeep.report.page.elements import Names, Node, code, element
from jaxdeep.report.page.facts import facts_list
from jaxdeep.report.page.pictures import Embedder, Picture
from jaxdeep.report.page.tables import Table, badge, mark_nodes, table_nodes

VERDICTS: Final = ("holds", "fails", "undecided")


def parts_of(claim: Entry) -> list[Mapping[str, Any]]:
    """Return the parts of a claim.

    Args:
        claim: Entry of a claim.
    """
    return [part for part in claim.content.get("parts") or () if isinstance(part, Mapping)]


def statement_of(claim: Entry) -> str:
    """Return the statement of a claim, or its name without one.

    Args:
        claim: Entry of a claim.
    """
    return str(claim.content.get("statement") or claim.name)


def ordered(claims: Sequence[Entry]) -> list[Entry]:
    """Return claims in the order of the chapter's questions, then of their names.

    Args:
        claims: Entries of claims.
    """

    def place(claim: Entry) -> tuple[float, str]:
        questions = claim.content.get("questions")
        numbers = [of for of in questions if isinstance(of, int | float)] if isinstance(questions, list) else []
        return min(numbers, default=float("inf")), claim.name

    return sorted(claims, key=place)


def totals(claims: Sequence[Entry]) -> Element:
    """Return the number of claims with each verdict.

    Args:
        claims: Entries of claims.
    """
    found = [str(claim.content.get("verdict", "undecided")) for claim in claims]
    names = [*VERDICTS, *sorted({*found} - {*VERDICTS})]
    return element(
        "ul", (element("li", badge(of), f" {found.count(of)} of {len(found)}") for of in names), class_="totals"
    )


def _row(claim: Entry, name: str) -> Sequence[Node]:
    """Return a claim's row among all verdicts: statement, verdict, effects with intervals, number of runs, command."""
    parts, command = parts_of(claim), claim.content.get("command")
    link = element("a", statement_of(claim), href=f"#{name}")
    return (
        element("div", link, mark_nodes(marks_of(claim.content)), class_="wide"),
        badge(str(claim.content.get("verdict", "undecided"))),
        element("ul", (element("li", line) for line in _effects(parts)), class_="wide"),
        _counts(parts),
        element("div", code(str(command)), class_="wide") if command else "",
    )


def _effects(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        name = f"{part.get('name')}: " if len(parts) > 1 and part.get("name") else ""
        yield f"{name}{effect_text(part)}"


def _counts(parts: Sequence[Mapping[str, Any]]) -> str:
    counts = sorted({part["n"] for part in parts if isinstance(part.get("n"), int)})
    return "" if not counts else f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def claim_section(claim: Entry, name: str, names: Names, embedder: Embedder) -> Section:
    """Return a claim with its parts, tables and figure.

    Args:
        claim: Entry of a claim.
        name: Name of its section in links.
        names: Gives tables their ids.
        embedder: Turns pictures into data.
    """
    content, statement = claim.content, statement_of(claim)
    verdict, marks = str(content.get("verdict", "undecided")), marks_of(content)
    said = content.get("verdict_text")
    nodes: list[Node] = [element("p", badge(verdict), f" {said}" if said else None)]
    nodes += (
        [element("p", element("strong", "Tested: "), str(content["hypothesis"]))] if content.get("hypothesis") else []
    )
    nodes += (
        [element("p", f"Smaller than in the chapter: {content['reduced']}", class_="note")]
        if content.get("reduced")
        else []
    )
    parts = parts_of(claim)
    nodes += table_nodes(_parts_table(parts, statement, marks), names)
    for path in (claim.origin.pictures or {}).values():
        alt = f"Figure of the claim: {statement}. It {verdict if verdict != 'undecided' else 'is undecided'}."
        effects = "; ".join(_effects(parts))
        nodes.append(embedder.figure(Picture(path, f"{alt} {effects}".strip(), f"{statement}.", True, marks)))
    for table in content.get("tables") or ():
        rows = [[figure_text(cell) if cell is not None else "" for cell in row] for row in table.get("rows", ())]
        columns = [str(column) for column in table.get("columns", ())]
        nodes += table_nodes(Table(str(table.get("title") or statement), columns, rows, marks), names)
    sources, questions = content.get("sources") or (), content.get("questions") or ()
    facts = {
        "Stated in": ", ".join(map(str, sources)),
        "Question": ", ".join(map(str, questions)),
        **facts_of(content, claim.origin),
    }
    nodes.append(facts_list(facts))
    return Section(name, statement, nodes, short=claim.name.replace("_", " "), marks=mark_nodes(marks)[1::2])


def _parts_table(parts: Sequence[Mapping[str, Any]], statement: str, marks: tuple[str, ...]) -> Table:
    rows: list[Sequence[Node]] = [
        (
            element("div", str(part.get("statement") or part.get("name") or ""), class_="wide"),
            effect_text(part),
            claimed_text(part),
            figure_text(part.get("n")),
            badge(str(part.get("verdict", "undecided"))),
        )
        for part in parts
    ]
    columns = ("what is tested", "effect with its 95% interval", "claimed", "n", "verdict")
    return Table(f"Parts of the claim: {statement}", columns, rows, marks)


def claims_section(claims: Sequence[Entry], names: Names, embedder: Embedder, faults: list[Fault]) -> Section:
    """Return the verdicts of all claims, then each claim.

    Args:
        claims: Entries of claims.
        names: Gives sections and tables their ids.
        embedder: Turns pictures into data.
        faults: Takes the claims that cannot be shown.
    """
    name = names.of("claims")
    shown, rows = [], []
    groups: dict[str, list[Section]] = {}
    for claim in ordered(claims):
        own = names.of("claim", claim.name)
        try:
            row, section = _row(claim, own), claim_section(claim, own, names, embedder)
        except FAULTS as error:
            faults.append(Fault(claim.origin.folder or claim.name, reason_of(error, Path(claim.name))))
            continue
        shown.append(claim)
        rows.append(row)
        groups.setdefault(str(claim.content.get("section") or "Other claims"), []).append(section)
    if not shown:
        none = element("p", "No claim is recorded yet. ", code("python -m experiments.claims"), " tests them.")
        return Section(name, "Verdicts of the claims", [none])
    columns = ("claim", "verdict", "effect with its 95% interval", "n", "command")
    lead = (
        "A claim is a statement of the chapter that can be measured. Its verdict rests on the 95% intervals of its "
        "effects, beside the range that the statement claims."
    )
    table = Table("Verdicts of all claims", columns, rows)
    content = [element("p", lead), totals(shown), *table_nodes(table, names)]
    parts = [Section(names.of("claims", group), group, parts=sections) for group, sections in groups.items()]
    return Section(name, "Verdicts of the claims", content, parts)
