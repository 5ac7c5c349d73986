"""Results of claims as text in 80 columns."""

import textwrap
from collections.abc import Mapping
from typing import Any, Final

from experiments.lab.claim import Claim

WIDTH: Final = 80
NAME_WIDTH: Final = 24
VERDICT_WIDTH: Final = 17


def line_of(claim: Claim, result: Mapping[str, Any] | None) -> str:
    """Return the line of a claim in a list.

    Args:
        claim: Claim to show.
        result: Its result, or None.
    """
    verdict = "not measured" if result is None else result["verdict"] + (" (quick)" if result["quick"] else "")
    statement = textwrap.shorten(claim.statement, WIDTH, placeholder=" ...")
    return f"{claim.name:{NAME_WIDTH}} {verdict:{VERDICT_WIDTH}} {statement}"


def result_text(result: Mapping[str, Any]) -> str:
    """Return a result as a paragraph and a line for each part.

    Args:
        result: Result of a measurement as JSON values.
    """
    marks = ", a quick try: no result" if result["quick"] else ""
    synthetic = ", synthetic images" if result["data"]["synthetic"] else ""
    lines = [f"{result['name']}: {result['verdict']}{marks}{synthetic}"]
    lines += textwrap.wrap(result["statement"], WIDTH, initial_indent="  ", subsequent_indent="  ")
    for part in result["parts"]:
        lines.append(f"  {part['verdict']:9} {part['name']}: {effect_text(part)}, n = {part['n']}")
    return "\n".join(lines)


def figure_text(value: Any) -> str:
    """Return a number with three digits, or another value as text.

    >>> figure_text(0.12345), figure_text(12345.6), figure_text(-2.0), figure_text(None), figure_text("no")
    ('0.123', '12,346', '-2.00', '-', 'no')
    """
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    size = abs(value)
    if isinstance(value, int) or size >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 or value == 0 else f"{value:#.3g}"


def effect_text(part: Mapping[str, Any]) -> str:
    """Return an effect with its interval and its unit. A count without an error has no interval.

    Args:
        part: Part of a claim.

    >>> effect_text({"effect": 1.2, "low": 0.5, "high": 1.9, "unit": "points"})
    '1.20 (0.500 to 1.90) points'
    """
    text = figure_text(part.get("effect"))
    if part.get("low") != part.get("high"):
        text += f" ({figure_text(part.get('low'))} to {figure_text(part.get('high'))})"
    return f"{text} {part.get('unit') or ''}".strip()


def claimed_text(part: Mapping[str, Any]) -> str:
    """Return the range of the effect in which the statement holds.

    >>> claimed_text({"claimed_low": 0, "claimed_high": None}), claimed_text({"claimed_low": 1, "claimed_high": 2})
    ('above 0', '1 to 2')
    """
    low, high = part.get("claimed_low"), part.get("claimed_high")
    if low is None and high is None:
        return ""
    if high is None:
        return f"above {low:g}"
    return f"below {high:g}" if low is None else f"{low:g} to {high:g}"
