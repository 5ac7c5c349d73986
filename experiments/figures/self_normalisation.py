"""What keeps a thousand SELU layers at mean 0 and standard deviation 1, and what breaks that."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.figures.deep_stacks import (
    LAYERS,
    SKETCHED_ROWS,
    Moments,
    Stack,
    moments,
    printed_lines,
    sketch,
)
from experiments.figures.figure import SMALL, Inputs, Picture, panels
from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE
from jaxdeep.report.style import GREY, series
from jaxdeep.study.files import read_json
from jaxdeep.train.devices import describe_processor

RATE: Final = 0.1
"""Rate of both kinds of dropout."""
SHRUNK: Final = 0.9
"""Factor of weights that an l2 penalty has made smaller."""
STEP: Final = 100
"""Layers from one of the chapter's lines to the next."""
LINES: Final = "ten_lines.json"
"""File of the chapter's ten lines in the folder of the recorded figures."""
BOUND: Final = -SELU_SCALE * SELU_ALPHA


def dropped(random: np.random.RandomState, x: np.ndarray) -> np.ndarray:
    """Return values with plain dropout.

    Args:
        random: Generator of the mask.
        x: Values of any shape.
    """
    return np.where(random.uniform(size=x.shape) < RATE, 0, x / (1 - RATE))


def alpha_dropped(random: np.random.RandomState, x: np.ndarray) -> np.ndarray:
    """Return values with alpha dropout.

    Args:
        random: Generator of the mask.
        x: Values of any shape.
    """
    scale = ((1 - RATE) * (1 + RATE * BOUND**2)) ** -0.5
    return scale * np.where(random.uniform(size=x.shape) < RATE, BOUND, x) - scale * BOUND * RATE


def max_norm(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel whose columns are scaled down to a norm of 1 if they are longer.

    Args:
        kernel: Weights [inputs, units].
    """
    return kernel / np.maximum(np.linalg.norm(kernel, axis=0), 1)


CHAPTER: Final = "the chapter's"
GROUPS: Final[dict[str, dict[str, Stack]]] = {
    "weights": {
        CHAPTER: Stack(),
        "uniform LeCun": Stack(is_uniform=True),
        "Glorot, equal widths": Stack(gain="glorot"),
        "Glorot, 50 and 200 by turns": Stack(gain="glorot", widths=(50, 200)),
        "He": Stack(gain=2.0),
    },
    "inputs, shrunken weights": {
        CHAPTER: Stack(),
        "inputs in 0 .. 1": Stack(prepare=lambda x: 1 / (1 + np.exp(-1.7 * x))),
        "inputs in 0 .. 255": Stack(prepare=lambda x: 255 / (1 + np.exp(-1.7 * x))),
        f"l2: weights x {SHRUNK:g}": Stack(gain=SHRUNK**2),
        "max-norm 1": Stack(constrain=max_norm),
    },
    "dropout, skips": {
        CHAPTER: Stack(),
        f"alpha dropout {RATE:g}": Stack(noise=alpha_dropped),
        f"dropout {RATE:g}": Stack(noise=dropped),
        "skip connections": Stack(is_skipping=True),
    },
    "other activations": {
        CHAPTER: Stack(),
        "ReLU, He": Stack(activation=lambda x: np.maximum(x, 0), gain=2.0),
        "ELU, He": Stack(activation=lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), gain=2.0),
        "tanh, Glorot": Stack(activation=np.tanh, gain="glorot"),
        "sigmoid, Glorot": Stack(activation=lambda x: 1 / (1 + np.exp(-x)), gain="glorot"),
    },
}
"""The stacks of each column of panels. The chapter's comes first."""


@lru_cache
def chapters_moments() -> Moments:
    """Return the moments of the chapter's own stack."""
    return moments(Stack())


def lines_record() -> dict[str, Any]:
    """Return the figures of the chapter's ten lines and the processor that computed them.

    Behind hundreds of layers the last digits depend on the processor's matrix product.
    """
    found = chapters_moments()
    rows = zip(*(values[::STEP].tolist() for values in found), strict=True)
    lines = [{"layer": layer, "mean": round(mean, 4), "deviation": round(of, 4)} for layer, mean, of in rows]
    return {"processor": describe_processor(), "lines": lines}


def lines_table(results: Path) -> str:
    """Return the recorded ten lines as a Markdown table.

    Args:
        results: Folder of the records.
    """
    record = read_json(results / "figures" / LINES)
    rows = (f"| {of['layer']} | {of['mean']:.4f} | {of['deviation']:.4f} |" for of in record["lines"])
    header = (f"{record['processor']}:", "", "| layer | mean | standard deviation |", "|---|---|---|")
    return "\n".join((*header, *rows))


def ten_lines() -> list[str]:
    """Return the ten lines that the chapter prints."""
    return printed_lines(chapters_moments(), STEP)


def draw_self_normalisation(inputs: Inputs) -> Picture:
    """Draw mean and standard deviation by layer, a column of panels for each kind of change.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(4, 2, 11, sharex=True)
    for place, (title, stacks) in enumerate(GROUPS.items()):
        rows, column = 2 * (place // 2), place % 2
        upper, lower = grid[rows, column], grid[rows + 1, column]
        for index, (name, stack) in enumerate(stacks.items()):
            found, look = sketch(stack), series(index, len(stacks))
            line: dict[str, Any] = {"color": look.color, "linestyle": look.dash, "linewidth": 1.6}
            line |= {"marker": look.marker, "markersize": 4, "markevery": (index * 2, 10), "label": name}
            upper.plot(found.layers + 1, found.means, **line)
            lower.plot(found.layers + 1, found.deviations, **line)
        _dress(upper, lower, title)
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    own, group = chapters_moments(), GROUPS["dropout, skips"]
    numbers: dict[str, Any] = {"layers": f"{LAYERS:,}", "rate": f"{RATE:g}", "rows": SKETCHED_ROWS}
    numbers |= {"low": f"{own.deviations.min():.2f}", "high": f"{own.deviations.max():.2f}"}
    for kind in ("dropout", "alpha dropout"):
        found = sketch(group[f"{kind} {RATE:g}"])
        numbers[kind.partition(" ")[0]] = f"{found.deviations[found.layers >= LAYERS // 10].mean():.2f}"
    return Picture(figure, numbers)


def _dress(upper: Any, lower: Any, title: str) -> None:
    """Give the two panels of a group their scales, and the legend."""
    upper.set_yscale("symlog", linthresh=1)
    upper.set(title=title, ylabel="mean", xscale="log", ylim=(-2e3, 1e3), yticks=(-1, 0, 1, 10, 100, 1_000))
    upper.yaxis.set_major_formatter("{x:g}")
    lower.set(ylabel="standard deviation", yscale="log", ylim=(1e-4, 1e4))
    for axes, target in ((upper, 0), (lower, 1)):
        axes.axhline(target, color=GREY, linewidth=0.8, linestyle=":")
        axes.grid(alpha=0.3)
    upper.legend(fontsize=SMALL, loc="lower left")
