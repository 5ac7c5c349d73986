"""The picture of the classes that a network takes for each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.config.values import cut
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import set_title

MOST_CLASSES: Final = 20
"""Number of classes above which there is no picture, since its numbers could not be read."""
LONGEST_NAME: Final = 16
"""Characters of a class's name beside its row."""
DARK: Final = 0.7
"""Share of a row above which its number is white."""


def confusion_picture(path: Path, counts: np.ndarray, names: Sequence[str], title: str, runs: int) -> None:
    """Draw which share of each class's test rows gets which class. Each row of the picture adds to 100%.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        counts: Mean numbers of test rows [C, C] over the runs. A row is a true class, and a column a predicted one.
        names: Names of the C classes.
        title: Title of the picture, with line breaks between its parts.
        runs: Number of runs that the counts are means of.
    """
    from matplotlib.figure import Figure

    classes = len(counts)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = 3.0 + 0.48 * classes
    figure = Figure(figsize=(max(size + 0.6, 5.0), max(size, 4.4)), layout="constrained")
    axes: Any = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    fontsize = 9 if classes <= 12 else 7
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column] > 0:
            color = "white" if share > DARK else "black"
            axes.text(column, row, percent(share), ha="center", va="center", fontsize=fontsize, color=color)
    labels = [cut(name, LONGEST_NAME) for name in names]
    axes.set_xticks(range(classes), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), labels)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.set(xlabel="predicted class", ylabel="true class")
    of_runs = "" if runs == 1 else f", mean of {runs} runs"
    axes.set_title(f"% of each class's test rows{of_runs}", fontsize="small")
    set_title(figure, title)
    save_figure(path, figure, dpi=120)


def percent(share: float) -> str:
    """Return a share as the number of percents that a cell shows.

    Args:
        share: Share above 0, at most 1.

    >>> percent(0.503), percent(0.0004)
    ('50', '<1')
    """
    rounded = round(100 * share)
    return str(rounded) if rounded else "<1"
