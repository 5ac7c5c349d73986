"""A network on a split: its loss, and which rows it classifies correctly. Pure functions of weights and data."""

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


class Evaluation(NamedTuple):
    """A network on a split, without dropout, batch normalisation by its moving statistics.

    Attributes:
        loss: mean over the split's rows, in nats, with the penalties of l1 and l2 if there are any.
        accuracy: share of the rows that are classified correctly, in [0, 1].
        correct: [N], booleans: whether the largest logit is the label's.
    """

    loss: jax.Array
    accuracy: jax.Array
    correct: jax.Array


def evaluate(
    config: Settings, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset, split: Split
) -> Evaluation:
    """Evaluate weights on a split, without dropout, batch normalisation by its moving statistics."""
    model = model_of(config, data)

    def of_row(row: Any) -> tuple[jax.Array, jax.Array]:
        image, label = row if split.rows is None else split.take(row)
        logits, _ = model.apply(params, batch_stats, scaled(config, data, image[None]))
        return cross_entropy(logits, label[None])[0], is_correct(logits, label[None])[0]

    rows = (split.images, split.labels) if split.rows is None else jnp.arange(split.size)
    losses, correct = jax.lax.map(of_row, rows, batch_size=EVALUATION_ROWS)
    loss = losses.mean()
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return Evaluation(loss, correct.mean(dtype=losses.dtype), correct)


def evaluate_splits(
    config: Settings, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset
) -> tuple[Evaluation, Evaluation]:
    """Evaluate the weights that a run keeps on the validation and on the test rows."""
    of_split = partial(evaluate, config, params, batch_stats, hyper, data)
    return of_split(data.valid), of_split(data.test)
