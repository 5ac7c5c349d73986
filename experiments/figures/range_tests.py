"""Loss against learning rate: each batch's loss, and the running mean that the chapter's notebook reads late."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.figures.figure import SMALL, Inputs, Picture, panels
from jaxdeep.report.range_test import range_test_of
from jaxdeep.report.style import BLUE, GREY, VERMILLION, lighter
from jaxdeep.study.files import read_json
from jaxdeep.train.lr_finder import RangeTest

TESTS: Final = {"cifar": "CIFAR-10", "fashion_mnist": "Fashion-MNIST"}
"""Experiments whose record `onecycle.find-lr.json` is drawn, and the names of their images."""


def draw_range_tests(inputs: Inputs) -> Picture:
    """Draw the recorded range tests of `onecycle`, one seed of each.

    Args:
        inputs: Records.

    Raises:
        UserError: There is no such record.
    """
    figure, grid = panels(1, len(TESTS), 4.2)
    numbers: dict[str, Any] = {}
    for axes, (experiment, title) in zip(grid.flat, TESTS.items(), strict=True):
        test = recorded_test(inputs.results / experiment)
        losses, smoothed, mean = test.losses[0], test.smoothed[0], running_mean(test.losses[0])
        axes.plot(test.rates, losses, ".", color=lighter(BLUE, 0.5), markersize=3, label="loss of a batch")
        axes.plot(test.rates, smoothed, color=BLUE, linewidth=2, label="smoothed to both sides")
        axes.plot(test.rates, mean, "--", color=VERMILLION, linewidth=2, label="running mean (the chapter's)")
        axes.axvline(test.suggestions[0], color=GREY, linestyle=":", label="suggested rate")
        ends, name = (0.9 * np.nanmin(smoothed), 1.6 * losses[0]), f"{title}, seed {test.seeds[0]}"
        axes.set(xscale="log", ylim=ends, title=name)
        axes.text(0.9 * test.suggestions[0], 0.97 * ends[1], f"{test.suggestions[0]:.2g}", ha="right", va="top")
        axes.set(xlabel="learning rate", ylabel="loss (nats)", xlim=(test.rates[0], 1.5 * test.rates[_last(losses)]))
        axes.grid(alpha=0.3)
        lowest = [test.rates[int(np.nanargmin(of))] for of in (smoothed, mean)]
        numbers[experiment] = f"{lowest[1] / lowest[0]:.1f}"
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=SMALL)
    return Picture(figure, numbers)


def recorded_test(folder: Path) -> RangeTest:
    """Return a recorded range test of `onecycle`.

    Args:
        folder: Folder of an experiment's records.

    Raises:
        UserError: There is no such record.
    """
    return range_test_of(read_json(folder / "onecycle.find-lr.json"))


def running_mean(losses: np.ndarray) -> np.ndarray:
    """Return the mean of all losses so far, as Keras logs it during an epoch.

    Args:
        losses: Loss [N] of each batch. NaN from the step on at which the run diverged.
    """
    return np.cumsum(losses) / np.arange(1, len(losses) + 1)


def _last(losses: np.ndarray) -> int:
    """Return the index of the last finite loss."""
    return int(np.flatnonzero(np.isfinite(losses))[-1])
