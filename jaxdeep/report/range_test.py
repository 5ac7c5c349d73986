"""Batch loss against learning rate, from a range test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import GREY, mark_clipped, series, set_title
from jaxdeep.study.summarise import commit
from jaxdeep.train.devices import describe_processor
from jaxdeep.train.history import null_if_not_finite
from jaxdeep.train.lr_finder import RangeTest, smoothed_losses

MOST_POINTS: Final = 2_000
"""Number of points above which the SVG file holds them as pixels."""
MOST_LABELS: Final = 20


def seeds_without_suggestion(test: RangeTest) -> int:
    """Return how many seeds of a range test have no suggestion, so that the geometric mean leaves them out.

    Args:
        test: Result of the range test.
    """
    return int(np.sum(~np.isfinite(test.suggestions)))


def range_test_json(test: RangeTest) -> dict[str, Any]:
    """Return the test as JSON values. Values that are not finite become None.

    Args:
        test: Range test of one or more seeds.

    Returns:
        Names of the figures and their values. The smoothed losses are left out.
    """
    return {
        "rule": test.rule,
        "suggestion": null_if_not_finite(test.suggestion),
        "turning_points": [null_if_not_finite(value) for value in test.turning_points.tolist()],
        "suggestions": [null_if_not_finite(value) for value in test.suggestions.tolist()],
        "rates": test.rates.tolist(),
        "losses": [[null_if_not_finite(value) for value in row] for row in test.losses.tolist()],
        "processor": describe_processor(),
        "commit": commit(),
    }


def range_test_of(record: Mapping[str, Any]) -> RangeTest:
    """Return the range test that a lr_finder.json holds, with its losses smoothed anew.

    Args:
        record: Content of a lr_finder.json.
    """
    rates, losses, turning, suggestions = (
        np.asarray(record[name], float) for name in ("rates", "losses", "turning_points", "suggestions")
    )
    test = RangeTest(tuple(record["seeds"]), rates, losses, losses, turning, suggestions, record["rule"])
    return test._replace(smoothed=np.stack([smoothed_losses(of_seed, rates) for of_seed in losses]))


def range_test_curves(path: Path, test: RangeTest, title: str) -> None:
    """Draw batch loss against learning rate: each seed's batches, their smoothed curve, and the suggested rates.

    Losses above the axis have a mark at its upper edge: the smoothed curves with their highest value, and the batches
    as a number in the legend.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        test: Result of the range test.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    count = len(test.seeds)
    handles: list[tuple[Any, str]] = []
    rasterized = test.losses.size > MOST_POINTS
    for index, seed in enumerate(test.seeds):
        look = series(index, count)
        (dots,) = axes.plot(test.rates, test.losses[index], ".", color=look.light, markersize=2, alpha=0.6)
        dots.set(rasterized=rasterized, gid="batches")
        (line,) = axes.plot(test.rates, test.smoothed[index], color=look.color, linestyle=look.dash, linewidth=1.8)
        every = max(1, len(test.rates) // 8)
        line.set(marker=look.marker, markersize=5, markevery=(index * every // count, every), gid="data")
        if np.isfinite(test.suggestions[index]):
            axes.axvline(test.suggestions[index], color=look.color, linestyle=":", linewidth=1.2, gid="suggestion")
        if index < MOST_LABELS and np.isfinite(test.smoothed[index]).any():
            more = f" and {count - MOST_LABELS} more" if index == MOST_LABELS - 1 and count > MOST_LABELS else ""
            handles.append((line, f"seed {seed}{more}"))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss of the batch (nats)")
    reached = test.rates[np.isfinite(test.losses).any(0)]
    if len(reached) > 1:
        axes.set_xlim(reached[0], min(1.5 * reached[-1], test.rates[-1]))
    color = series(0, 1).color if count == 1 else GREY
    roles: list[tuple[Any, str]] = []
    smoothed = test.smoothed[np.isfinite(test.smoothed)]
    if len(smoothed):
        first = np.nanmax(test.smoothed[:, 0])
        top = min(1.05 * smoothed.max(), 1.5 * max(first, smoothed.min()))
        axes.set_ylim(0.9 * smoothed.min(), top)
        above = int(np.sum(test.losses > top))
        roles.append((Line2D([], [], color=color, linewidth=1.8), "smoothed"))
        label = "one batch" + (f" ({above:,} above the axis)" if above else "")
        roles.append((Line2D([], [], color="0.6", marker=".", linestyle=""), label))
        if mark_clipped(axes, top):
            look = {"marker": "^", "color": color, "markeredgecolor": "black", "linestyle": ""}
            roles.append((Line2D([], [], **look), "smoothed loss above the axis,\nand its highest value"))
    suggested = _suggestion(test)
    lost = seeds_without_suggestion(test)
    if lost < count:
        roles.append((Line2D([], [], color=color, linestyle=":"), suggested))
    axes.grid(alpha=0.3)
    beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
    shown = [*roles, *(handles if count > 1 else [])]
    note = {"title": suggested, "title_fontsize": "small"} if lost == count else {}
    if shown or note:
        handles_and_labels = [list(part) for part in zip(*shown, strict=True)] or [[], []]
        figure.legend(*handles_and_labels, loc=beside, fontsize="small", **note)
    set_title(figure, title)
    save_figure(path, figure, dpi=120)


def _suggestion(test: RangeTest) -> str:
    """Return the suggestion in words, with the number of seeds that suggest nothing."""
    lost, count = seeds_without_suggestion(test), len(test.seeds)
    if lost == count:
        return "no seed suggests a rate" if count > 1 else "no rate is suggested"
    mean = " in the mean" if count > 1 else ""
    return f"suggested: {test.suggestion:.1e}{mean}" + (f"\n({lost} of {count} seeds without)" if lost else "")
