"""The schedules as a figure: the learning rate of every step of the chapter's Fashion-MNIST runs."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from docs.pages.records import Records
from jaxdeep.config import Config, Schedule
from jaxdeep.optim.schedules import Length, Rates, rates_at
from jaxdeep.report.figures import histories_by_key
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import BLUE, VERMILLION, set_title

TRAINING_ROWS = 55_000
PLATEAU_SEED = 42


class Panel(NamedTuple):
    """A schedule's curve.

    Attributes:
        title: name of the schedule.
        epochs: [N], times in epochs from the start.
        rates: learning rate and momentum at these times.
    """

    title: str
    epochs: np.ndarray
    rates: Rates


def draw_schedules(path: Path, records: Records) -> None:
    """Draw the chapter's schedules, and two more that people expect beside them.

    Args:
        path: path of the PNG file.
        records: the records of `fashion_mnist`, whose run `plateau` shows performance scheduling.

    Raises:
        UserError: performance scheduling follows a run, and there is no record of it.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    for axes, panel in zip(figure.subplots(2, 3).flat, panels(records), strict=True):
        axes.plot(panel.epochs, panel.rates.learning_rate, color=BLUE, linewidth=1.8)
        axes.set(title=panel.title, xlabel="epochs trained", ylabel="learning rate", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        axes.grid(alpha=0.3)
        if np.ptp(panel.rates.beta_1):
            momentum = axes.twinx()
            momentum.plot(panel.epochs, panel.rates.beta_1, "--", color=VERMILLION, linewidth=1.8)
            momentum.set(ylabel="momentum (dashed)", ylim=(0.8, 1))
    set_title(figure, "Learning rate of every step, Fashion-MNIST")
    save_figure(path, figure, dpi=120)


def panels(records: Records) -> list[Panel]:
    """Return the curves that `draw_schedules` draws."""
    recipes = records.recipes["fashion_mnist"]
    onecycle = recipes["onecycle"].config
    with_momentum = onecycle.updated({"optim.optimizer": "momentum"})
    cosine = replace(recipes["power"].config, schedule=Schedule(kind="cosine", warmup_steps=3_000))
    epochs = histories_by_key(records.study("fashion_mnist", "plateau"))[PLATEAU_SEED]
    rates = np.asarray([record.learning_rate for record in epochs])
    times = np.asarray([record.epoch for record in epochs])
    return [
        _by_step("power", recipes["power"].config),
        _by_step("exponential", recipes["exponential"].config),
        _by_step("piecewise", recipes["piecewise"].config),
        Panel(
            f"plateau (seed {PLATEAU_SEED})",
            np.stack([times - 1, times], 1).ravel(),
            Rates(rates.repeat(2), np.zeros(1)),
        ),
        _by_step("cosine with warm-up", cosine),
        _by_step("1cycle, with momentum", with_momentum),
    ]


def _by_step(title: str, config: Config) -> Panel:
    length = Length(-(-TRAINING_ROWS // config.train.batch_size), config.train.epochs)
    counts = np.arange(length.steps)
    rates = rates_at(config.schedule, config.optim, config.hyper(), length, jnp.asarray(counts, jnp.float32))
    return Panel(title, counts / length.epoch_steps, Rates(*map(np.asarray, rates)))
