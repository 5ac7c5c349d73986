"""Markdown as the documents are written: headings, paragraphs, lists and tables, with bold words and code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jaxdeep.report.page.elements import Node, element

INLINE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]*\)")
"""Code, bold words, or a link, whose target may not be on the page."""


@dataclass(frozen=True)
class Block:
    """A part of a document.

    Attributes:
        kind: "heading", "paragraph", "list" or "table".
        level: Level of a heading from 1 on, otherwise 0.
        lines: Text of a heading or a paragraph, entries of a list, or lines of a table without its rule.
    """

    kind: str
    level: int
    lines: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    r"""Yield the blocks of a document.

    Args:
        text: Content of a Markdown file.

    >>> [block.kind for block in blocks("# A\n\nWords\nand more.\n\n| a |\n|---|\n| 1 |\n")]
    ['heading', 'paragraph', 'table']
    """
    for part in re.split(r"\n\s*\n", text):
        lines = [line for line in part.splitlines() if line.strip()]
        while lines and (match := re.fullmatch(r"(#+) +(.*)", lines[0])):
            yield Block("heading", len(match[1]), (match[2],))
            lines = lines[1:]
        if not lines:
            continue
        if all(line.startswith("|") for line in lines):
            yield Block("table", 0, tuple(line for line in lines if not re.fullmatch(r"[|:\- ]+", line)))
        elif lines[0].startswith("- "):
            yield Block("list", 0, tuple(re.split(r"\n- ", "\n" + "\n".join(lines))[1:]))
        else:
            yield Block("paragraph", 0, (" ".join(lines),))


def cells_of(line: str) -> list[str]:
    """Return the cells of a table's line.

    >>> cells_of("| a | `b` |")
    ['a', '`b`']
    """
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def inline(text: str) -> list[Node]:
    """Return a text with its bold words and code as elements. A link is its words.

    >>> from jaxdeep.report.page.elements import element, html_of
    >>> html_of(element("p", inline("a `b` **c** [d](e.md)")))
    '<p>a <code>b</code> <strong>c</strong> d</p>'
    """
    nodes: list[Node] = []
    end = 0
    for match in INLINE.finditer(text):
        nodes.append(text[end : match.start()])
        code, bold, link = match.groups()
        nodes.append(element("code", code) if code else element("strong", *inline(bold)) if bold else link)
        end = match.end()
    return [*nodes, text[end:]]
