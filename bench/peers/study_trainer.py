"""A jaxdeep study as a contestant: members on all cores, as `jaxdeep.train.sweep` runs them on a CPU."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.jaxdeep_trainer import begun, one_epoch
from bench.peers.trainer import Epoch, Trainer
from bench.peers.workload import Workload
from jaxdeep.train import step
from jaxdeep.train.program import FAST, compile_with
from jaxdeep.train.sweep import cores


def build(workload: Workload, members: int = 8) -> Trainer:
    """The members before the first epoch; the one program is compiled in the first call.

    An epoch's seconds are those of all members over their number: of a member's epoch, as the study gets it.

    Args:
        workload: what each member trains; the first with its seed, the others with the next ones.
        members: of the study.
    """
    config, hyper, data, first = begun(workload)
    start: Any = jax.jit(step.start, static_argnums=0)
    keys = (jax.random.key(workload.seed + index) for index in range(1, members))
    states = [first, *(start(config, hyper, data, key) for key in keys)]
    program: Any = None

    def train(index: int) -> tuple[float, float]:
        states[index], metrics = program(states[index], hyper, data)
        loss, accuracy = map(float, jax.device_get(metrics))
        return loss, accuracy

    def epoch(index: int) -> Epoch:
        nonlocal program
        if int(states[0].epoch) != index:
            raise ValueError(f"epoch {index} is asked for and {int(states[0].epoch)} are done")
        called = time.perf_counter()
        if program is None:
            program = compile_with(one_epoch(config).lower(states[0], hyper, data), FAST)
        began = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            figures = list(pool.map(train, range(members)))
        jax.block_until_ready(states)
        ended = time.perf_counter()
        return Epoch((ended - began) / members, ended - called, *figures[0])

    return Trainer(epoch, platform(), precision(), device_peak)
