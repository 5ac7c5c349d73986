"""Evaluate a network on a split.

The functions are pure functions of weights and data.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.optim.constraints import penalty
from jaxdeep.train.forward import cross_entropy, is_correct, model_of, scaled

EVALUATION_ROWS = 1_000
"""Number of rows that are evaluated at a time."""


class Evaluation(NamedTuple):
    """Figures of a network on a split. Dropout is off and batch normalisation uses its moving statistics.

    Attributes:
        loss: Mean loss of the split's rows in nats. The penalties of l1 and l2 are added if there are any.
        accuracy: Share of the rows that are classified correctly, in [0, 1].
        correct: Booleans [N] that say whether a row's largest logit is its label's. Rows of a padded split that do not
            count are among them.
    """

    loss: jax.Array
    accuracy: jax.Array
    correct: jax.Array


def evaluate(
    config: Settings, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset, split: Split
) -> Evaluation:
    """Evaluate weights on a split without dropout and with moving statistics.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        hyper: Traced numbers of the configuration.
        data: Data set that the split belongs to.
        split: Rows to evaluate.

    Returns:
        Loss and accuracy as scalars and a boolean [N] for each row.
    """
    model = model_of(config, data)

    def evaluate_row(row: Any) -> tuple[jax.Array, jax.Array]:
        image, label = row if is_whole else split.take(row)
        logits, _ = model.apply(params, batch_stats, scaled(config, data, image[None]))
        return cross_entropy(logits, label[None])[0], is_correct(logits, label[None])[0]

    is_whole = split.rows is None and split.label_map is None
    rows = (split.images, split.labels) if is_whole else jnp.arange(split.capacity)
    losses, correct = jax.lax.map(evaluate_row, rows, batch_size=EVALUATION_ROWS)
    mask = split.mask
    loss = losses.mean(where=mask)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return Evaluation(loss, correct.mean(dtype=losses.dtype, where=mask), correct)


def evaluate_splits(
    config: Settings, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset
) -> tuple[Evaluation, Evaluation]:
    """Evaluate weights on the validation rows and on the test rows.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        hyper: Traced numbers of the configuration.
        data: Data set with both splits.

    Returns:
        The evaluation of the validation rows and that of the test rows.
    """
    evaluate_split = partial(evaluate, config, params, batch_stats, hyper, data)
    return evaluate_split(data.valid), evaluate_split(data.test)
