"""The workload of a contest, as jaxdeep itself would do it: its initial weights, its batches in its order."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.networks import Network
from bench.peers.workload import Workload
from experiments.cifar import CONFIGS
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.sources import Images, load_images
from jaxdeep.nn.dnn import Params
from jaxdeep.train import step
from jaxdeep.train.state import TrainState

SEED = 42


def bench_config(name: str, batch_size: int, layers: int) -> Config:
    """A configuration of the chapter in another size.

    Args:
        name: of the configuration.
        batch_size: B.
        layers: L, hidden ones, of 100 units.
    """
    config = CONFIGS[name].config
    model, train = replace(config.model, units=(100,) * layers), replace(config.train, batch_size=batch_size)
    return replace(config, model=model, train=train)


def steps_of_epoch(batch_size: int) -> int:
    """Steps of a timed epoch: 300 at a batch size of 32; a multiple of 50, for `steps_per_execution`."""
    return 50 * max(round(9_600 / batch_size / 50), 1)


@lru_cache(maxsize=1)
def images() -> Images:
    """CIFAR-10 where it is to be had, otherwise the built-in synthetic set with its notice."""
    return load_images("cifar10")


def described(name: str, batch_size: int, layers: int) -> dict[str, Any]:
    """What an entry of a configuration, a depth and a batch size begins with."""
    size = {"config": name, "layers": layers, "batch_size": batch_size}
    return size | {"data": images().name, "synthetic": images().synthetic}


def first_rows(config: Config, count: int) -> Dataset:
    """The first training rows of the images, all of them counting for mean and scale.

    Args:
        config: whose scaling is used.
        count: N.
    """
    return Dataset.from_images(images(), replace(config.data, train_size=count))


def workload(config: Config, data: Dataset, rounds: int) -> Workload:
    """What everyone trains.

    Args:
        config: of the run.
        data: whose training rows, cut to whole batches, are trained on.
        rounds: R, after the warm-up.
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


def normal_rows(network: Network, count: int) -> Workload:
    """Rows of standard normal numbers, as one batch: what everyone predicts. They enter the network as they are.

    Args:
        network: whose initial weights everyone has.
        count: N.
    """
    rows = np.random.default_rng(SEED).standard_normal((count, network.inputs), np.float32)
    split = Split(jnp.asarray(rows), jnp.zeros(count, jnp.int32))
    scaling = (jnp.float32(0), jnp.float32(1))
    data = Dataset(split, split, split, *scaling, network.classes, (network.inputs,))
    return workload(replace(network.config, train=replace(network.config.train, batch_size=count)), data, 0)


def epoch_order(state: TrainState, epoch: int, count: int) -> np.ndarray:
    """[N]: the training rows in the order in which `jaxdeep.train.step.train_epoch` takes them.

    Args:
        state: of the run.
        epoch: finished before it.
        count: N.
    """
    shuffle_key, _ = step.epoch_keys(state._replace(epoch=jnp.int32(epoch)))
    return np.asarray(jax.random.permutation(shuffle_key, count))


def layer_weights(params: Params) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernel [fan in, units] and bias [units] of each dense layer in their order, taken out of jaxdeep's stacks."""
    for stack in sorted(params, key=lambda name: int(name.split("_")[1])):
        dense = params[stack]["dense"]
        yield from zip(np.asarray(dense["kernel"]).swapaxes(1, 2), np.asarray(dense["bias"]), strict=True)
