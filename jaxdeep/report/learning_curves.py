"""Loss and accuracy by epoch: run by run, or as the mean of each candidate's runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.analysis.statistics import mean_over_runs, within
from jaxdeep.config.choices import Monitor
from jaxdeep.report.divergence import named
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import (
    GREY,
    MOST_SERIES,
    Series,
    fit_losses,
    mark_clipped,
    marks,
    series,
    set_epochs,
    set_title,
)
from jaxdeep.train.history import EpochRecord, has_diverged

Histories = Mapping[int | str, Sequence[EpochRecord]]
"""The epochs of each run of one candidate, by seed, or by seed and fold."""
MOST_RUNS: Final = 4
"""Number of a single candidate's runs above which their mean is drawn."""
MOST_LABELS: Final = 20
"""Number of candidates, at most, that the legend names."""
ROLES: Final = {
    "validation": "validation",
    "training": "training (light)",
    "band": "95% interval of the mean",
    "best": "best epoch (lowest validation loss)",
    "cut": "means end where their first run ends",
    "tail": "a single run after the first one ended",
    "diverged": "a run diverged",
    "clipped": "loss above the axis, and its value",
}
"""What the legend says of each kind of mark, in its order. Only kinds that are drawn are in the legend."""

BY_ACCURACY: Final = "best epoch (highest validation accuracy)"
"""What the legend says of the best epoch if the accuracy chose it."""


def learning_curves(
    path: Path,
    candidates: Mapping[str, Histories],
    title: str,
    *,
    monitor: Monitor = "val_loss",
    metric: str = "accuracy",
    loss: str = "cross-entropy (nats)",
) -> None:
    """Draw loss and accuracy by epoch, validation in full colours, training light and thin.

    A single candidate of few runs is drawn run by run, with their best epochs marked. Otherwise a line is the mean over
    a candidate's runs, with the band of the mean's 95% interval. A mean ends with the first of its runs, whether that
    stopped early or diverged, so that it is never a mean of the survivors. The later epochs of a single candidate are
    drawn run by run, thin. Of very many candidates only the validation is drawn, without bands. The legend counts the
    runs that diverged, and a cross at the foot marks the last epoch of each. Losses above the axis have a mark at its
    upper edge with their value.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        candidates: Histories of each candidate, by its name. The name of a single candidate is not shown.
        title: Title of the picture, with line breaks between its parts.
        monitor: Figure that chose the best epochs.
        metric: What the accuracies are: "accuracy" or "R2".
        loss: Name and unit of the losses.
    """
    from matplotlib.figure import Figure  # 0.4 s to import, and without pyplot's global state

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels: dict[str, Any] = dict(zip(("loss", "accuracy"), figure.subplots(1, 2), strict=True))
    single = next(iter(candidates.values())) if len(candidates) == 1 else None
    if single is not None and len(single) <= MOST_RUNS:
        drawn, handles = _draw_runs(panels, single, monitor)
    else:
        drawn, handles = _draw_means(panels, candidates, is_r2=metric == "R2")
    ends = (line.get_xdata()[-1] for axes in panels.values() for line in axes.lines if len(line.get_xdata()))
    last = max(map(int, ends), default=1)
    for quantity, axes in panels.items():
        set_epochs(axes, last)
        axes.set_ylabel(loss if quantity == "loss" else metric)
        axes.grid(alpha=0.3)
        if not any(line.get_gid() == "data" and len(line.get_xdata()) for line in axes.lines):
            axes.set(yticks=[])
            axes.text(0.5, 0.5, "no epoch with finite losses", transform=axes.transAxes, ha="center", color=GREY)
    if (top := fit_losses(panels["loss"])) is not None and mark_clipped(panels["loss"], top):
        drawn.add("clipped")
    own = single is not None and len(single) != 1 and len(single) <= MOST_RUNS
    color = GREY if single is None or own else series(0, 1).color
    names = {**ROLES, **({} if monitor == "val_loss" else {"best": BY_ACCURACY.replace("accuracy", metric)})}
    if single is not None and not own and len(single) > 1:
        diverged = sum(map(has_diverged, single.values()))
        names["validation"] = f"validation, mean of {len(single)} runs"
        names["cut"] = "the mean ends where the first run ends"
        names["diverged"] = f"{diverged} of {len(single)} runs diverged"
    roles = [(_mark(name, color), label) for name, label in names.items() if name in drawn]
    _write_legend(figure, roles, handles)
    set_title(figure, title)
    save_figure(path, figure, dpi=120)


