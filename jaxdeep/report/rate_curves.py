"""Accuracy against learning rate, from a study that varies it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.config import short
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import GREY, Series, series, set_title
from jaxdeep.report.titles import labels_of
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial_result import Candidate

RATE: Final = "optim.learning_rate"
DODGE: Final = 0.012
"""Decades of the learning rate between two curves' points, so that their bars do not hide each other."""
MOST_BARS: Final = 8
"""Number of curves above which no intervals are drawn."""


def rate_curves(path: Path, result: StudyResult, title: str) -> None:
    """Draw accuracy against learning rate, as means over seeds with their 95% intervals.

    A curve's interval is a band, and that of several curves is a bar at each candidate. The points of several curves
    stand side by side, a few percent off their rates. The best candidate is marked,
    and the rate that the range test suggests. Each choice of the other fields that the study varies has a curve of its
    own. A candidate with runs that diverged is hollow, or has no figures at all, and the share of these runs stands at
    the foot of the picture.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        result: Result of a study that varies optim.learning_rate, with its range test.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[Candidate]] = {}
    others = labels_of([name for name in result.grid if name != RATE])
    joined = not result.space.keys() - {RATE} and result.halving is None
    for candidate in sorted(result.candidates, key=lambda of: of.values[RATE]):
        name = ", ".join(f"{label}={short(candidate.values[field])}" for field, label in others.items())
        curves.setdefault(name, []).append(candidate)
    drawn: set[str] = set()
    handles: list[tuple[Any, str]] = []
    for index, (name, candidates) in enumerate(curves.items()):
        look = series(index, len(curves))
        found = _draw_curve(axes, candidates, look, (index, len(curves)), joined=joined)
        drawn |= found
        if name and "validation" in found:
            handles.append((_line(look.color, look.dash, look.marker or "o"), name))
        if result.best is not None and any(result.best is candidate for candidate in candidates):
            best: Any = (_place(result.best, (index, len(curves))), result.best.mean["val_accuracy"].mean)
            axes.plot(*best, "*", color=look.color, markersize=16, markeredgecolor="black", gid="best")
            drawn.add("best")
        drawn |= _mark_lost(axes, result, candidates, look, (index, len(curves)))
    color = GREY if len(curves) > 1 else series(0, 1).color
    handles = [*_roles(drawn, color, joined, result.best is None), *handles, *_draw_suggestion(axes, result)]
    axes.set(xscale="log", xlabel="learning rate", ylabel=result.metric)
    axes.grid(alpha=0.3)
    beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
    if handles:
        figure.legend(*map(list, zip(*handles, strict=True)), loc=beside, fontsize="small", handlelength=2.5)
    set_title(figure, title)
    save_figure(path, figure, dpi=120)


def _draw_curve(
    axes: Any, candidates: Sequence[Candidate], look: Series, place: tuple[int, int], *, joined: bool
) -> set[str]:
    """Draw the candidates of one curve. Return the kinds of marks drawn."""
    count = place[1]
    rates = [_place(candidate, place) for candidate in candidates]
    drawn = set()
    for figure, marker, dash in (("test_accuracy", "", (0, (1, 1.5))), ("val_accuracy", look.marker or "o", look.dash)):
        mean, low, high = (_values(candidates, figure, side) for side in ("mean", "low", "high"))
        if all(map(math.isnan, mean)):
            continue
        is_validation = figure == "val_accuracy"
        color = look.color if is_validation else look.light
        axes.plot(rates, mean, marker or ".", color=color, linestyle=dash if joined else "", linewidth=1.5)
        axes.lines[-1].set(markersize=5 if is_validation else 4, gid="data")
        drawn.add("validation" if is_validation else "test")
        if not is_validation or not joined or count > MOST_BARS or all(map(math.isnan, low)):
            continue
        if count == 1:
            axes.fill_between(rates, low, high, color=look.color, alpha=0.18, linewidth=0)
            drawn.add("band")
        else:
            axes.vlines(rates, low, high, color=look.color, linewidth=1.2, alpha=0.8)
            drawn.add("bar")
    return drawn


def _place(candidate: Candidate, place: tuple[int, int]) -> float:
    """Return the place of a candidate on the axis: its rate, and for one of several curves a little beside it."""
    index, count = place
    return candidate.values[RATE] * 10 ** (DODGE * (index - (count - 1) / 2))


def _values(candidates: Sequence[Candidate], figure: str, side: str) -> list[float]:
    """Return a figure of each candidate, or one end of its interval. NaN without one."""
    values = (getattr(candidate.mean[figure], side) for candidate in candidates)
    return [math.nan if value is None else value for value in values]


def _draw_suggestion(axes: Any, result: StudyResult) -> list[tuple[Any, str]]:
    """Draw the rate that the range test suggests. Return the legend's entry, or none without a suggestion."""
    found: Mapping[str, Any] = result.range_test or {"suggestion": None}
    if (suggestion := found["suggestion"]) is None:
        return []
    lost = found.get("without_suggestion", 0)
    line = axes.axvline(suggestion, color="black", linestyle="--", linewidth=1, gid="suggestion")
    return [(line, f"finder: {suggestion:.1e}" + (f"\n({lost} of {len(found['seeds'])} without)" if lost else ""))]


def _mark_lost(
    axes: Any, result: StudyResult, candidates: Sequence[Candidate], look: Series, place: tuple[int, int]
) -> set[str]:
    """Show the candidates of a curve that lost runs: hollow if they have a mean, and with their share at the foot."""
    drawn = set()
    for candidate in candidates:
        runs = result.trials_of(candidate)
        if not (diverged := sum(trial.diverged for trial in runs)):
            continue
        drawn.add("lost")
        rate, accuracy = _place(candidate, place), candidate.mean["val_accuracy"].mean
        if accuracy is not None:
            axes.plot(rate, accuracy, "o", color=look.color, markersize=8, markerfacecolor="white", gid="hollow")
            drawn.add("hollow")
        foot = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": "x-small"}
        axes.text(rate, 0.02 + 0.04 * place[0], f"{diverged}/{len(runs)}", color=look.color, **foot)
        axes.plot(rate, 0.0, "x", color=look.color, markersize=6, transform=axes.get_xaxis_transform(), clip_on=False)
    return drawn


def _roles(drawn: set[str], color: Any, joined: bool, is_without_best: bool) -> list[tuple[Any, str]]:
    """Return the legend's entries of the kinds of marks that are drawn."""
    from matplotlib.patches import Patch

    light = "0.7" if color == GREY else series(0, 1).light
    none_is_best = " (so that\nnone is best)" if is_without_best else ""
    entries = {
        "validation": (_line(color, "-" if joined else "", "o"), "validation, mean over runs"),
        "test": (_line(light, (0, (1, 1.5)) if joined else "", "."), "test, mean over runs"),
        "band": (Patch(color=color, alpha=0.18), "95% interval, validation"),
        "bar": (_line(color, "", "|", markersize=10), "95% interval, validation"),
        "best": (_line(color, "", "*", markersize=12, markeredgecolor="black"), "lowest val_loss"),
        "hollow": (_line(color, "", "o", markerfacecolor="white"), "some runs diverged"),
        "lost": (_line(color, "", "x"), f"1/3: 1 of 3 runs diverged{none_is_best}"),
    }
    return [entry for name, entry in entries.items() if name in drawn]


def _line(color: Any, dash: Any, marker: str, **more: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linestyle=dash, marker=marker, **{"markersize": 5, **more})
