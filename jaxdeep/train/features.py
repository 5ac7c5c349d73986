"""The outputs of frozen layers, computed once before training."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from jaxdeep.config import Config, Settings, Trained
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train.evaluate import EVALUATION_ROWS
from jaxdeep.train.forward import model_of, scaled
from jaxdeep.train.source import Layers, stacks_of


def computed_once(config: Config, data: Dataset, frozen: tuple[int, ...]) -> int:
    """Return the number of first layers whose outputs are the same in all epochs.

    These are the frozen layers at the input, up to the first layer that is trained or draws random numbers. Randomly
    changed images leave none.

    Args:
        config: Configuration to train.
        data: Data set to train on.
        frozen: Indices of the frozen layers.
    """
    if config.data.augmented:
        return 0
    count = 0
    for stack in model_of(config.static(Trained(frozen)), data).stacks:
        if not stack.frozen or stack.block.is_random:
            break
        count = stack.first + stack.length
    return count


def with_features(config: Config, data: Dataset, layers: Layers, count: int) -> Dataset:
    """Return a data set that holds the outputs of a network's first layers in place of its rows.

    Args:
        config: Configuration of the network.
        data: Data set with rows [N, D].
        layers: The first layers, or all of them.
        count: Number of first layers.

    Returns:
        A data set with features [N, U] of U units. The given one for no layers.
    """
    if not count:
        return data
    settings = config.static(Trained(tuple(range(count))))
    model = model_of(settings, data)
    first = model._replace(stacks=tuple(stack for stack in model.stacks if stack.frozen))
    params, batch_stats = stacks_of(first, layers)
    splits = (
        _features(settings, count, params, batch_stats, data, split) for split in (data.train, data.valid, data.test)
    )
    train, valid, test = splits
    return _feature_set(config, data, count, train, valid, test)


def shapes_with_features(config: Config, data: Dataset, count: int) -> Dataset:
    """Return the data set of `with_features` with shapes in place of features, to compile programs for.

    Args:
        config: Configuration of the network.
        data: Data set with rows [N, D].
        count: Number of first layers.
    """
    if not count:
        return data

    def shapes(split: Split) -> Split:
        rows = split.capacity
        images = jax.ShapeDtypeStruct((rows, config.network.units[count - 1]), config.train.dtype)
        return split._replace(
            images=images,
            labels=jax.ShapeDtypeStruct((rows, *split.labels.shape[1:]), split.labels.dtype),
            rows=None,
            label_map=None,
            weights=None if split.weights is None else jax.ShapeDtypeStruct((rows,), split.weights.dtype),
        )

    return _feature_set(config, data, count, *map(shapes, (data.train, data.valid, data.test)))


def _feature_set(config: Config, data: Dataset, count: int, train: Split, valid: Split, test: Split) -> Dataset:
    """Return a data set of features, which are not scaled any more."""
    one = jnp.ones((), config.train.dtype)
    shape = (config.network.units[count - 1],)
    return replace(data, train=train, valid=valid, test=test, mean=0 * one, scale=one, image_shape=shape)


@partial(jax.jit, static_argnums=(0, 1))
def _features(
    config: Settings, stop: int, params: Params, batch_stats: BatchStats, data: Dataset, split: Split
) -> Split:
    """Return a split whose images are the outputs of the first layers for its rows."""
    model = model_of(config, data)

    def of_row(row: jax.Array) -> tuple[jax.Array, jax.Array]:
        image, label = split.take(row[None])
        outputs, _ = model.apply(params, batch_stats, scaled(config, data, image), stop=stop)
        return outputs[0], label[0]

    images, labels = jax.lax.map(of_row, jnp.arange(split.capacity), batch_size=EVALUATION_ROWS)
    weights = split.weights_of(jnp.arange(split.capacity))
    return split._replace(images=images, labels=labels, rows=None, label_map=None, weights=weights)
