"""The chapter's own curves over the range of our seeds: validation loss and accuracy of every run that it prints."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from experiments.figures.chapter_logs import Epoch, Printed, joined
from experiments.figures.figure import SMALL, Inputs, Picture, panels
from jaxdeep.report.figures import histories_by_key
from jaxdeep.report.style import BLUE, GREEN, VERMILLION, lighter, set_epochs
from jaxdeep.study.stored import read_study

QUANTITIES: Final = {"val_loss": "val loss", "val_accuracy": "val accuracy"}
LOOKS: Final = {
    "000": ("000's run", VERMILLION, "o"),
    "001": ("001's run", VERMILLION, "o"),
    "004": ("004's run", GREEN, "s"),
    "004 again": ("004's run again", "black", "^"),
}
"""Label, colour and marker of the chapter's runs."""


class Band(NamedTuple):
    """Our seeds at each epoch that all of them reached.

    Attributes:
        epochs: Epochs [E], 1 .. E.
        low: Lowest seed [E].
        median: Median of the seeds [E].
        high: Highest seed [E].
        tails: Epochs and values of each seed behind epoch E, that epoch included.
        seeds: Number of seeds.
    """

    epochs: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    tails: tuple[tuple[np.ndarray, np.ndarray], ...]
    seeds: int


def drawing_of(experiment: str, printed: Sequence[Printed], columns: int) -> Callable[[Inputs], Picture]:
    """Return the function that draws some of the chapter's runs.

    Args:
        experiment: Name of the experiment, whose records are drawn.
        printed: Runs of the chapter and their records. A panel is left over for the legend.
        columns: Number of columns of panels.
    """
    return partial(draw_curves, experiment, printed, columns)


