"""A network on images: its loss, its hits, its probabilities. Pure functions of weights and data."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep.config import Config, Hyper
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.nn.dnn import BatchStats, Model, Params, dnn
from jaxdeep.optim.constraints import penalty

EVALUATION_ROWS = 1_000


class Evaluation(NamedTuple):
    """A network on a split, without dropout, batch normalisation by its moving statistics.

    Attributes:
        loss: mean over the rows, in nats; and l1's and l2's penalty where there is one.
        accuracy: in [0, 1].
        hits: [N], booleans: whether the largest logit is the label's.
    """

    loss: jax.Array
    accuracy: jax.Array
    hits: jax.Array


def model_of(config: Config, data: Dataset) -> Model:
    """The network that a configuration means for a data set."""
    return dnn(config.model, data.inputs, data.classes, config.train.dtype)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Minus the log of the labels' probabilities, from unclipped logits.

    Args:
        logits: [B, C].
        labels: [B], integers.

    Returns:
        [B], in nats.
    """
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)


def is_hit(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Whether the largest logit is the label's: [B, C], [B] -> [B], booleans."""
    return jax.lax.argmax(logits, 1, labels.dtype) == labels


def scaled(config: Config, data: Dataset, images: jax.Array) -> jax.Array:
    """Stored rows [B, D] as the network's inputs, in the run's type."""
    if config.data.scaling == "none":
        return images.astype(config.train.dtype)
    mean, scale = (constant.astype(config.train.dtype) for constant in (data.mean, data.scale))
    return (images.astype(config.train.dtype) - mean) * scale


def evaluate(
    config: Config, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset, split: Split
) -> Evaluation:
    """Loss and hits of a split, without dropout, batch normalisation by its moving statistics."""
    model = model_of(config, data)

    def of_row(row: Any) -> tuple[jax.Array, jax.Array]:
        image, label = row if split.rows is None else split.take(row)
        logits, _ = model.apply(params, batch_stats, scaled(config, data, image[None]))
        return cross_entropy(logits, label[None])[0], is_hit(logits, label[None])[0]

    rows = (split.images, split.labels) if split.rows is None else jnp.arange(split.size)
    losses, hits = jax.lax.map(of_row, rows, batch_size=EVALUATION_ROWS)
    loss = losses.mean()
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return Evaluation(loss, hits.mean(dtype=losses.dtype), hits)


def examine(
    config: Config, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset
) -> tuple[Evaluation, Evaluation]:
    """Validation and test rows by the weights that a run keeps."""
    of_split = partial(evaluate, config, params, batch_stats, hyper, data)
    return of_split(data.valid), of_split(data.test)


@partial(jax.jit, static_argnums=0)
def probabilities(
    config: Config, params: Params, batch_stats: BatchStats, data: Dataset, images: jax.Array
) -> jax.Array:
    """Class probabilities [N, C] of stored rows [N, D], without dropout."""
    logits, _ = model_of(config, data).apply(params, batch_stats, scaled(config, data, images))
    return jax.nn.softmax(logits)
