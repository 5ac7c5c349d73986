"""Times of training and of prediction. The networks take turns, so that a disturbance meets all alike."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp

from experiments.compress.timing import times_by_round
from experiments.lab.lab import Lab
from jaxdeep import Config, Run, fit
from jaxdeep.compress.quantizing import server

ROUNDS: Final = 11
QUICK_ROUNDS: Final = 3
NOTE: Final = "Times are of one machine, which is named below. Its networks took turns."


def epoch_seconds(lab: Lab, configs: Mapping[str, Config], dataset: str = "fashion_mnist") -> dict[str, list[float]]:
    """Return the seconds of an epoch in each round, without the first epoch of a run.

    Args:
        lab: Laboratory with the rows.
        configs: Configuration of each network by name.
        dataset: Name of the image set.
    """
    short = {name: lab.shrunk(config).updated({"train.epochs": 3}) for name, config in configs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in configs}
    for seed in range(-1, _rounds(lab)):
        for name, config in short.items():
            history = fit(config, lab.rows(config, dataset), seed=max(seed, 0), verbose=False).history
            if seed >= 0:  # the first round compiles
                seconds[name].append(min(record.seconds for record in history[1:]))
    return seconds


def batch_microseconds(lab: Lab, runs: Mapping[str, Run], batch: int) -> dict[str, list[float]]:
    """Return the microseconds of a batch's prediction in each round.

    Args:
        lab: Laboratory that is measured in.
        runs: Trained network by name.
        batch: Number of rows.
    """
    servers: dict[str, Callable[[jax.Array], Any]] = {name: server(run, batch) for name, run in runs.items()}
    rows, _ = next(iter(runs.values())).data.test.take(jnp.arange(batch))
    return times_by_round(servers, rows, _rounds(lab))


def _rounds(lab: Lab) -> int:
    return QUICK_ROUNDS if lab.quick else ROUNDS
