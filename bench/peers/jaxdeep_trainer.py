"""jaxdeep as a contestant, with its own epoch, compiled as `fit` compiles it."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.trainer import Epoch, Trainer
from bench.peers.workload import Workload
from jaxdeep.config import Config, Hyper
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.train import step
from jaxdeep.train.state import TrainState
from jaxdeep.train.xla_options import FAST, compile_with


def begun(workload: Workload, tf32: bool = False) -> tuple[Config, Hyper, Dataset, TrainState]:
    """Return jaxdeep's run of a workload before its first epoch.

    Args:
        workload: Workload of the contest.
        tf32: Whether matrix products have the device's default precision, which is TF32 on a GPU. Otherwise they have
            the precision of the workload's configuration.

    Returns:
        Configuration, hyperparameters, data set and training state. The images are on the device as they are stored.
    """
    config = Config.from_dict(workload.config)
    if tf32:
        config = config.updated({"train.matmul_precision": "default"})
    train = Split(jnp.asarray(workload.images), jnp.asarray(workload.labels))
    unused = Split(train.images[:1], train.labels[:1])
    scaling = (jnp.asarray(workload.mean), jnp.asarray(workload.scale))
    data = Dataset(train, unused, unused, *scaling, workload.classes, train.images.shape[1:])
    hyper = jax.tree.map(lambda value: jnp.asarray(value, config.train.dtype), config.hyper())
    state: Any = jax.jit(step.start, static_argnums=0)(config, hyper, data, jax.random.key(workload.seed))
    return config, hyper, data, jax.block_until_ready(state)


def build(workload: Workload, tf32: bool = False) -> Trainer:
    """Return the trainer before its first epoch. The first call compiles the epoch's program.

    The shuffling, which peers are spared, is part of the epoch and of its time.

    Args:
        workload: Workload of the contest.
        tf32: Whether matrix products are TF32 on a GPU.

    Returns:
        The trainer.
    """
    config, hyper, data, state = begun(workload, tf32)
    program: Any = None

    def epoch(index: int) -> Epoch:
        nonlocal program, state
        if (done := int(state.epoch)) != index:
            raise ValueError(f"epoch {index} is asked for after {done} epochs. Ask for epoch {done}.")
        called = time.perf_counter()
        if program is None:
            program = compile_with(one_epoch(config).lower(state, hyper, data), FAST)
        began = time.perf_counter()
        state, metrics = program(state, hyper, data)
        loss, accuracy = map(float, jax.device_get(metrics))
        jax.block_until_ready(state)
        ended = time.perf_counter()
        return Epoch(ended - began, ended - called, loss, accuracy)

    def memory() -> dict[str, Any]:
        analysis = program.memory_analysis()
        sizes = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
        return device_peak() | {name: getattr(analysis, name, None) for name in sizes}

    return Trainer(epoch, platform(), precision(config.train.matmul_precision), memory)


def one_epoch(config: Config) -> Any:
    """Return the function of an epoch of steps, to be compiled. Its state is donated.

    Args:
        config: Configuration that is trained.

    Returns:
        Function (state, hyper, data) -> (state, (loss, accuracy)).
    """
    return jax.jit(partial(one_epoch_of, config), donate_argnums=0)


def one_epoch_of(
    config: Config, state: TrainState, hyper: Hyper, data: Dataset
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """Train for an epoch by `train_epoch` alone.

    The validation and the choice of the best weights are not compared.

    Args:
        config: Configuration that is trained.
        state: Training state before the epoch.
        hyper: Hyperparameters, as traced numbers.
        data: Data set to train on.

    Returns:
        The state after the epoch, and its mean loss in nats and accuracy in [0, 1].
    """
    rates = step.epoch_rates(config, state, hyper, data)
    state, metrics = step.train_epoch(config, state, hyper, rates, data)
    return state._replace(epoch=state.epoch + 1), metrics
