"""The schedules: the learning rate of every step of the chapter's Fashion-MNIST runs, and what it followed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.fashion_mnist import CONFIGS
from experiments.figures.figure import Inputs, Picture, panels
from jaxdeep.config import Config, Schedule
from jaxdeep.optim.schedules import Length, Rates, rates_at
from jaxdeep.report.figures import histories_by_key
from jaxdeep.report.style import BLUE, VERMILLION
from jaxdeep.study.stored import read_study
from jaxdeep.train.history import EpochRecord

TRAINING_ROWS: Final = 55_000
PLATEAU_SEED: Final = 42


class Curve(NamedTuple):
    """The curve of a schedule.

    Attributes:
        title: Name of the schedule.
        epochs: Times [N] in epochs from the start.
        rates: Learning rate and momentum at these times.
        losses: Epochs [E] and validation losses [E] that the schedule follows, or None.
    """

    title: str
    epochs: np.ndarray
    rates: Rates
    losses: tuple[np.ndarray, np.ndarray] | None = None


def draw_schedules(inputs: Inputs) -> Picture:
    """Draw the chapter's schedules, and cosine decay with a warm-up, which people expect beside them.

    Args:
        inputs: Records, whose run `plateau` of Fashion-MNIST shows performance scheduling.

    Raises:
        UserError: There is no record of that run.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = plateau_epochs(inputs.results)
    figure, grid = panels(2, 3, 5.8)
    for axes, curve in zip(grid.flat, curves(epochs), strict=True):
        axes.plot(curve.epochs, curve.rates.learning_rate, color=BLUE, linewidth=1.8)
        axes.set(title=curve.title, xlabel="epochs trained", ylabel="learning rate", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        axes.grid(alpha=0.3)
        if np.ptp(curve.rates.beta_1):
            _beside(axes, curve.epochs, curve.rates.beta_1, "momentum (dashed)").set_ylim(0.8, 1)
        if curve.losses is not None:
            _beside(axes, *curve.losses, "validation loss (dashed)")
    rates = [record.learning_rate for record in epochs]
    halved = [f"{after.epoch - 1}" for before, after in zip(rates, epochs[1:], strict=False) if after[5] < before]
    return Picture(figure, {"seed": PLATEAU_SEED, "cuts": len(halved), "epochs": ", ".join(halved)})


def plateau_epochs(results: Path) -> Sequence[EpochRecord]:
    """Return the epochs of the recorded run that performance scheduling is shown by.

    Args:
        results: Folder of the records.

    Raises:
        UserError: That run has no record.
    """
    path = results / "fashion_mnist" / "plateau.json"
    return histories_by_key(read_study(path, path.with_suffix(".jsonl")))[PLATEAU_SEED]


def curves(epochs: Sequence[EpochRecord]) -> list[Curve]:
    """Return the curves of all schedules.

    Args:
        epochs: Epochs of a run with performance scheduling.
    """
    with_momentum = CONFIGS["onecycle"].config.updated({"optim.optimizer": "momentum"})
    cosine = replace(CONFIGS["power"].config, schedule=Schedule(kind="cosine", warmup_steps=3_000))
    times = np.asarray([record.epoch for record in epochs])
    rates = np.asarray([record.learning_rate for record in epochs])
    return [
        _by_step("power", CONFIGS["power"].config),
        _by_step("exponential", CONFIGS["exponential"].config),
        _by_step("piecewise", CONFIGS["piecewise"].config),
        Curve(
            "performance",
            np.stack([times - 1, times], 1).ravel(),
            Rates(rates.repeat(2), np.zeros(1)),
            (times, np.asarray([record.val_loss for record in epochs])),
        ),
        _by_step("cosine with warm-up", cosine),
        _by_step("1cycle with momentum", with_momentum),
    ]


def _by_step(title: str, config: Config) -> Curve:
    """Return the curve of a schedule that depends on the step alone."""
    length = Length(-(-TRAINING_ROWS // config.train.batch_size), config.train.epochs)
    counts = np.arange(length.steps)
    rates = rates_at(config.schedule, config.optim, config.hyper(), length, jnp.asarray(counts, jnp.float32))
    kept = np.unique(np.append(counts[:: max(1, length.epoch_steps // 20)], counts[-1]))
    kept = np.union1d(kept, _jumps(np.asarray(rates.learning_rate)))
    learning_rate, beta_1 = (np.asarray(of) for of in rates)
    return Curve(title, kept / length.epoch_steps, Rates(learning_rate[kept], beta_1[kept] if beta_1.ndim else beta_1))


def _jumps(rates: np.ndarray) -> np.ndarray:
    """Return the indices on both sides of each jump or corner of a schedule."""
    bend = np.abs(np.diff(rates, 2))
    found = np.flatnonzero(bend > 1e-4 * np.ptp(rates))
    return np.unique(np.concatenate([found, found + 1, found + 2])) if len(found) else found


def _beside(axes: Any, x: np.ndarray, y: np.ndarray, label: str) -> Any:
    """Draw a second quantity on an axis at the right of a panel, and return that axis."""
    twin = axes.twinx()
    twin.plot(x, y, "--", color=VERMILLION, linewidth=1.6)
    twin.set_ylabel(label, color=VERMILLION)
    twin.tick_params(axis="y", labelcolor=VERMILLION)
    return twin
