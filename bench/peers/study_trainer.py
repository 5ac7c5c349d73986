"""A jaxdeep study as a contestant, by the same means as `fit_all`.

Its trials run on all cores of a CPU, or batched on an accelerator.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.jaxdeep_trainer import begun, one_epoch, one_epoch_of
from bench.peers.trainer import Epoch, Trainer
from bench.peers.workload import Workload
from jaxdeep.study.runner import cores
from jaxdeep.train import step
from jaxdeep.train.xla_options import FAST, compile_with

TRIALS: Final = {"cpu": 8}
"""Platform -> number of trials."""
MANY: Final = 140
"""Number of trials on an accelerator, 7 learning rates x 20 seeds."""


class Trials(NamedTuple):
    """The trials of a study before an epoch.

    Attributes:
        compiled: Function that compiles the program of `train`.
        train: Function that trains all trials for an epoch. It returns the first trial's loss in nats and accuracy.
        epoch: Function that returns the number of finished epochs.
    """

    compiled: Callable[[], None]
    train: Callable[[], tuple[float, float]]
    epoch: Callable[[], int]


def build(workload: Workload, trials: int | None = None) -> Trainer:
    """Return the trials before their first epoch. The first call compiles their one program.

    An epoch's seconds are the time of all trials over their number.

    Args:
        workload: Workload of each trial. The first trial has its seed, the others have the next seeds.
        trials: Number of trials. None takes 8 on a CPU and 140 on an accelerator.

    Returns:
        The trainer.
    """
    backend = jax.default_backend()
    count = trials or TRIALS.get(backend, MANY)
    study = (_on_cores if backend == "cpu" else _batched)(workload, count)
    is_compiled = False

    def epoch(index: int) -> Epoch:
        nonlocal is_compiled
        if study.epoch() != index:
            raise ValueError(f"epoch {index} is asked for after {study.epoch()} epochs. Ask for epoch {study.epoch()}.")
        called = time.perf_counter()
        if not is_compiled:
            study.compiled()
            is_compiled = True
        began = time.perf_counter()
        figures = study.train()
        ended = time.perf_counter()
        return Epoch((ended - began) / count, ended - called, *figures)

    return Trainer(epoch, platform(), precision(workload.config["train"]["matmul_precision"]), device_peak)


def _on_cores(workload: Workload, count: int) -> Trials:
    """Return trials that train apart, as many at a time as there are cores."""
    config, hyper, data, first = begun(workload)
    start: Any = jax.jit(step.start, static_argnums=0)
    keys = (jax.random.key(workload.seed + index) for index in range(1, count))
    states = [first, *(start(config, hyper, data, key) for key in keys)]
    program: Any = None

    def compiled() -> None:
        nonlocal program
        program = compile_with(one_epoch(config).lower(states[0], hyper, data), FAST)

    def train_one(index: int) -> tuple[float, float]:
        states[index], metrics = program(states[index], hyper, data)
        loss, accuracy = map(float, jax.device_get(metrics))
        return loss, accuracy

    def train() -> tuple[float, float]:
        with ThreadPoolExecutor(cores()) as pool:
            figures = list(pool.map(train_one, range(count)))
        jax.block_until_ready(states)
        return figures[0]

    return Trials(compiled, train, lambda: int(states[0].epoch))


def _batched(workload: Workload, count: int) -> Trials:
    """Return trials that train in one program, by `vmap`."""
    config, hyper, data, _ = begun(workload)
    keys = jnp.stack([jax.random.key(workload.seed + index) for index in range(count)])
    states: Any = jax.jit(jax.vmap(partial(step.start, config, hyper, data)))(keys)
    program: Any = None

    def compiled() -> None:
        nonlocal program
        batched = jax.vmap(partial(one_epoch_of, config), in_axes=(0, None, None))
        program = compile_with(jax.jit(batched, donate_argnums=0).lower(states, hyper, data), FAST)

    def train() -> tuple[float, float]:
        nonlocal states
        states, metrics = program(states, hyper, data)
        losses, accuracies = jax.device_get(metrics)
        jax.block_until_ready(states)
        return float(losses[0]), float(accuracies[0])

    return Trials(compiled, train, lambda: int(states.epoch[0]))
