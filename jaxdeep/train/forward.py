"""From stored rows to logits and a loss.

The functions are pure functions of weights, traced numbers and data. A row is scaled and the network makes logits of
it. The loss is their cross-entropy plus the penalties.

Dropout is on while training. Its rate comes from `Hyper`, so it may be traced. `Network.apply` takes the rate with the
batch's key. Layer l draws its mask from `fold_in(key, l)`.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep.config import Hyper, Settings, Static, Trained
from jaxdeep.data.augmentation import augmented
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Network, Params, dnn
from jaxdeep.optim.constraints import penalty

AUGMENTATION: Final = 2**31
"""Number that a batch's key is folded with for its augmentation. Layers fold in 0, 1, ..."""


class Batch(NamedTuple):
    """Rows that a step takes.

    Attributes:
        rows: Indices [B] of training rows.
        mask: Booleans [B], True for rows that count. The other rows repeat these and only fill the shape. None if all
            count.
        weights: Weights [B] of the rows in the loss. Their mean over the training rows is 1. None without weights.
    """

    rows: jax.Array
    mask: jax.Array | None = None
    weights: jax.Array | None = None

    def size(self, dtype: Any) -> Any:
        """Return the number of rows that count.

        Args:
            dtype: Type of the number if there is a mask.

        Returns:
            A scalar array with a mask, or an int without one.
        """
        return len(self.rows) if self.mask is None else self.mask.sum(dtype=dtype)


def model_of(config: Settings, data: Dataset) -> Network:
    """Return the network of a configuration for a data set.

    Args:
        config: Static fields of the configuration.
        data: Data set whose width and number of classes are used.

    Returns:
        The network. Equal arguments return the same object.
    """
    trained = config.trained if isinstance(config, Static) else Trained()
    return dnn(config.network, data.inputs, data.classes, config.train.dtype, trained, config.train.matmul_precision)


def scaled(config: Settings, data: Dataset, images: jax.Array) -> jax.Array:
    """Return stored rows as inputs of the network.

    Args:
        config: Static fields of the configuration.
        data: Data set that holds the scaling constants.
        images: Stored rows [B, D].

    Returns:
        Inputs [B, D] in the type `train.dtype`.
    """
    if config.data.scaling == "none":
        return images.astype(config.train.dtype)
    mean, scale = (constant.astype(config.train.dtype) for constant in (data.mean, data.scale))
    return (images.astype(config.train.dtype) - mean) * scale


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return minus the log of the labels' probabilities from unclipped logits.

    Args:
        logits: Logits [B, C].
        labels: Classes [B], integers in 0 .. C - 1.

    Returns:
        Cross-entropies [B] in nats.
    """
    of_labels = jax.lax.platform_dependent(logits, labels, cpu=_gathered, default=_summed)
    return jax.nn.logsumexp(logits, 1) - of_labels


def losses(config: Settings, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return each row's cross-entropy, with smoothed labels if the configuration smooths them.

    A label's probability is then 1 - s + s / C, and that of every other class s / C, with s of
    `regularize.label_smoothing`.

    Args:
        config: Static fields of the configuration.
        hyper: Traced numbers of the configuration.
        logits: Logits [B, C].
        labels: Classes [B], integers in 0 .. C - 1.

    Returns:
        Losses [B] in nats.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), section 7.
    """
    of_labels = cross_entropy(logits, labels)
    if not config.regularize.smooths:
        return of_labels
    smoothing = jnp.asarray(hyper.label_smoothing, logits.dtype)
    of_all = jax.nn.logsumexp(logits, 1) - logits.mean(1)
    return (1 - smoothing) * of_labels + smoothing * of_all


def _gathered(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the labels' logits."""
    return jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]


def _summed(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the labels' logits. The gradient of a gather is a scatter, which is a kernel of its own on a GPU."""
    is_label = labels[:, None] == jnp.arange(logits.shape[1], dtype=labels.dtype)[None]
    return jnp.sum(logits, 1, where=is_label)


def is_correct(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return whether the largest logit is the label's.

    Args:
        logits: Logits [B, C].
        labels: Classes [B], integers in 0 .. C - 1.

    Returns:
        Booleans [B].
    """
    return jax.lax.argmax(logits, 1, labels.dtype) == labels


def batch_loss(
    params: Params, config: Settings, batch_stats: BatchStats, hyper: Hyper, data: Dataset, batch: Batch, key: jax.Array
) -> tuple[jax.Array, tuple[BatchStats, jax.Array]]:
    """Return the mean loss of a batch while training.

    Dropout is on. Batch normalisation uses the batch's own statistics.

    Args:
        params: Weights. The loss is differentiated by them.
        config: Static fields of the configuration.
        batch_stats: Moving means and variances of batch normalisation before the step.
        hyper: Traced numbers of the configuration. One is the dropout rate.
        data: Data set whose training rows are used.
        batch: Indices of these rows.
        key: Random key of the batch's dropout masks and augmentation.

    Returns:
        The loss in nats. Then the new batch_stats and the number of rows that are classified correctly.
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
        kernels=config.train.kernels,
    )

    of_rows = losses(config, hyper, logits, labels)
    if batch.weights is not None:
        of_rows *= batch.weights
    loss = jnp.sum(of_rows, where=batch.mask) / batch.size(logits.dtype)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return loss, (batch_stats, jnp.sum(is_correct(logits, labels), where=batch.mask))


@partial(jax.jit, static_argnums=0)
def probabilities(
    config: Settings, params: Params, batch_stats: BatchStats, data: Dataset, images: jax.Array
) -> jax.Array:
    """Return class probabilities without dropout.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        data: Data set that holds the scaling constants.
        images: Stored rows [N, D].

    Returns:
        Probabilities [N, C] in [0, 1]. Each row sums to 1.
    """
    logits, _ = model_of(config, data).apply(params, batch_stats, scaled(config, data, images))
    return jax.nn.softmax(logits)
