"""A reader who has only the chapter finds each experiment, table and figure within two clicks from the README.

The first click is a link of the README to a page. The second is a link of that page to a picture or a record, or the
name of a command on it.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from docs import publish
from experiments.claims.table import CLAIMS
from experiments.transfer.cells import QUESTIONS

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[\w-]+)?\)")
FIGURES = [figure["name"] for figure in json.loads(publish.FIGURES.read_text())["figures"]]
PRINTED = ["Table 11-2", "Table 11-3", "Table 11-4", "cheat sheet", "ten lines"]


def links(page: Path) -> set[Path]:
    """What a page links to within the repository."""
    targets = (link for link in LINK.findall(page.read_text()) if "://" not in link)
    return {(page.parent / target).resolve() for target in targets}


@cache
def first_click() -> tuple[Path, ...]:
    """The pages that the README links to, and the README."""
    readme = ROOT / "README.md"
    return (readme, *sorted(path for path in links(readme) if path.suffix == ".md"))


@cache
def text() -> str:
    return "\n".join(page.read_text() for page in first_click())


@cache
def second_click() -> frozenset[Path]:
    return frozenset(target for page in first_click() for target in links(page))


def test_every_link_of_these_pages_leads_somewhere() -> None:
    assert len(first_click()) > 10
    assert [target for target in second_click() if not target.exists()] == []


@pytest.mark.parametrize("experiment", sorted(publish.RECIPES))
def test_every_network_of_an_experiment_is_named(experiment: str) -> None:
    assert f"experiments.{experiment}" in text()
    assert [name for name in publish.RECIPES[experiment] if f"`{name}`" not in text()] == []


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_every_question_of_transfer_is_a_command(name: str) -> None:
    assert f"experiments.transfer {name}" in text()


def test_every_claim_is_named_and_every_printed_table_too() -> None:
    assert [name for name in CLAIMS if f"`{name}`" not in text()] == []
    assert [title for title in PRINTED if title.casefold() not in text().casefold()] == []


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_shown_or_linked(name: str) -> None:
    folder = publish.FIGURES.parent
    pictures = {(folder / f"{name}.png").resolve(), (folder.parent / f"{name}.png").resolve()}
    assert pictures & second_click()
