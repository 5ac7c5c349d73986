"""Tables of a page: a caption that says what they show, heads with a scope, and marks of what is no result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from jaxdeep.report.page.elements import Names, Node, element, text_of

NUMBER: Final = re.compile(r"[+\-\u2212<>]?\s?\d[\d,]*(\.\d+)?(e[+-]?\d+)?\s?%?")
"""Beginning of a cell that is aligned to the right, as numbers are."""
NUMERIC: Final = re.compile(rf"(-|\u2013|{NUMBER.pattern}(\s*(±|to|\(|/|,|=|-).*)?)")
MARKS: Final = {
    "synthetic": "Synthetic images: no result",
    "quick": "Quick try: no result",
}
"""Words of each mark of what is no result."""
BADGES: Final = {
    "holds": ("yes", "✓"),
    "better": ("yes", "✓"),
    "met": ("yes", "✓"),
    "within": ("yes", "✓"),
    "fails": ("no", "✗"),
    "worse": ("no", "✗"),
    "missed": ("no", "✗"),
    "outside": ("no", "✗"),
    "equivalent": ("even", "="),
    "identical": ("even", "="),
    "undecided": ("open", "~"),
    "not compared": ("open", "~"),
}
"""Class and sign of each verdict. The sign says it without the colour."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What the table shows.
        columns: Title of each column.
        rows: Cells of each row. The first cell names the row.
        marks: Names of MARKS that hold for the whole table.
        notes: Sentences below the table.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Node]]
    marks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def marked(self, marks: tuple[str, ...]) -> "Table":
        """Return the table with other marks.

        Args:
            marks: Names of MARKS.
        """
        return replace(self, marks=marks)


def badge(verdict: str) -> Element:
    """Return a verdict with its sign, in its colour.

    Args:
        verdict: A name of BADGES, or other words, which get no sign.

    >>> text_of(badge("holds")), text_of(badge("odd"))
    ('✓ holds', 'odd')
    """
    kind, sign = BADGES.get(verdict, ("plain", ""))
    shown = element("span", f"{sign} ", aria_hidden="true") if sign else None
    return element("span", shown, verdict, class_=f"badge {kind}")


def mark_nodes(marks: Sequence[str]) -> list[Node]:
    """Return the marks of what is no result, each behind a space.

    Args:
        marks: Names of MARKS.
    """
    return [node for mark in marks for node in (" ", element("strong", MARKS.get(mark, mark), class_="mark"))]


def table_nodes(table: Table, names: Names) -> list[Element]:
    """Return a table in a frame that scrolls, and the notes below it.

    Args:
        table: Table to show.
        names: Gives the caption its id.
    """
    name = names.of("table", table.caption)
    head = element("tr", (element("th", title, scope="col") for title in table.columns))
    numeric = [_is_numeric([row[index] for row in table.rows]) for index in range(len(table.columns))]
    body = element("tbody", (_row(row, numeric) for row in table.rows))
    if not table.rows:
        body.append(element("tr", element("td", "No rows.", colspan=str(len(table.columns)))))
    caption = element("caption", table.caption, mark_nodes(table.marks), id=name)
    frame = element(
        "div",
        element("table", caption, element("thead", head), body),
        class_="scroll",
        tabindex="0",
        role="group",
        aria_labelledby=name,
    )
    return [frame, *(element("p", note, class_="note") for note in table.notes)]


def _row(cells: Sequence[Node], numeric: Sequence[bool]) -> Element:
    """Return a row whose first cell is its head."""
    first = element("th", cells[0], scope="row")
    others = (
        element("td", cell, class_="number" if is_number else None)
        for cell, is_number in zip(cells[1:], numeric[1:], strict=True)
    )
    return element("tr", first, others)


def _is_numeric(cells: Sequence[Node]) -> bool:
    """Return whether all cells of a column are numbers, intervals or empty."""
    texts = [text.strip() for cell in cells if (text := text_of(cell).strip())]
    return bool(texts) and all(NUMERIC.fullmatch(text) for text in texts)
