"""The workload of a contest, with jaxdeep's own initial weights and the order of its batches."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.networks import BenchNetwork
from bench.peers.workload import Workload
from experiments.cifar import CONFIGS
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.sources import Images, load_images
from jaxdeep.nn.dnn import Params
from jaxdeep.train import step
from jaxdeep.train.state import TrainState

SEED = 42
"""Seed of the weights and of the orders."""


def bench_config(name: str, batch_size: int, layers: int) -> Config:
    """Return a configuration of the chapter in another size.

    Args:
        name: Name of the configuration in experiments.cifar.
        batch_size: B, images of a batch.
        layers: L, number of hidden layers of 100 units.

    Returns:
        The changed configuration.
    """
    return CONFIGS[name].config.updated({"model.units": (100,) * layers, "train.batch_size": batch_size})


def steps_of_epoch(batch_size: int) -> int:
    """Return the steps of a timed epoch, a multiple of 50 for `steps_per_execution`.

    Args:
        batch_size: B, images of a batch.

    Returns:
        Number of steps, 300 at a batch size of 32.
    """
    return 50 * max(round(9_600 / batch_size / 50), 1)


@lru_cache(maxsize=1)
def images() -> Images:
    """Return CIFAR-10 if it can be had, or else the built-in synthetic set with its notice."""
    return load_images("cifar10")


def described(name: str, batch_size: int, layers: int) -> dict[str, Any]:
    """Return the first keys of an entry of a configuration, a depth and a batch size.

    Args:
        name: Name of the configuration in experiments.cifar.
        batch_size: B, images of a batch.
        layers: L, number of hidden layers.

    Returns:
        JSON values, with the name of the images and whether they are synthetic.
    """
    size = {"config": name, "layers": layers, "batch_size": batch_size}
    return size | {"data": images().name, "synthetic": images().synthetic}


def first_rows(config: Config, count: int) -> Dataset:
    """Return the first training rows of the images. Mean and scale are taken over these rows alone.

    Args:
        config: Configuration that gives the scaling.
        count: N, number of rows.

    Returns:
        The data set.
    """
    return Dataset.from_images(images(), replace(config.data, train_size=count))


def workload(config: Config, data: Dataset, rounds: int) -> Workload:
    """Return the workload that every contestant trains.

    Args:
        config: Configuration that is trained.
        data: Data set whose training rows, cut to whole batches, are trained on.
        rounds: R, number of rounds after the warm-up.

    Returns:
        Images, initial weights, and R + 1 orders.
    """
    count = len(data.train.labels) // config.train.batch_size * config.train.batch_size
    start: Any = jax.jit(step.start, static_argnums=0)
    state = start(config, config.hyper(), data, jax.random.key(SEED))
    orders = [epoch_order(state, epoch, count) for epoch in range(rounds + 1)]
    kernels, biases = zip(*layer_weights(state.params), strict=True)
    return Workload(
        config=config.to_dict(),
        seed=SEED,
        classes=data.classes,
        images=np.asarray(data.train.images)[:count],
        labels=np.asarray(data.train.labels)[:count],
        mean=np.asarray(data.mean, np.float32),
        scale=np.asarray(data.scale, np.float32),
        orders=np.asarray(orders, np.int32),
        kernels=kernels,
        biases=biases,
    )


def normal_rows(network: BenchNetwork, count: int) -> Workload:
    """Return standard normal numbers as one batch, which every contestant predicts. They enter the network unscaled.

    Args:
        network: Network that gives the initial weights and the width of a row.
        count: N, number of rows.

    Returns:
        The workload with one order.
    """
    rows = np.random.default_rng(SEED).standard_normal((count, network.inputs), np.float32)
    split = Split(jnp.asarray(rows), jnp.zeros(count, jnp.int32))
    scaling = (jnp.float32(0), jnp.float32(1))
    data = Dataset(split, split, split, *scaling, network.classes, (network.inputs,))
    return workload(network.config.updated({"train.batch_size": count}), data, 0)


def epoch_order(state: TrainState, epoch: int, count: int) -> np.ndarray:
    """Return the training rows in the order in which `jaxdeep.train.step.train_epoch` takes them.

    Args:
        state: Training state of jaxdeep's run.
        epoch: Number of epochs finished before it.
        count: N, number of rows.

    Returns:
        Indices of rows, [N].
    """
    shuffle_key, _ = step.epoch_keys(state._replace(epoch=jnp.int32(epoch)))
    return np.asarray(jax.random.permutation(shuffle_key, count))


def layer_weights(params: Params) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the weights of each dense layer in their order, from jaxdeep's stacks.

    Args:
        params: Parameters of the network.

    Yields:
        Kernel, [fan in, units], and bias, [units].
    """
    for stack in sorted(params, key=lambda name: int(name.split("_")[1])):
        dense = params[stack]["dense"]
        yield from zip(np.asarray(dense["kernel"]).swapaxes(1, 2), np.asarray(dense["bias"]), strict=True)
