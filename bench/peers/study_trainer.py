"""A jaxdeep study as a contestant: members on all cores of a CPU, or together on an accelerator, as by `fit_all`."""

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
from jaxdeep.train.programs import FAST, compile_with

MEMBERS: Final = {"cpu": 8}
"""By platform; on an accelerator 7 learning rates x 20 seeds."""
MANY: Final = 140


class Members(NamedTuple):
    """Members before an epoch.

    Attributes:
        compiled: compile the program that `train` runs.
        train: an epoch of all; returns the first one's loss and accuracy.
        epoch: number of epochs behind them.
    """

    compiled: Callable[[], None]
    train: Callable[[], tuple[float, float]]
    epoch: Callable[[], int]


def build(workload: Workload, members: int | None = None) -> Trainer:
    """The members before the first epoch; the one program is compiled in the first call.

    An epoch's seconds are those of all members over their number: of a member's epoch, as the study gets it.

    Args:
        workload: what each member trains; the first with its seed, the others with the next ones.
        members: of the study; None: as many as MEMBERS says.
    """
    backend = jax.default_backend()
    count = members or MEMBERS.get(backend, MANY)
    study = (_on_cores if backend == "cpu" else _together)(workload, count)
    is_compiled = False

    def epoch(index: int) -> Epoch:
        nonlocal is_compiled
        if study.epoch() != index:
            raise ValueError(f"epoch {index} is asked for and {study.epoch()} are done")
        called = time.perf_counter()
        if not is_compiled:
            study.compiled()
            is_compiled = True
        began = time.perf_counter()
        figures = study.train()
        ended = time.perf_counter()
        return Epoch((ended - began) / count, ended - called, *figures)

    return Trainer(epoch, platform(), precision(), device_peak)


def _on_cores(workload: Workload, count: int) -> Members:
    """Each member by itself, as many at a time as there are cores."""
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

    return Members(compiled, train, lambda: int(states[0].epoch))


def _together(workload: Workload, count: int) -> Members:
    """All members in one program, by `vmap`."""
    config, hyper, data, _ = begun(workload)
    keys = jnp.stack([jax.random.key(workload.seed + index) for index in range(count)])
    states: Any = jax.jit(jax.vmap(partial(step.start, config, hyper, data)))(keys)
    program: Any = None

    def compiled() -> None:
        nonlocal program
        together = jax.vmap(partial(one_epoch_of, config), in_axes=(0, None, None))
        program = compile_with(jax.jit(together, donate_argnums=0).lower(states, hyper, data), FAST)

    def train() -> tuple[float, float]:
        nonlocal states
        states, metrics = program(states, hyper, data)
        losses, accuracies = jax.device_get(metrics)
        jax.block_until_ready(states)
        return float(losses[0]), float(accuracies[0])

    return Members(compiled, train, lambda: int(states.epoch[0]))
