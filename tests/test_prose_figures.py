"""Every figure in the prose of README and docs stands in a table that records make, or is named with its reason."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from docs.publish import RECIPES

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "extend").glob("*.md"))
)
RESULTS: Final = ("docs/results.md", "docs/results-uncertainty.md")
STUDIES: Final = ("experiments/results/STUDIES.md", "experiments/results/UNCERTAINTY.md")
"""Files that are generated as a whole."""
TIMED: Final = {"README.md", "docs/speed.md", "docs/trust.md", "docs/promises.md"}
"""Pages that quote the bench."""
TABLE: Final = re.compile(r"<!-- table: (\w+) -->(.*?)<!-- end: \1 -->", re.DOTALL)
CODE: Final = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
FIGURE: Final = re.compile(
    r"(?<![\w.])[+-]?\d*\.\d{2,}(?![\w.])"  # .4720
    r"|[+-]?\d[\d,]*\.?\d*(?=\s+(?:points?|times|seconds|nats)\b)"  # 5.8 times
    r"|\d+\.?\d*(?=%)"  # 48.9%
)
NUMBER: Final = re.compile(r"(?<![\w.])[+-]?\d[\d,]*\.?\d*|(?<![\w.])[+-]?\.\d+")
CONVENTIONS: Final = {
    "95": "level of every interval",
    "80": "power of a verdict",
    "5": "chance of a false verdict",
    "2.5": "chance of a false verdict to one side",
    "0.05": "level of significance, and the chapter's highest rate of 1cycle",
    ".05": "the chapter's highest rate of 1cycle",
    "0.005": "smallest effect of interest",
    "3.11": "version of Python",
    ".042": "the recipe's highest rate of 1cycle",
    ".01": "a learning rate",
    ".004": "decay of Nadam's momentum schedule in TensorFlow 2",
    "1.43": "largest standard deviation that counts as kept",
}
"""Numbers that are settings or conventions, with what they are."""
PRINTED: Final = {
    *("98.05", "99.32", "99.24", "99.40", "76.30", "80.17", "84.37", "90.60", "90.41"),  # the author's 2017 outputs
    *("48.9", "1.4", ".476", ".479", ".489"),  # 000, and the interval of one accuracy on 5,000 images
    *("1.4701", "1.4600"),  # 004, twice the same run
    *("0.9705", "0.9935"),  # 001, transfer
    *("0.02", "0.14"),  # 000 and 001, gains of MC dropout
}
"""Figures that the sources print, which docs/sources.md and the pages quote."""
MEASURED_BY_HAND: Final = {
    "docs/promises.md": {"1.9127": "first epoch of seed 42 on CI's processor", "1.9201": "the same on another one"},
    "docs/studies.md": {"1.9": "square root of 1 + 10 / 4, and a detectable difference of the record", "1": "example"},
    "docs/results.md": {"2.5": "a record's difference, rounded to half a point"},
    "docs/speed.md": {
        "66.93": "printed by python -m bench.study_memory h100 selu 5974",
        "12.65": "printed by python -m bench.study_memory h100 bn 1000",
        "22.26": "the same",
        "90": "share of an accelerator's memory that is planned with",
    },
    "docs/tour.md": {"14": "highest less lowest validation accuracy in the row above"},
}
"""Figures of a page that no table holds, with where they come from."""


def prose_of(text: str) -> str:
    return CODE.sub("", TABLE.sub("", text))


@lru_cache
def recorded(page: str) -> list[float]:
    """The numbers of the page's own tables and of the results, and the chapter's figures in the recipes."""
    texts = [match[2] for name in (page, *RESULTS) for match in TABLE.finditer((ROOT / name).read_text())]
    texts += [(ROOT / name).read_text() for name in (*STUDIES, *(["bench/RESULTS.md"] if page in TIMED else []))]
    numbers = [float(found.replace(",", "")) for text in texts for found in NUMBER.findall(text)]
    reported = [of for recipes in RECIPES.values() for recipe in recipes.values() for of in recipe.reported]
    numbers += [
        value
        for of in reported
        for value in (of.val_loss, of.val_accuracy, of.test_loss, of.test_accuracy)
        if value is not None
    ]
    return sorted({abs(number) for number in numbers})


def is_recorded(page: str, figure: str) -> bool:
    """Whether a number, or a hundredth of a percentage, rounds to the figure at its digits."""
    value, digits = abs(float(figure.replace(",", ""))), len(figure.partition(".")[2])
    return any(round(scale * number, digits) == value for number in recorded(page) for scale in (1, 100))


def without_source(page: str, text: str) -> list[str]:
    known = {*CONVENTIONS, *PRINTED, *MEASURED_BY_HAND.get(page, {})}
    found = FIGURE.findall(prose_of(text))
    return [figure for figure in found if figure.lstrip("+-") not in known and not is_recorded(page, figure)]


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_of_a_page_has_its_record(page: str) -> None:
    assert without_source(page, (ROOT / page).read_text()) == []


@pytest.mark.parametrize(
    "text", ["It loses 7.77 points.", "An accuracy of .87654", "77.7% are right", "99.31 times as fast"]
)
def test_a_figure_without_a_record_is_found(text: str) -> None:
    assert len(without_source("docs/tour.md", text)) == 1


def test_figures_in_code_and_in_tables_are_not_prose() -> None:
    text = "`0.98765`\n```\n0.98765\n```\n<!-- table: a -->\n| 0.98765 |\n<!-- end: a -->\n"
    assert without_source("docs/tour.md", text) == []
