"""Signals in networks: moments of the values and of the gradients of each layer."""

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep import Model, Run
from jaxdeep.nn.dnn import dnn
from jaxdeep.train.forward import model_of, scaled

ROWS: Final = 500
WIDTH: Final = 100


class Moments(NamedTuple):
    """Moments of a signal.

    Attributes:
        mean: Mean over rows and units of each measured layer [L].
        std: Standard deviation over rows and units of each measured layer [L].
        gradient: Standard deviation of the gradient by the inputs over that of the gradient by the last layer.
    """

    mean: np.ndarray
    std: np.ndarray
    gradient: float


def moments_at_start(
    model: Model, seed: int, *, every: int = 1, mean: float = 0.0, dropout_rate: float = 0.0, gradients: bool = True
) -> Moments:
    """Return the moments of standard-normal inputs in a network with its initial weights.

    Args:
        model: Network, whose hidden layers have WIDTH units.
        seed: Seed of the weights, the inputs and the masks.
        every: Number of layers from one measurement to the next.
        mean: Mean of the inputs, which have a standard deviation of 1.
        dropout_rate: Dropout rate of all sites of the network.
        gradients: Whether gradients are sent back too.
    """
    network = dnn(model, WIDTH, 10)
    keys = jax.random.split(jax.random.key(seed), 4)
    params, stats = network.init(keys[0])
    x = jax.random.normal(keys[1], (ROWS, WIDTH)) + mean
    key = keys[2] if dropout_rate else None
    hidden = len(model.units)

    def outputs(x: jax.Array, start: int = 0, stop: int = hidden) -> jax.Array:
        options = {"key": key, "dropout_rate": dropout_rate, "start": start, "stop": stop, "update_stats": True}
        return network.apply(params, stats, x, **options)[0]

    means, stds, values = [], [], x
    for start in range(0, hidden, every):
        values = outputs(values, start, start + every)
        means.append(float(values.mean()))
        stds.append(float(values.std()))
    if not gradients:
        return Moments(np.asarray(means), np.asarray(stds), float("nan"))
    _, pull = jax.vjp(outputs, x)
    return Moments(np.asarray(means), np.asarray(stds), float(pull(jax.random.normal(keys[3], values.shape))[0].std()))


def moments_of_run(run: Run, rows: int = ROWS) -> Moments:
    """Return the moments of the first test rows in a trained network, without dropout.

    Args:
        run: Trained network.
        rows: Number of test rows.
    """
    network = model_of(run.config, run.data)
    images, _ = run.data.test.take(jnp.arange(min(rows, run.data.test.size)))
    x = scaled(run.config, run.data, images)
    means, stds = [], []
    for index in range(network.layers - 1):
        x, _ = network.apply(run.params, run.batch_stats, x, start=index, stop=index + 1)
        means.append(float(x.mean()))
        stds.append(float(x.std()))
    return Moments(np.asarray(means), np.asarray(stds), float("nan"))


def dead_share(run: Run) -> float:
    """Return the share of hidden units whose output is at most 0 for every training row.

    Args:
        run: Trained network.
    """
    network = model_of(run.config, run.data)
    images, _ = run.data.train.take(jnp.arange(run.data.train.size))
    x = scaled(run.config, run.data, images)
    dead, units = 0, 0
    for index in range(network.layers - 1):
        x, _ = network.apply(run.params, run.batch_stats, x, start=index, stop=index + 1)
        highest = np.asarray(x.max(axis=0))
        dead, units = dead + int((highest <= 0).sum()), units + highest.size
    return dead / units