def draw_curves(experiment: str, printed: Sequence[Printed], columns: int, inputs: Inputs) -> Picture:
    """Draw two panels for each record: the loss, and below it the accuracy.

    Args:
        experiment: Name of the experiment.
        printed: Runs of the chapter and their records.
        columns: Number of columns of panels.
        inputs: Records.

    Raises:
        UserError: A record is missing.
    """
    blocks = -(-len(printed) // columns)
    figure, grid = panels(2 * blocks, columns, 0.8 + 3.9 * blocks)
    inside = total = 0
    seeds: set[int] = set()
    shown: dict[str, None] = {}
    has_tails = False
    for place, of in enumerate(printed):
        rows, column = 2 * (place // columns), place % columns
        for row, quantity in enumerate(QUANTITIES):
            axes = grid[rows + row, column]
            band = band_of(inputs.results / experiment / of.record, quantity)
            lines = _lines(of)
            _draw_panel(axes, band, lines, quantity)
            counts = [_inside(band, line, quantity) for line in lines.values()]
            shown, has_tails = shown | dict.fromkeys(lines), has_tails or bool(band.tails)
            inside, total = inside + sum(of[0] for of in counts), total + sum(of[1] for of in counts)
            seeds.add(band.seeds)
            if column == 0:
                axes.set_ylabel(QUANTITIES[quantity])
            if row == 0:
                axes.set_title(of.record)
                axes.set_xlabel("")
    for place in range(len(printed), blocks * columns):
        for row in range(2):
            grid[2 * (place // columns) + row, place % columns].set_axis_off()
    _legend(figure, sorted(shown), has_tails=has_tails)
    numbers = {"inside": inside, "total": total, "share": f"{inside / total:.0%}"}
    count = min(seeds)
    return Picture(figure, {**numbers, "seeds": count, "expected": f"{(count - 1) / (count + 1):.0%}"})


def band_of(record: Path, quantity: str) -> Band:
    """Return the range of the seeds of a record.

    Args:
        record: Path of the record without its ending.
        quantity: Name of the figure, val_loss or val_accuracy.

    Raises:
        UserError: The record is missing.
    """
    study = read_study(record.with_name(f"{record.name}.json"), record.with_name(f"{record.name}.jsonl"))
    runs = [np.asarray([getattr(epoch, quantity) for epoch in run]) for run in histories_by_key(study).values()]
    shared = min(map(len, runs))
    values = np.stack([run[:shared] for run in runs])
    tails = tuple((np.arange(shared, len(run) + 1), run[shared - 1 :]) for run in runs if len(run) > shared)
    ends = values.min(0), np.median(values, axis=0), values.max(0)
    return Band(np.arange(1, shared + 1), *ends, tails, len(runs))


def _lines(printed: Printed) -> dict[str, list[Epoch]]:
    """Return the chapter's epochs of each run in a panel, by its name in LOOKS."""
    found: dict[str, list[Epoch]] = {}
    for runs in printed.runs:
        source = runs[0][0]
        found[f"{source} again" if source in found else source] = joined(runs)
    return found


def _draw_panel(axes: Any, band: Band, lines: Mapping[str, Sequence[Epoch]], quantity: str) -> None:
    """Draw our range, our median, our later epochs and the chapter's runs."""
    axes.fill_between(band.epochs, band.low, band.high, color=lighter(BLUE, 0.65), linewidth=0, gid="band")
    for epochs, values in band.tails:
        axes.plot(epochs, values, color=lighter(BLUE, 0.5), linewidth=0.7)
    axes.plot(band.epochs, band.median, color=BLUE, linewidth=1.8, gid="data")
    if len(band.epochs) < 3:
        axes.errorbar(
            band.epochs, band.median, [band.median - band.low, band.high - band.median], color=BLUE, capsize=4
        )
    for name, epochs in lines.items():
        x = np.asarray([of.epoch for of in epochs])
        y = np.asarray([getattr(of, quantity) for of in epochs])
        look: dict[str, Any] = dict(zip(("color", "marker"), LOOKS[name][1:], strict=True), markersize=3.5)
        gaps = np.flatnonzero(np.diff(x) > 1) + 1  # epochs that the source leaves out are not joined by a line
        axes.plot(
            np.insert(x.astype(float), gaps, np.nan), np.insert(y, gaps, np.nan), **look, linewidth=0.8, gid="data"
        )
    ends = [*band.epochs[-1:], *(of[0][-1] for of in band.tails), *(line[-1].epoch for line in lines.values())]
    set_epochs(axes, int(max(ends)))
    axes.grid(alpha=0.3)
    if quantity == "val_loss":  # our range may spike far above all lines, and is cut
        heights = np.concatenate([line.get_ydata() for line in axes.lines if line.get_gid() == "data"])
        low, high = min(np.nanmin(heights), band.low.min()), np.nanmax(heights)
        axes.set_ylim(low - 0.06 * (high - low), high + 0.1 * (high - low))


def _inside(band: Band, line: Sequence[Epoch], quantity: str) -> tuple[int, int]:
    """Return how many printed epochs lie in our range, and how many could: the epochs that all seeds reached."""
    compared = [of for of in line if of.epoch <= len(band.epochs)]
    found = [band.low[of.epoch - 1] <= getattr(of, quantity) <= band.high[of.epoch - 1] for of in compared]
    return sum(map(bool, found)), len(compared)


def _legend(figure: Any, names: Sequence[str], *, has_tails: bool) -> None:
    """Name the kinds of marks below the panels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    chapters = [
        Line2D([], [], color=color, marker=marker, markersize=4, linewidth=0.8, label=label)
        for label, color, marker in (LOOKS[name] for name in names)
    ]
    ours: list[Any] = [
        Line2D([], [], color=BLUE, linewidth=1.8, label="median of our seeds"),
        Patch(color=lighter(BLUE, 0.65), label="lowest to highest seed"),
    ]
    if has_tails:
        ours.append(Line2D([], [], color=lighter(BLUE, 0.5), linewidth=0.7, label="a seed after the first one stopped"))
    figure.legend(handles=[*chapters, *ours], loc="outside lower center", ncols=3, fontsize=SMALL)
