"""The figures of the chapter as a page: each picture with its caption and its command, by section."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

FOLDER: Final = "../experiments/results/figures"
"""Folder of figures.json, seen from a page in docs/."""


def gallery(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures that are drawn for the page, in the order of their list.

    Args:
        entries: Entries of figures.json.
    """
    lines: list[str] = []
    section = None
    for entry in (of for of in entries if not is_reference(of)):
        if entry["section"] != section:
            section = entry["section"]
            lines += [f"### {section}", ""]
        lines += [f"![{entry['title']}]({_link(entry)})", "", entry["caption"], f"`{entry['command']}`", ""]
    return "\n".join(lines).rstrip()


def reference_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the pictures that the records have besides.

    Args:
        entries: Entries of figures.json.
    """
    rows = [
        f"| {of['section']} | [{of['title']}]({_link(of)}) | {of['caption']} |" for of in entries if is_reference(of)
    ]
    return "\n".join(["| section | picture | what it shows |", "|---|---|---|", *rows])


def is_reference(entry: Mapping[str, Any]) -> bool:
    """Return whether a picture is part of a record, which its file's folder shows.

    Args:
        entry: Entry of figures.json.
    """
    return entry["file"].startswith("../")


def _link(entry: Mapping[str, Any]) -> str:
    """Return the path of a picture, seen from a page in docs/."""
    path = entry["file"]
    return quote(f"{FOLDER}/{path}" if not is_reference(entry) else f"../experiments/results/{path[3:]}", safe="/.-_,=")
