"""The look of all pictures: colours, markers, whole epochs, and marks for what lies above an axis.

The colours are Okabe and Ito's, which people with any colour vision tell apart. Series also differ in their
markers and dashes, so that a picture can be read in grey. Matplotlib is imported inside the functions, as it is slow to
import.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PALETTE: Final = (BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", (0, (6, 2)), (0, (2, 1)), (0, (6, 2, 1, 2)))
GREY: Final = "0.35"
MOST_SERIES: Final = 8
"""Number of series above which colours are steps of a scale from dark to light."""
MARKS_A_LINE: Final = 8
MOST_VALUES: Final = 10
"""Number of values, at most, that stand beside the marks of a panel's upper edge."""
ORDERS: Final = 20
"""Ratio of high to low losses above which a loss axis is logarithmic."""
OF_MEDIAN, OF_SPAN = 2.5, 4.0
"""Multiples of the median loss, and of the span of the later epochs, that a loss axis holds."""
CLOSE: Final = 0.14
"""Share of a panel's width within which two values would overlap."""


class Series(NamedTuple):
    """The look of one series.

    Attributes:
        color: Colour of its main line, as matplotlib takes it.
        light: A lighter tone of the same colour.
        marker: Marker of its points. "" for a picture's only series, or one of very many.
        dash: Line style, as matplotlib takes it.
    """

    color: Any
    light: Any
    marker: str
    dash: Any


def series(index: int, count: int) -> Series:
    """Return the look of a series.

    Args:
        index: Index of the series, in 0 .. count - 1.
        count: Number of series in the picture, 1 or more.

    >>> series(0, 1).marker, series(1, 2).marker
    ('', 's')
    """
    if count <= MOST_SERIES:
        color: Any = PALETTE[index % len(PALETTE)]
        marker, dash = MARKERS[index % len(MARKERS)] if count > 1 else "", DASHES[index // len(PALETTE)]
        return Series(color, lighter(color), marker, dash)
    from matplotlib import colormaps

    color = colormaps["viridis"](0.88 * index / (count - 1))
    return Series(color, lighter(color), "", DASHES[index % len(DASHES)])


def lighter(color: Any, white: float = 0.5) -> tuple[float, float, float]:
    """Return a lighter tone of a colour.

    Args:
        color: Colour, as matplotlib takes it.
        white: Share of white in the tone, in [0, 1].
    """
    if isinstance(color, str) and color.startswith("#"):  # the palette needs no matplotlib
        parts: Any = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    else:
        from matplotlib.colors import to_rgb

        parts = to_rgb(color)
    red, green, blue = ((1 - white) * part + white for part in parts)
    return red, green, blue


def marks(points: int, index: int, count: int) -> tuple[int, int]:
    """Return which points of a line have a marker: the first one, and the step to the next.

    The markers of several series stand at different points, so that they do not hide each other.

    Args:
        points: Number of points of the line, 0 or more.
        index: Index of the series.
        count: Number of series in the picture.
    """
    step = max(1, -(-points // MARKS_A_LINE))
    return index * step // count, step


def set_epochs(axes: Any, last: int) -> None:
    """Give a panel a horizontal axis of whole epochs.

    Args:
        axes: Matplotlib's axes.
        last: Last epoch, 1 or more.
    """
    from matplotlib.ticker import MaxNLocator

    beside = min(max(0.03 * (last - 1), 0.15), 0.9) if last > 1 else 0.5
    axes.set_xlim(1 - beside, last + beside)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)))
    axes.set_xlabel("epoch")


def set_title(figure: Any, title: str) -> None:
    """Write a title above a figure, each of its lines broken where the figure ends.

    Args:
        figure: Matplotlib's figure.
        title: Title, with line breaks between its parts.
    """
    import textwrap

    first, *others = title.splitlines() or [""]
    width = int(13 * figure.get_figwidth())
    lines = [*textwrap.wrap(first, width), *(line for other in others for line in textwrap.wrap(other, width))]
    figure.suptitle("\n".join(lines), fontsize="large" if len(lines) == 1 else "medium")


