"""Pictures of runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.train.history import EpochRecord
from jaxdeep.train.lr_finder import RangeTest


def learning_curves(path: Path, histories: Mapping[int, Sequence[EpochRecord]], title: str) -> None:
    """Draw loss and accuracy by epoch, training dashed and validation solid, the best epoch marked.

    Args:
        path: of the PNG file.
        histories: seed -> records.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure  # 0.4 s to import, and without pyplot's global state

    figure = Figure(figsize=(11, 4), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    for index, (seed, history) in enumerate(histories.items()):
        color = f"C{index % 10}"
        epochs = [record.epoch for record in history]
        best = min(history, key=lambda record: record.val_loss, default=None)
        for axes, name in ((losses, "loss"), (accuracies, "accuracy")):
            training = [getattr(record, f"train_{name}") for record in history]
            validation = [getattr(record, f"val_{name}") for record in history]
            axes.plot(epochs, training, "--", color=color, linewidth=1)
            axes.plot(epochs, validation, color=color, label=f"seed {seed}")
            if best is not None:
                axes.plot(best.epoch, getattr(best, f"val_{name}"), "o", color=color, markersize=5)
    for axes, name in ((losses, "cross-entropy (nats)"), (accuracies, "accuracy")):
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
    losses.set_ylim(top=_loss_limit(histories))
    handles, labels = accuracies.get_legend_handles_labels()
    key = "dashed: training\nsolid: validation\ndot: best epoch"
    beside: Any = "outside center right"  # matplotlib's annotations lack the outside places
    figure.legend(handles[:12], labels[:12], title=key, loc=beside)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def range_test_curves(path: Path, test: RangeTest, title: str) -> None:
    """Draw batch loss against learning rate, each seed's points and smoothed curve, the suggestions marked.

    Args:
        path: of the PNG file.
        test: what was found.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for index, seed in enumerate(test.seeds):
        color = f"C{index % 10}"
        axes.plot(test.rates, test.losses[index], ".", color=color, markersize=2, alpha=0.3)
        axes.plot(test.rates, test.smoothed[index], color=color, label=f"seed {seed}")
        axes.axvline(test.suggestions[index], color=color, linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss of the batch (nats)")
    smoothed = test.smoothed[np.isfinite(test.smoothed)]
    if len(smoothed):
        first = np.nanmax(test.smoothed[:, 0])
        axes.set_ylim(0.9 * smoothed.min(), min(smoothed.max(), 1.5 * max(first, smoothed.min())))
    axes.grid(alpha=0.3)
    axes.legend(title=f"dotted: suggested,\n{test.suggestion:.1e} in the mean", loc="best")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _loss_limit(histories: Mapping[int, Sequence[EpochRecord]]) -> float | None:
    """Room for all but a wild first epoch (raw 0..255 inputs start at losses of 100) and rare spikes."""
    later = [max(r.train_loss, r.val_loss) for history in histories.values() for r in history[1:]]
    finite = sorted(loss for loss in later if math.isfinite(loss))
    return min(1.1 * finite[-1], 1.5 * finite[int(0.95 * len(finite))]) if finite else None
