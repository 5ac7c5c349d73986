"""What the outputs of a network say of a row, how far that is from its target, and how good it is.

`Dataset.task` says what the targets are:

- classification: a class [B]. The outputs are logits [B, C].
- multilabel: a 0 or a 1 for each label [B, C]. The outputs are the logits of C sigmoids.
- regression: numbers [B, C] in standard units, which are less their training mean and divided by their training
  standard deviation. The head turns the outputs into such numbers.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.info import Split


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


def losses(config: Settings, hyper: Hyper, data: Dataset, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return each row's loss.

    It is a cross-entropy of classes, the mean of the labels' binary cross-entropies, or the mean of the numbers'
    squared or absolute errors. Smoothed labels have the probability 1 - s + s / C, and all other classes have s / C,
    with s of `regularize.label_smoothing` and C = 2 for each of several labels.

    Args:
        config: Static fields of the configuration.
        hyper: Traced numbers of the configuration.
        data: Data set that the rows belong to.
        outputs: Outputs [B, C] of the network.
        targets: Targets of the rows as the data set holds them.

    Returns:
        Losses [B]. They are in nats for classes and labels.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), section 7.
    """
    if not isinstance(config.train.loss, str):
        return config.train.loss(outputs, targets)
    if data.task == "classification":
        return _of_classes(config, hyper, outputs, targets)
    if data.task == "multilabel":
        targets = targets.astype(outputs.dtype)
        if config.regularize.smooths:
            smoothing = jnp.asarray(hyper.label_smoothing, outputs.dtype)
            targets = targets * (1 - smoothing) + smoothing / 2
        return jnp.mean(jax.nn.softplus(outputs) - outputs * targets, 1)
    errors = answers(config, data, outputs) - targets.astype(outputs.dtype)
    return jnp.mean(jnp.abs(errors) if config.train.loss == "absolute_error" else jnp.square(errors), 1)


def _of_classes(config: Settings, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return each row's cross-entropy, with smoothed labels if the configuration smooths them."""
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


def scores(
    config: Settings, data: Dataset, outputs: jax.Array, targets: jax.Array, variances: jax.Array | None = None
) -> jax.Array:
    """Return each row's score, whose mean over rows is their accuracy, or R2 for numbers.

    A row of several labels is right if all of them are. The score of numbers is 1 less their squared errors over the
    variances, as a mean over the C numbers.

    Args:
        config: Static fields of the configuration.
        data: Data set that the rows belong to.
        outputs: Outputs [B, C] of the network.
        targets: Targets of the rows as the data set holds them.
        variances: Variances [C] of the numbers, from `variances_of`. None means 1, which is theirs in the training rows
            that the data set was made with.

    Returns:
        Booleans [B], or numbers [B] up to 1 for regression.
    """
    if data.task == "classification":
        return is_correct(outputs, targets)
    if data.task == "multilabel":
        return jnp.all((outputs > 0) == (targets > 0), 1)
    squares = jnp.square(answers(config, data, outputs) - targets.astype(outputs.dtype))
    if variances is None:
        return 1 - jnp.mean(squares, 1)
    variances = variances[None]
    shares = jnp.where(variances > 0, squares / jnp.where(variances > 0, variances, 1), jnp.ceil(jnp.tanh(squares)))
    return 1 - jnp.mean(shares, 1)


def variances_of(data: Dataset, split: Split, dtype: Any) -> jax.Array | None:
    """Return the variances of a split's numbers, by which R2 counts errors.

    Args:
        data: Data set that the split belongs to.
        split: Rows of one part.
        dtype: Type in which the network computes.

    Returns:
        Variances [C] over the rows that count, or None for classes and labels.
    """
    if data.task != "regression":
        return None
    targets = (split.labels if split.rows is None else split.labels[split.rows]).astype(dtype)
    mask = None if split.mask is None else split.mask[:, None]
    return jnp.var(targets, 0, where=mask)


def answers(config: Settings, data: Dataset, outputs: jax.Array) -> jax.Array:
    """Return what the outputs of a network say.

    Args:
        config: Static fields of the configuration.
        data: Data set that the network was trained on.
        outputs: Outputs [N, C] of the network.

    Returns:
        Probabilities of C classes, which sum to 1, or of C labels. Or C numbers in standard units.
    """
    if data.task == "classification":
        return jax.nn.softmax(outputs)
    if data.task == "multilabel":
        return jax.nn.sigmoid(outputs)
    head = config.network.head
    if head == "linear" or data.bounds is None:
        return outputs
    zero, low, high = data.bounds.astype(outputs.dtype)[:, None]
    if head == "softplus":
        return zero + jax.nn.softplus(outputs)
    return (low + high) / 2 + (high - low) / 2 * jnp.tanh(outputs)