def fit_losses(axes: Any) -> float | None:
    """Fit the vertical axis of a panel to its losses, and return its upper end if losses lie above it.

    The axis holds all losses if it can. It is logarithmic if they spread over orders of magnitude. Otherwise it leaves
    out a wild first epoch (raw inputs of 0 .. 255 start high) and rare spikes, which lie above a multiple of the median
    and of the span of the later epochs.

    Args:
        axes: Panel whose lines are losses by epoch, counted from 1.

    Returns:
        The upper end of the axis, or None if no loss lies above it.
    """
    points = [line.get_xydata() for line in _lines(axes)]
    points = [of[np.isfinite(of[:, 1])] for of in points]
    losses = np.concatenate([of[:, 1] for of in points]) if points else np.zeros(0)
    if not len(losses):
        return None
    later = np.concatenate([of[of[:, 0] > 1, 1] for of in points])
    later = later if len(later) else losses
    low, high = np.quantile(later, (0.2, 0.8))
    if losses.min() > 0 and high > ORDERS * low:
        axes.set_yscale("log")
        return None
    bottom, highest = losses.min(), losses.max()
    is_held = highest <= OF_MEDIAN * np.median(losses) or highest - bottom <= OF_SPAN * (high - bottom)
    top = 1.05 * highest if is_held else min(1.1 * later.max(), 1.5 * high)
    if top > bottom:
        lowest, top = _with_bands(axes, bottom, top)
        axes.set_ylim(max(lowest - 0.08 * (top - lowest), 0), top)
    return float(top) if top < highest else None


def mark_clipped(axes: Any, top: float) -> int:
    """Mark at the upper edge where lines leave a panel, each with its highest value there.

    Args:
        axes: Panel with its lines.
        top: Upper end of the vertical axis.

    Returns:
        The number of marks.
    """
    peaks = sorted(
        (float(x), float(y), line.get_color()) for line in _lines(axes) for x, y in _peaks(line.get_xydata(), top)
    )
    at_edge = axes.get_xaxis_transform()
    to_share = axes.transScale + axes.transLimits
    labelled = sorted(peaks, key=lambda peak: -peak[1])[:MOST_VALUES]
    written: list[tuple[float, int]] = []
    for x, value, color in peaks:
        axes.plot([x], [1.0], "^", color=color, markersize=7, markeredgecolor="black", markeredgewidth=0.6)
        axes.lines[-1].set(transform=at_edge, clip_on=False, zorder=5, gid="clipped")
        if (x, value, color) not in labelled:
            continue
        share = float(to_share.transform((x, top))[0])
        taken = {level for other, level in written if abs(share - other) < CLOSE}
        level = next(level for level in range(len(peaks)) if level not in taken)
        written.append((share, level))
        side = "left" if share < 0.08 else "right" if share > 0.92 else "center"
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}
        axes.text(x, 0.96 - 0.05 * level, f"{value:.3g}", transform=at_edge, ha=side, va="top", fontsize=7, bbox=box)
    return len(peaks)


def _with_bands(axes: Any, bottom: float, top: float) -> tuple[float, float]:
    """Return the ends of an axis that holds the bands too, but for a band that is far wider than the lines' span."""
    limits = [band.get_datalim(axes.transData) for band in axes.collections if band.get_gid() == "band"]
    low, high = min((of.y0 for of in limits), default=bottom), max((of.y1 for of in limits), default=top)
    span = top - bottom
    return min(bottom, max(low, bottom - span, 0)), max(top, high if high < top + span / 2 else top)


def _lines(axes: Any) -> list[Any]:
    """Return the lines of a panel that join points of data."""
    return [line for line in axes.lines if line.get_gid() == "data"]


def _peaks(points: np.ndarray, top: float) -> list[Sequence[float]]:
    """Return the highest point of each stretch of a line that lies above the top."""
    found: list[Sequence[float]] = []
    was_above = False
    for point in points:
        is_above = bool(np.isfinite(point[1]) and point[1] > top)
        if is_above and was_above:
            found[-1] = max(found[-1], point, key=lambda of: of[1])
        elif is_above:
            found.append(point)
        was_above = is_above
    return found