def _draw_runs(
    panels: Mapping[str, Any], histories: Histories, monitor: Monitor
) -> tuple[set[str], list[tuple[Any, str]]]:
    """Draw each run. Return the kinds of marks drawn, and the legend's entries of the runs if there are several."""
    drawn, handles = set(), []
    for index, (key, history) in enumerate(histories.items()):
        look = series(index, len(histories))
        kept = history[: _finite_epochs(history)]
        every = marks(len(kept), index, len(histories))
        epochs = [record.epoch for record in kept]
        best = min(kept, key=lambda of: of.val_loss if monitor == "val_loss" else -of.val_accuracy, default=None)
        handle = None
        for quantity, axes in panels.items():
            for part, color, width in (("train", look.light, 1.2), ("val", look.color, 1.8)):
                values = [getattr(record, f"{part}_{quantity}") for record in kept]
                marker = "." if len(kept) == 1 and part == "train" else look.marker
                (line,) = axes.plot(epochs, values, color=color, linewidth=width, linestyle=look.dash, marker=marker)
                line.set(markersize=4, markevery=every, gid="data")
                handle = line if kept else None
            if best is not None:
                value = getattr(best, f"val_{quantity}")
                axes.plot(best.epoch, value, look.marker or "o", color=look.color, markersize=9, gid="best")
                axes.lines[-1].set(markeredgecolor="black", markeredgewidth=1.2)
        drawn |= {"validation", "training", "best"} if kept else set()
        cross = _mark_diverged(panels, [history], look, index)
        drawn |= {"diverged"} if cross is not None else set()
        if len(histories) > 1 or handle is None:
            handles.append((handle or cross, f"seed {key}" + (", diverged" if cross is not None else "")))
    return drawn, handles


def _draw_means(
    panels: Mapping[str, Any], candidates: Mapping[str, Histories], *, is_r2: bool
) -> tuple[set[str], list[tuple[Any, str]]]:
    """Draw the mean of each candidate. Return the kinds of marks drawn, and the legend's entries of the candidates."""
    drawn, handles = set(), []
    for index, (name, of_candidate) in enumerate(candidates.items()):
        look, histories = series(index, len(candidates)), list(of_candidate.values())
        end = min((_finite_epochs(history) for history in histories), default=0)
        line = None
        for quantity, axes in panels.items():
            parts = ("val",) if len(candidates) > MOST_SERIES else ("train", "val")
            for part in parts if end else ():
                lowest = -math.inf if is_r2 and quantity == "accuracy" else 0.0
                figure, place = f"{part}_{quantity}", (index, len(candidates))
                found = _draw_mean(axes, histories, figure, end, look, place, lowest)
                line = axes.lines[-1]
                drawn |= {"validation" if part == "val" else "training"}
                drawn |= {"band"} & found
            longer = [history for history in histories if _finite_epochs(history) > max(end, 1)]
            if longer and len(candidates) == 1:
                for history in longer:
                    _draw_tail(axes, history, quantity, end, look)
                drawn |= {"tail"}
            drawn |= {"cut"} if longer and end else set()
        diverged = sum(map(has_diverged, histories))
        cross = _mark_diverged(panels, histories, look, index)
        drawn |= {"diverged"} if cross is not None else set()
        if (handle := line or cross) is not None and len(candidates) > 1:
            handles.append((handle, named(name, len(histories), diverged)))
    return drawn, handles


