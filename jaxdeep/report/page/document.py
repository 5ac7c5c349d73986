"""A whole page in one file: its head, its contents, its sections, and nothing from the network."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from xml.etree.ElementTree import Element

from jaxdeep.report.page.elements import Node, check_tag, element, html_of

DEEPEST: Final = 2
"""Depth of the sections that the contents list behind a fold, the outermost being 0."""


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        id: Name of the section in links, unique on the page.
        title: Heading of the section.
        content: What stands between the heading and the sections inside.
        parts: Sections inside.
        short: Heading in the contents, or "" for the whole title.
        marks: What stands behind the heading, such as a badge.
    """

    id: str
    title: str
    content: Sequence[Node] = ()
    parts: Sequence["Section"] = ()
    short: str = ""
    marks: Sequence[Node] = ()


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
        title: Title of the page.
        lead: What stands below the title: what the page is, and when it was made.
        sections: Outermost sections in their order.
        foot: What stands at the end.
    """

    title: str
    lead: Sequence[Node]
    sections: Sequence[Section]
    foot: Sequence[Node] = ()


def page_html(document: Document) -> str:
    """Return a page as one HTML file.

    Args:
        document: Page with all its sections.
    """
    style, script = (check_tag(_read(name), tag) for name, tag in (("style.css", "style"), ("script.js", "script")))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=allowed),
        element("meta", name="color-scheme", content="light dark"),
        element("title", document.title),
        element("style", style),
    )
    toggle = element("button", "Dark", type="button", id="theme", aria_pressed="false", hidden="hidden")
    banner = element("header", element("h1", document.title), toggle, element("div", document.lead, class_="lead"))
    main = element("main", (_section(section, 2) for section in document.sections), id="main", tabindex="-1")
    body = element(
        "body",
        element("a", "Skip to the verdicts and tables", href="#main", class_="skip"),
        banner,
        element("div", _contents(document.sections), main, class_="columns"),
        element("footer", document.foot),
        element("script", script),
    )
    return f"<!DOCTYPE html>\n{html_of(element('html', head, body, lang='en'))}\n"


def _read(name: str) -> str:
    return (files("jaxdeep.report.page") / name).read_text(encoding="utf-8")


def _section(section: Section, level: int) -> Element:
    """Return a section with its heading, and with the sections inside."""
    name = f"{section.id}-title"
    heading = element(f"h{min(level, 6)}", section.title, _spaced(section.marks), id=name)
    inside = (_section(part, level + 1) for part in section.parts)
    landmark = name if level == 2 else None  # a landmark for each of a hundred parts would lead nobody
    return element("section", heading, section.content, inside, id=section.id, aria_labelledby=landmark, tabindex="-1")


def _spaced(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield " "
        yield node


def _contents(sections: Sequence[Section]) -> Element:
    """Return the links to all sections."""
    title = element("summary", "Contents")
    fold = element("details", title, _links(sections, 0), open="open", id="contents")
    return element("nav", fold, aria_label="Contents")


def _links(sections: Sequence[Section], depth: int) -> Element:
    items = []
    for section in sections:
        link = element("a", section.short or section.title, href=f"#{section.id}")
        if not section.parts:
            items.append(element("li", link))
        elif depth + 1 < DEEPEST:
            items.append(element("li", link, _links(section.parts, depth + 1)))
        else:
            count = len(section.parts)
            fold = element("summary", f"{count} part{'' if count == 1 else 's'}")
            items.append(element("li", link, element("details", fold, _links(section.parts, depth + 1))))
    return element("ol", items)
