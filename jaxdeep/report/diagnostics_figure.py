"""Activations, gradients, updates and dead units of each layer by epoch, as one picture of four panels.

Few layers are lines. More layers than `MOST_SERIES` are the rows of a map, whose colours are the values.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import MOST_SERIES, ORDERS, marks, series, set_epochs, set_title
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.history import EpochRecord

PANELS: Final = {
    "activation_std": "standard deviation of the activations",
    "gradient_std": "standard deviation of the gradient",
    "update_ratio": "norm of the update / norm of the kernel",
    "dead_units": "share of dead units",
}
"""What the panels show, by field of `Diagnostics`."""
SHARE: Final = "dead_units"
"""The field whose values lie in 0 .. 1."""


def diagnostics_figure(path: Path, histories: Sequence[Sequence[EpochRecord]], title: str) -> bool:
    """Draw the diagnostics of each layer by epoch, as the median over the runs of one candidate.

    The epochs end with the first run that ends, so that no median is of the survivors.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        histories: Epochs of each run. All runs have the same layers.
        title: Title of the picture, with line breaks between its parts.

    Returns:
        Whether there was something to draw. Runs without diagnostics have no picture.
    """
    values = medians(histories)
    if not values:
        return False
    from matplotlib.figure import Figure  # 0.4 s to import, and without pyplot's global state

    figure = Figure(figsize=(11, 7.2), layout="constrained")
    epochs, layers = values[SHARE].shape
    for axes, (name, label) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        if layers > MOST_SERIES:
            _draw_map(figure, axes, values[name], name == SHARE)
        else:
            _draw_lines(axes, values[name], name == SHARE)
        set_epochs(axes, epochs)
        axes.set_title(label, fontsize="medium")
    if layers <= MOST_SERIES:
        handles, labels = figure.axes[-1].get_legend_handles_labels()
        beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
        figure.legend(handles, labels, loc=beside, fontsize="small", handlelength=2.5)
    of_runs = f", median of {len(histories)} runs" if len(histories) > 1 else ""
    set_title(figure, f"{title}\nlayers before the first step of each epoch{of_runs}")
    save_figure(path, figure, dpi=120)
    return True


def medians(histories: Sequence[Sequence[EpochRecord]]) -> Mapping[str, np.ndarray]:
    """Return the median over runs of each figure.

    Args:
        histories: Epochs of each run.

    Returns:
        Arrays [epochs, L] by field of `Diagnostics`. A value that no run has is NaN. Empty if a run has no diagnostics.
    """
    runs = [[record.diagnostics for record in history] for history in histories]
    end = min(map(len, runs), default=0)
    known = [[of for of in run[:end] if of is not None] for run in runs]
    if not end or any(len(run) < end for run in known):
        return {}
    figures = np.asarray(known)  # runs, epochs, figures, layers
    return {name: _median(figures[:, :, index]) for index, name in enumerate(Diagnostics._fields)}


def _median(values: np.ndarray) -> np.ndarray:
    """Return the median over the first axis, in which NaN does not count."""
    values = np.where(np.isfinite(values), values, np.nan)
    found = np.full(values.shape[1:], np.nan)
    is_known = np.isfinite(values).any(0)
    if is_known.any():
        found[is_known] = np.nanmedian(values[:, is_known], axis=0)
    return found


def _draw_lines(axes: Any, values: np.ndarray, is_share: bool) -> None:
    """Draw a line for each layer."""
    epochs, layers = values.shape
    for layer in range(layers):
        look = series(layer, layers)
        label = "output layer" if layer == layers - 1 else f"layer {layer}"
        shown = values[:, layer] if is_share else np.where(values[:, layer] > 0, values[:, layer], np.nan)
        every = marks(epochs, 0 if epochs == 1 else layer, layers)
        (line,) = axes.plot(range(1, epochs + 1), shown, color=look.color, linestyle=look.dash, label=label)
        line.set(marker=look.marker or "o", markersize=4, markevery=every, gid="data")
    axes.grid(alpha=0.3)
    if is_share:
        axes.set_ylim(-0.03, 1.03)
        return
    low, high = _ends(np.ma.masked_invalid(np.where(values > 0, values, np.nan)))
    if high > ORDERS * low:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _draw_map(figure: Any, axes: Any, values: np.ndarray, is_share: bool) -> None:
    """Draw a row for each layer, the first layer at the foot. Unknown values and zeros on a logarithm are grey."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import MaxNLocator

    epochs, layers = values.shape
    shown = np.ma.masked_invalid(values if is_share else np.where(values > 0, values, np.nan))
    norm = Normalize(0, 1) if is_share else LogNorm(*_ends(shown))
    sides = (np.arange(epochs + 1) + 0.5, np.arange(layers + 1) - 0.5)
    colors = colormaps["viridis"].with_extremes(bad="0.8")
    mesh = axes.pcolormesh(*sides, shown.T, norm=norm, cmap=colors, rasterized=True)
    axes.set_facecolor("0.8")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("layer")
    figure.colorbar(mesh, ax=axes)


def _ends(values: Any) -> tuple[float, float]:
    """Return the ends of a logarithmic scale: the lowest and the highest value, or a decade around a single value."""
    if not values.count():
        return 0.1, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > 1.001 * low else (low / 10**0.5, high * 10**0.5)
