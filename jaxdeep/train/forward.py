"""From stored rows to logits and a loss. Pure functions of weights, traced numbers and data.

A row is scaled, the network makes logits of it, and the loss is their cross-entropy plus the penalties. While training,
dropout is on: the rate comes from `Hyper`, so it may be traced, and goes to `Network.apply` with the batch's key. Layer
l draws its mask from `fold_in(key, l)`.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.augmentation import augmented
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Network, Params, dnn
from jaxdeep.optim.constraints import penalty

AUGMENTATION: Final = 2**31
"""What a batch's key is folded with for its augmentation; layers fold in 0, 1, ..."""


class Batch(NamedTuple):
    """The rows that a step takes.

    Attributes:
        rows: [B], indices of training rows.
        mask: [B], booleans. The others repeat rows that count and stand there for the shape only. None: all count.
    """

    rows: jax.Array
    mask: jax.Array | None = None

    def size(self, dtype: Any) -> Any:
        """Return the number of rows that count, as an array of this type where some do not."""
        return len(self.rows) if self.mask is None else self.mask.sum(dtype=dtype)


def model_of(config: Settings, data: Dataset) -> Network:
    """Return the network that a configuration means for a data set."""
    return dnn(config.model, data.inputs, data.classes, config.train.dtype)


def scaled(config: Settings, data: Dataset, images: jax.Array) -> jax.Array:
    """Return stored rows [B, D] as the network's inputs, in the type of `train.dtype`."""
    if config.data.scaling == "none":
        return images.astype(config.train.dtype)
    mean, scale = (constant.astype(config.train.dtype) for constant in (data.mean, data.scale))
    return (images.astype(config.train.dtype) - mean) * scale


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return minus the log of the labels' probabilities, from unclipped logits.

    Args:
        logits: [B, C].
        labels: [B], integers.

    Returns:
        [B], in nats.
    """
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)


def is_correct(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return whether the largest logit is the label's: [B, C], [B] -> [B], booleans."""
    return jax.lax.argmax(logits, 1, labels.dtype) == labels


def batch_loss(
    params: Params, config: Settings, batch_stats: BatchStats, hyper: Hyper, data: Dataset, batch: Batch, key: jax.Array
) -> tuple[jax.Array, tuple[BatchStats, jax.Array]]:
    """Return the mean loss of a batch, with dropout on and batch normalisation by the batch's own statistics.

    Args:
        params: weights, by which the loss is differentiated.
        config: static fields of the configuration.
        batch_stats: moving statistics before the step.
        hyper: traced numbers, the dropout rate among them.
        data: data set whose training rows are used.
        batch: indices of these rows.
        key: random key of the batch's dropout masks and augmentation.

    Returns:
        The loss in nats, then the new batch_stats and the number of rows that are classified correctly.
    """
    model = model_of(config, data)
    images, labels = data.train.take(batch.rows)
    if config.data.augmented:
        images = augmented(jax.random.fold_in(key, AUGMENTATION), images, data.image_shape, config.data)
    logits, batch_stats = model.apply(
        params,
        batch_stats,
        scaled(config, data, images),
        key=key,
        dropout_rate=hyper.dropout_rate,
        update_stats=True,
        mask=batch.mask,
    )

    loss = jnp.sum(cross_entropy(logits, labels), where=batch.mask) / batch.size(logits.dtype)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return loss, (batch_stats, jnp.sum(is_correct(logits, labels), where=batch.mask))


@partial(jax.jit, static_argnums=0)
def probabilities(
    config: Settings, params: Params, batch_stats: BatchStats, data: Dataset, images: jax.Array
) -> jax.Array:
    """Return class probabilities [N, C] of stored rows [N, D], without dropout."""
    logits, _ = model_of(config, data).apply(params, batch_stats, scaled(config, data, images))
    return jax.nn.softmax(logits)
