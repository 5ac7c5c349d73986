"""A claim of the chapter, the parts that test it, and their verdicts.

A part is a difference with its interval. The claim says in which open range the true difference lies. If the interval
lies within that range, the part holds. If the interval excludes the range, the part fails. All else is undecided.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from jaxdeep.analysis.differences import Difference
from jaxdeep.analysis.evidence import judge

Verdict = Literal["holds", "fails", "undecided"]
INFINITY: Final = math.inf
POINTS: Final = "points of accuracy"
RATIO: Final = "ratio"
"""Unit of a part whose difference is one of natural logarithms. It is shown as the ratio of two figures."""


@dataclass(frozen=True)
class Part:
    """One testable part of a claim.

    Attributes:
        name: Short name, unique in its claim.
        statement: What the claim says of the effect, as a sentence.
        difference: Measured effect with its standard error, in the unit of the part. For RATIO it is a logarithm.
        unit: Unit of the effect, such as POINTS.
        low: Lower end of the range that the claim says the effect lies in. It may be infinite.
        high: Upper end of the range that the claim says the effect lies in. It may be infinite.
        margin: Smallest effect of interest. The part also fails if its interval shows that the effect, if there is one,
            is smaller. 0 lets it fail only if the interval excludes the range.
        corrected: Whether the interval is corrected for the number of parts of the claim.
    """

    name: str
    statement: str
    difference: Difference
    unit: str = POINTS
    low: float = 0.0
    high: float = INFINITY
    margin: float = 0.0
    corrected: bool = True


@dataclass(frozen=True)
class Finding:
    """A part with its verdict.

    Attributes:
        part: Part that was tested.
        effect: Effect in the unit of the part. A ratio for RATIO.
        low: Lower end of the interval of the effect.
        high: Upper end of the interval of the effect.
        verdict: "holds", "fails" or "undecided".
    """

    part: Part
    effect: float
    low: float
    high: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values. A number that is not finite is None."""
        part = self.part
        numbers = {"effect": self.effect, "low": self.low, "high": self.high}
        numbers |= {"claimed_low": part.low, "claimed_high": part.high}
        return {
            "name": part.name,
            "statement": part.statement,
            "unit": part.unit,
            "n": part.difference.pairs,
            "margin": part.margin,
            "verdict": self.verdict,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        }


@dataclass(frozen=True)
class Table:
    """A table of what was measured.

    Attributes:
        title: Title of the table.
        columns: Heading of each column.
        rows: Cells of each row as text.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    """What the measurement of a claim found.

    Attributes:
        parts: Parts of the claim, one or more.
        tables: Tables of what was measured.
        reduced: What is smaller than in the chapter, such as rows, width or epochs. "" if nothing is.
        notes: What a reader must know of the measurement.
    """

    parts: Sequence[Part]
    tables: Sequence[Table] = ()
    reduced: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement of the chapter's sources that is put to the test.

    Attributes:
        name: Name of the claim, which is the name of its file.
        statement: What the sources say.
        sources: Sources that say it by their three digits. Empty for what the chapter says in general.
        section: Section of the chapter.
        hypothesis: What is tested, and what would refute it.
        measure: Function of a Lab that returns the outcome.
        questions: Numbers of the chapter's questions that the claim answers, in 1 .. 7.
        dataset: Name of the image set, or None if no images are needed.
    """

    name: str
    statement: str
    section: str
    hypothesis: str
    measure: Callable[[Any], Outcome]
    sources: Sequence[str] = ()
    questions: Sequence[int] = field(default=())
    dataset: str | None = "fashion_mnist"


def findings(parts: Sequence[Part]) -> list[Finding]:
    """Return the verdict of each part. Intervals are corrected for the number of parts (Bonferroni).

    Args:
        parts: Parts of one claim.
    """
    tested = sum(part.corrected and part.difference.error > 0 for part in parts)
    return [_finding(part, max(tested, 1) if part.corrected else 1) for part in parts]


def _finding(part: Part, comparisons: int) -> Finding:
    evidence = judge(part.difference, comparisons)
    shown = math.exp if part.unit == RATIO else float
    effect, low, high = map(shown, (part.difference.difference, evidence.low_corrected, evidence.high_corrected))
    return Finding(part, effect, low, high, verdict_of(part, low, high))


def verdict_of(part: Part, low: float, high: float) -> Verdict:
    """Return the verdict on a part.

    Args:
        part: Part with the range that the claim says the effect lies in.
        low: Lower end of the interval, in the unit of the part.
        high: Upper end of the interval, in the unit of the part.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "undecided"
    if part.low < low and high < part.high:
        return "holds"
    if high <= part.low + part.margin or low >= part.high - part.margin:
        return "fails"
    return "undecided"


def overall(found: Sequence[Finding]) -> Verdict:
    """Return the verdict on a claim: it holds if all parts hold, and fails if one fails.

    Args:
        found: Findings of the claim's parts, one or more.
    """
    verdicts = {finding.verdict for finding in found}
    if "fails" in verdicts:
        return "fails"
    return "holds" if verdicts == {"holds"} else "undecided"
