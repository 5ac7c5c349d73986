"""Figures that the pages quote stand in the tables that docs/publish.py writes from the records."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = ("docs/tour.md", "docs/studies.md", "docs/uncertainty.md")
GENERATED: Final = (
    *("docs/results.md", "docs/results-uncertainty.md"),
    *("experiments/results/STUDIES.md", "experiments/results/UNCERTAINTY.md"),
)
NUMBER: Final = r"([+-]?\d*\.\d+)"
INTERVAL: Final = re.compile(rf"{NUMBER} ± {NUMBER}")
DIFFERENCE: Final = re.compile(rf"{NUMBER}(?:\s+points)?\s+\({NUMBER}\s+to\s+{NUMBER}")


def lines_of_tables() -> list[str]:
    return [line for name in GENERATED for line in (ROOT / name).read_text().splitlines()]


def figures(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, ...]]:
    for match in pattern.finditer(text):
        yield match.groups()


def are_equal(quoted: tuple[str, ...], recorded: tuple[str, ...]) -> bool:
    """Whether the recorded numbers, rounded to the quoted digits, are the quoted ones."""
    digits = [len(number.partition(".")[2]) for number in quoted]
    rounded = [f"{float(number):.{places}f}" for number, places in zip(recorded, digits, strict=True)]
    return [f"{float(number):.{places}f}" for number, places in zip(quoted, digits, strict=True)] == rounded


def negated(difference: tuple[str, ...]) -> tuple[str, ...]:
    mean, low, high = (str(-float(number)) for number in difference)
    return mean, high, low


def not_recorded(page: str) -> list[str]:
    """The intervals and differences of a page that no table has, in a row of the same configuration if one is named."""
    tables, wrong = lines_of_tables(), []
    for line in page.splitlines():
        names = re.findall(r"`(\w+)`", line) if line.startswith("|") else []
        rows = [row for row in tables if not names or any(f"`{name}`" in row or name in row.split() for name in names)]
        recorded = [found for row in rows for found in figures(INTERVAL, row)]
        for quoted in figures(INTERVAL, line):
            if not any(are_equal(quoted, found) for found in recorded):
                wrong.append(line)
    recorded = [found for row in tables for found in figures(DIFFERENCE, row)]
    recorded += list(map(negated, recorded))
    for quoted in figures(DIFFERENCE, page):
        if not any(are_equal(quoted, found) for found in recorded):
            wrong.append(" ".join(quoted))
    return wrong


@pytest.mark.parametrize("name", PAGES)
def test_the_figures_of_a_page_are_those_of_the_records(name: str) -> None:
    page = (ROOT / name).read_text()
    assert len(list(figures(INTERVAL, page))) + len(list(figures(DIFFERENCE, page))) >= 3
    assert not_recorded(page) == []


@pytest.mark.parametrize(
    "text",
    [
        "| `bn` | .5339 ± .0030 |",
        "| `elu` | .5339 ± .0029 |",
        "`bn` is better than `elu` by 6.19 points (4.79 to 7.60)",
    ],
)
def test_a_wrong_figure_is_found(text: str) -> None:
    assert len(not_recorded(text)) == 1


def test_a_rounded_figure_and_a_difference_seen_from_the_other_side_are_right() -> None:
    assert not_recorded("| `bn` | .534 ± .003 |\n`elu` is worse than `bn` by -6.19 points (-7.59 to -4.79)") == []
