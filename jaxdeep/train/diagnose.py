"""Measure the diagnostics of an epoch's layers inside its compiled program.

The measurement changes nothing that it reads. It costs a forward pass of 512 rows and one step, an epoch.
"""

from typing import Any, Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.layer_outputs import observed
from jaxdeep.optim.schedules import Rates
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.forward import Batch, model_of, scaled
from jaxdeep.train.state import TrainState
from jaxdeep.train.update import batch_update

ROWS: Final = 512
"""Number of training rows, at most, whose activations are measured."""


def diagnose(
    config: Settings,
    state: TrainState,
    hyper: Hyper,
    rates: Rates,
    data: Dataset,
    batches: Batch,
    keys: jax.Array,
) -> Diagnostics:
    """Return the figures of each layer before the epoch's first step.

    Args:
        config: Static fields of the configuration.
        state: State before the epoch.
        hyper: Traced numbers of the configuration.
        rates: Learning rate and momentum of each step, with leaves [steps].
        data: Data set whose training rows are used.
        batches: Batches of the epoch, with leaves [steps, B].
        keys: Random key [steps] of each batch.

    Returns:
        Figures with L values each, for the layers of the whole network. A layer that the program does not run, and the
        gradient of a frozen layer, are NaN.
    """
    read = (state.params, state.batch_stats, state.opt_state, rates, batches.rows, batches.mask)
    # the training must not share a fusion with the measurement, which could change its bits
    params, batch_stats, opt_state, rates, rows, mask = jax.lax.optimization_barrier(read)
    state = state._replace(params=params, batch_stats=batch_stats, opt_state=opt_state)
    batches = Batch(rows, mask)
    first, first_rates = jax.tree.map(lambda leaf: leaf[0], (batches, rates))
    activations = _activations(config, state, data, batches)
    gradients = _gradients(config, state, hyper, first_rates, data, first, keys[0])
    absent = model_of(config, data).stacks[0].first
    figures = (jnp.concatenate([_unknown(absent, config), values]) for values in (*activations, *gradients))
    return Diagnostics(*figures)


def _activations(config: Settings, state: TrainState, data: Dataset, batches: Batch) -> Any:
    """Return mean and standard deviation of each layer's outputs, and its share of dead units."""
    shown = jax.tree.map(lambda leaf: leaf.reshape(-1)[:ROWS], batches)
    mask = None if shown.mask is None else shown.mask[:, None]
    images, _ = data.train.take(shown.rows)

    def observe(inner: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
        is_same = inner == inner[:1]  # the first row always counts
        is_dead = jnp.all(is_same if mask is None else is_same | ~mask, axis=0)
        return y.mean(where=mask), y.std(where=mask), is_dead.mean(dtype=y.dtype)

    inputs = scaled(config, data, images)
    return observed(model_of(config, data), state.params, state.batch_stats, inputs, shown.mask, observe)


def _gradients(
    config: Settings, state: TrainState, hyper: Hyper, rates: Rates, data: Dataset, batch: Batch, key: jax.Array
) -> list[jax.Array]:
    """Return mean and standard deviation of each kernel's gradient, and the ratio of its update to the kernel."""
    update = batch_update(config, state, hyper, rates, data, batch, key)
    found = []
    for name, _, _, _, length, frozen in model_of(config, data).stacks:
        if frozen:
            found.append((_unknown(length, config),) * 3)
            continue
        parts = (update.gradients, update.updates, update.trained)
        gradient, change, kernel = (of[name]["dense"]["kernel"] for of in parts)
        ratio = jnp.linalg.norm(change, axis=(1, 2)) / jnp.linalg.norm(kernel, axis=(1, 2))
        found.append((gradient.mean((1, 2)), gradient.std((1, 2)), ratio))
    return [jnp.concatenate(values) for values in zip(*found, strict=True)]


def _unknown(layers: int, config: Settings) -> jax.Array:
    """Return NaN for each of some layers."""
    return jnp.full((layers,), jnp.nan, config.train.dtype)
