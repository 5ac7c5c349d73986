"""From stored rows to logits and a loss.

The functions are pure functions of weights, traced numbers and data. A row is scaled and the network makes logits of
it. The loss is that of `objectives` plus the penalties.

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
from jaxdeep.train.objectives import answers, losses, scores

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
    train = config.train
    return dnn(config.network, data.inputs, data.classes, train.dtype, trained, train.matmul_precision, data.task)


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
        The loss. Then the new batch_stats and the sum of the rows' scores, which is the number of rows that are
        classified correctly.
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

    of_rows = losses(config, hyper, data, logits, labels)
    if batch.weights is not None:
        of_rows *= batch.weights
    loss = jnp.sum(of_rows, where=batch.mask) / batch.size(logits.dtype)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return loss, (batch_stats, jnp.sum(scores(config, data, logits, labels), where=batch.mask))


@partial(jax.jit, static_argnums=0)
def probabilities(
    config: Settings, params: Params, batch_stats: BatchStats, data: Dataset, images: jax.Array
) -> jax.Array:
    """Return what the network says of rows without dropout: class probabilities, or numbers in standard units.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        data: Data set that holds the scaling constants.
        images: Stored rows [N, D].

    Returns:
        Probabilities [N, C] in [0, 1]. Each row sums to 1, unless a row has several labels. Numbers [N, C] for
        regression.
    """
    logits, _ = model_of(config, data).apply(params, batch_stats, scaled(config, data, images))
    return answers(config, data, logits)
