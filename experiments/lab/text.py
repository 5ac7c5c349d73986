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
    return "\n".join(
        [*lines, *(f"  {part['verdict']:9} {part['name']}: {effect_text(part)}" for part in result["parts"])]
    )


def effect_text(part: Mapping[str, Any]) -> str:
    """Return the effect of a part with its interval, number of seeds and unit.

    Args:
        part: Part of a result as JSON values.

    >>> effect_text({"effect": 1.25, "low": 0.5, "high": 2.0, "n": 5, "unit": "ratio"})
    '1.25 (0.5 to 2), n = 5, ratio'
    """
    if part["effect"] is None:
        return f"not known, n = {part['n']}"
    numbers = [f"{part[name]:.3g}" for name in ("effect", "low", "high")]
    interval = "" if part["low"] == part["high"] else f" ({numbers[1]} to {numbers[2]})"
    return f"{numbers[0]}{interval}, n = {part['n']}, {part['unit']}"
