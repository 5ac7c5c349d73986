"""The figure of a claim: the interval of each part, and the range that the claim says."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import BLUE, GREEN, GREY, VERMILLION, set_title

COLORS: Final = {"holds": GREEN, "fails": VERMILLION, "undecided": BLUE}
DPI: Final = 110
MARKERS: Final = {"holds": "o", "fails": "X", "undecided": "s"}


def draw_findings(path: Path, result: Mapping[str, Any]) -> None:
    """Draw the parts of a claim, a panel for each unit.

    Args:
        path: Path of the PNG file. An SVG file is written beside it.
        result: Result of a measurement.
    """
    from matplotlib.figure import Figure

    units = list(dict.fromkeys(part["unit"] for part in result["parts"]))
    groups = [[part for part in result["parts"] if part["unit"] == unit] for unit in units]
    heights = [len(group) + 1.2 for group in groups]
    figure = Figure(figsize=(8, 1.1 + 0.42 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(units), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, unit, group in zip(panels, units, groups, strict=True):
        _draw_panel(axes, unit, group)
    set_title(figure, f"{result['name']}: {result['verdict']}{_marks(result)}")
    save_figure(path, figure, DPI)


def _marks(result: Mapping[str, Any]) -> str:
    """Return what keeps the figures from being results."""
    quick = ", a quick try: no result" if result["quick"] else ""
    return quick + (", synthetic images" if result["data"]["synthetic"] else "")


def _draw_panel(axes: Any, unit: str, parts: Sequence[Mapping[str, Any]]) -> None:
    known = [part for part in parts if part["effect"] is not None and part["low"] is not None]
    for row, part in enumerate(parts):
        height = len(parts) - row
        if part in known:
            left, right = part["effect"] - part["low"], part["high"] - part["effect"]
            color, marker = COLORS[part["verdict"]], MARKERS[part["verdict"]]
            axes.errorbar(part["effect"], height, xerr=[[left], [right]], color=color, marker=marker, capsize=3)
        for end in ("claimed_low", "claimed_high"):
            if part[end] is not None and not (unit == "ratio" and part[end] <= 0):
                axes.plot([part[end]] * 2, [height - 0.35, height + 0.35], color=GREY, linewidth=1)
    axes.set(ylim=(0.4, len(parts) + 0.6), xlabel=unit)
    axes.set_yticks([len(parts) - row for row in range(len(parts))], [_label(part) for part in parts])
    if unit == "ratio" and known:
        axes.set_xscale("log")
        ends = [part[end] for part in known for end in ("low", "high")]
        if max(ends) / min(ends) < 30:
            from matplotlib.ticker import MaxNLocator, NullFormatter

            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", alpha=0.3)


def _label(part: Mapping[str, Any]) -> str:
    low, high = (part[end] if part[end] is not None else math.nan for end in ("claimed_low", "claimed_high"))
    if math.isnan(low) and math.isnan(high):
        return part["name"]
    said = f"> {low:g}" if math.isnan(high) else f"< {high:g}" if math.isnan(low) else f"{low:g} to {high:g}"
    return f"{part['name']}\n(claimed: {said})"
