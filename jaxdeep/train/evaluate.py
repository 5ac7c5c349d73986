"""Evaluate a network on a split.

The functions are pure functions of weights and data.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.optim.constraints import penalty
from jaxdeep.train.forward import model_of, scaled
from jaxdeep.train.objectives import losses, scores, variances_of
from jaxdeep.train.placement import map_rows

EVALUATION_ROWS = 1_000
"""Number of rows that are evaluated at a time."""
MOST_CLASSES: Final = 30
"""Number of classes above which no confusions are counted."""


class Evaluation(NamedTuple):
    """Figures of a network on a split. Dropout is off and batch normalisation uses its moving statistics.

    Attributes:
        loss: Mean loss of the split's rows in nats, by their weights. The penalties of l1 and l2 are added if there are
            any.
        accuracy: Share of the rows that are classified correctly, in [0, 1]. R2 for numbers, up to 1.
        correct: Booleans [N] that say whether a row's largest logit is its label's. Scores [N] for numbers, whose mean
            is R2. Rows of a padded split that do not count are among them.
    """

    loss: jax.Array
    accuracy: jax.Array
    correct: jax.Array


class Scores(NamedTuple):
    """Figures of a network on further rows, on the host.

    Attributes:
        loss: Mean loss in nats. The penalties of l1 and l2 are added if there are any.
        accuracy: Share of the rows that are classified correctly, in [0, 1]. R2 for numbers, up to 1.
        correct: Booleans [N] that say whether a row's largest logit is its label's. Scores [N] for numbers, whose mean
            is R2.
        metrics: Further metrics by name: log_loss in nats, balanced_accuracy, auroc and average_precision of classes,
            all but the second of several labels, and mae and rmse of numbers in their own units.
    """

    loss: float
    accuracy: float
    correct: np.ndarray
    metrics: Mapping[str, float]


class Evaluations(NamedTuple):
    """What is known of the best weights at the end of a run.

    Attributes:
        valid: Evaluation of the validation rows.
        test: Evaluation of the test rows.
        train_loss: Mean loss of the training rows without dropout, in nats, with the penalties.
        train_accuracy: Share of the training rows that are classified correctly without dropout, in [0, 1].
        confusion: Number of test rows [C, C] of a true class, by row, that get a class, by column. None for more than
            MOST_CLASSES classes, for several labels, and for numbers.
    """

    valid: Evaluation
    test: Evaluation
    train_loss: jax.Array
    train_accuracy: jax.Array
    confusion: jax.Array | None


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
        Loss and accuracy as scalars and a boolean or a score [N] for each row.
    """
    model, variances = model_of(config, data), variances_of(data, split, config.train.dtype)

    def evaluate_row(row: Any) -> tuple[jax.Array, jax.Array]:
        image, label = row if is_whole else split.take(row)
        logits, _ = model.apply(params, batch_stats, scaled(config, data, image[None]))
        of_row = scores(config, data, logits, label[None], variances)
        return losses(config, hyper, data, logits, label[None])[0], of_row[0]

    is_whole = split.rows is None and split.label_map is None
    rows = (split.images, split.labels) if is_whole else jnp.arange(split.capacity)
    of_rows, correct = map_rows(evaluate_row, rows, EVALUATION_ROWS)
    mask = split.mask
    weights = split.weights_of(jnp.arange(split.capacity))
    if weights is None:
        loss = of_rows.mean(where=mask)
    else:
        weights = weights.astype(of_rows.dtype)
        loss = jnp.sum(weights * of_rows, where=mask) / jnp.sum(weights, where=mask)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return Evaluation(loss, correct.mean(dtype=of_rows.dtype, where=mask), correct)


def confusion_counts(
    config: Settings, params: Params, batch_stats: BatchStats, data: Dataset, split: Split
) -> jax.Array | None:
    """Count which class the rows of each class get.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        data: Data set that the split belongs to.
        split: Rows to classify.

    Returns:
        Numbers of rows [C, C], of type int32. A row is a true class, and a column a predicted one. None for more than
        MOST_CLASSES classes, for several labels, and for numbers.
    """
    if data.classes > MOST_CLASSES or data.task != "classification":
        return None
    model = model_of(config, data)

    def classify_row(row: Any) -> tuple[jax.Array, jax.Array]:
        image, label = split.take(row)
        logits, _ = model.apply(params, batch_stats, scaled(config, data, image[None]))
        return label, jax.lax.argmax(logits, 1, label.dtype)[0]

    labels, predicted = map_rows(classify_row, jnp.arange(split.capacity), EVALUATION_ROWS)
    counts = 1 if split.mask is None else split.mask.astype(jnp.int32)
    return jnp.zeros((data.classes, data.classes), jnp.int32).at[labels, predicted].add(counts)


def evaluate_splits(
    config: Settings, params: Params, batch_stats: BatchStats, hyper: Hyper, data: Dataset
) -> Evaluations:
    """Evaluate weights on the validation, the test and the training rows.

    Args:
        config: Static fields of the configuration.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        hyper: Traced numbers of the configuration.
        data: Data set with all three splits.

    Returns:
        The evaluations, without a boolean for each training row.
    """
    evaluate_split = partial(evaluate, config, params, batch_stats, hyper, data)
    valid, test, train = (evaluate_split(split) for split in (data.valid, data.test, data.train))
    confusion = confusion_counts(config, params, batch_stats, data, data.test)
    return Evaluations(valid, test, train.loss, train.accuracy, confusion)