def _draw_mean(
    axes: Any,
    histories: Sequence[Sequence[EpochRecord]],
    figure: str,
    end: int,
    look: Series,
    place: tuple[int, int],
    lowest: float,
) -> set[str]:
    """Draw the mean of a figure over all runs up to an epoch, and the band of a validation figure."""
    epochs = range(1, end + 1)
    highest = 1.0 if figure.endswith("accuracy") else math.inf
    of_epochs = ([getattr(history[epoch - 1], figure) for history in histories] for epoch in epochs)
    estimates = [within(mean_over_runs(values), lowest, highest) for values in of_epochs]
    mean = [math.nan if of.mean is None else of.mean for of in estimates]
    is_validation = figure.startswith("val_")
    color, width = (look.color, 1.8) if is_validation else (look.light, 1.1)
    marker = look.marker or ("." if end == 1 else "")
    (line,) = axes.plot(epochs, mean, color=color, linewidth=width, linestyle=look.dash, marker=marker)
    line.set(markersize=5 if is_validation else 3, markevery=marks(end, *place), gid="data")
    if not is_validation or place[1] > MOST_SERIES or any(of.low is None for of in estimates):
        return set()
    low, high = ([getattr(of, side) for of in estimates] for side in ("low", "high"))
    axes.fill_between(epochs, low, high, color=look.color, alpha=0.18, linewidth=0, gid="band")
    return {"band"}


def _draw_tail(axes: Any, history: Sequence[EpochRecord], quantity: str, end: int, look: Series) -> None:
    """Draw the validation of one run from the last epoch of the mean on."""
    later = history[max(end - 1, 0) :]
    values = [getattr(record, f"val_{quantity}") for record in later]
    axes.plot([record.epoch for record in later], values, color=look.color, linewidth=0.6, alpha=0.7, gid="data")


def _finite_epochs(history: Sequence[EpochRecord]) -> int:
    """Return the number of epochs before a run ended, or before the epoch in which it diverged."""
    return next((index for index, record in enumerate(history) if has_diverged([record])), len(history))


def _mark_diverged(
    panels: Mapping[str, Any], histories: Sequence[Sequence[EpochRecord]], look: Series, row: int
) -> Any:
    """Mark at the foot of each panel the epochs at which runs diverged. Return the mark, or None without one."""
    ended = [history[-1].epoch for history in histories if has_diverged(history)]
    mark = None
    for axes in panels.values() if ended else ():
        height = 0.02 + 0.035 * (row % 8)  # so that they do not hide each other
        (mark,) = axes.plot(ended, [height] * len(ended), "x", color=look.color, transform=axes.get_xaxis_transform())
        mark.set(clip_on=False, markersize=7, markeredgewidth=1.8, gid="diverged")
    return mark


def _mark(name: str, color: Any) -> Any:
    """Return an example of a kind of mark, for the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    light = series(0, 1).light if color != GREY else "0.7"
    look: Mapping[str, Any] = {
        "validation": {"color": color, "linewidth": 1.8},
        "training": {"color": light, "linewidth": 1.2},
        "best": {"marker": "o", "color": color, "markersize": 8, "markeredgecolor": "black", "linestyle": ""},
        "cut": {"linestyle": ""},
        "tail": {"color": color, "linewidth": 0.6, "alpha": 0.7},
        "diverged": {"marker": "x", "color": color, "markeredgewidth": 1.8, "linestyle": ""},
        "clipped": {"marker": "^", "color": color, "markeredgecolor": "black", "linestyle": ""},
    }
    return Patch(color=color, alpha=0.18) if name == "band" else Line2D([], [], **look[name])


def _write_legend(figure: Any, roles: Sequence[tuple[Any, str]], names: Sequence[tuple[Any, str]]) -> None:
    """Write the kinds of marks, then the candidates or runs. Of very many, the rest is counted."""
    shown = [*roles, *names[:MOST_LABELS]]
    beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
    more = len(names) - MOST_LABELS
    note = {"title": f"the first {MOST_LABELS} of {len(names)}", "title_fontsize": "small"} if more > 0 else {}
    if shown:
        handles_and_labels = [list(part) for part in zip(*shown, strict=True)]
        figure.legend(*handles_and_labels, loc=beside, fontsize="small", handlelength=2.5, **note)
