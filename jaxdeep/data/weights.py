"""Weights of rows and of classes, which say how much a row counts in the losses."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from jaxdeep.config.values import shown
from jaxdeep.data.arrays import as_array
from jaxdeep.data.labels import listed
from jaxdeep.data.parts import Part
from jaxdeep.errors import UserError

ClassWeights = Literal["balanced"] | Mapping[Any, float] | None
"""Weights of classes by label, or "balanced"."""
ALLOWED: Final = "finite numbers of 0 or more, one of them above 0"


def weights_of_parts(
    parts: Sequence[Part],
    rows: int,
    row_weights: Any,
    test_weights: Any,
    class_weights: ClassWeights,
    labels: Sequence[Any],
) -> list[np.ndarray] | None:
    """Return the weight of each row of the training, the validation and the test part.

    A row's weight is its own times that of its class. "balanced" gives a class the weight N / (C x its training rows),
    so that all classes count the same.

    Args:
        parts: Training, validation and test part.
        rows: Number N of rows in `images`.
        row_weights: Weights [N] of these rows, or None.
        test_weights: Weights [M] of test rows of their own. None gives them the weight 1.
        class_weights: Weight of each class by its label, "balanced", or None. Classes that are left out have 1.
        labels: The C labels as they were given.

    Returns:
        Weights [n] float32 of each part. None without weights.

    Raises:
        UserError: A weight is negative or not finite, all weights of a part are 0, there is another number of weights
            than of rows, or a label is not known.
    """
    if row_weights is None and class_weights is None:
        return None
    if class_weights is not None and parts[0].labels.ndim > 1:
        raise UserError("class_weights needs classes, and the targets are others. Give row_weights.")
    own = _own(parts, rows, row_weights)
    if test_weights is not None:
        own[2] = _checked("row_weights", as_array(test_weights, "row_weights"))
    if class_weights is not None:
        of_classes = _of_classes(parts[0], class_weights, labels)
        own = [weights * of_classes[part.labels] for part, weights in zip(parts, own, strict=True)]
    found = [weights.astype(np.float32) for weights in own]
    for part, weights in zip(parts, found, strict=True):
        if not weights.sum() > 0:
            raise UserError(f"all {part.name} rows have the weight 0, so they have no loss. Give one of them more.")
    return found


def _own(parts: Sequence[Part], rows: int, row_weights: Any) -> list[np.ndarray]:
    """Return the weights that were given for the rows of each part."""
    if row_weights is None:
        return [np.ones(len(part.labels)) for part in parts]
    given = as_array(row_weights, "row_weights")
    if given.shape != (rows,):
        raise UserError(f"row_weights has the shape {given.shape}. Give one weight for each row of images, ({rows},).")
    weights = _checked("row_weights", given)
    return [
        weights[part.first : part.first + len(part.labels)]
        if part.argument == parts[0].argument
        else np.ones(len(part.labels))
        for part in parts
    ]


def _of_classes(train: Part, class_weights: ClassWeights, labels: Sequence[Any]) -> np.ndarray:
    """Return the weight of each class."""
    if class_weights == "balanced":
        counts = np.bincount(train.labels, minlength=len(labels))
        return len(train.labels) / (len(labels) * counts)
    if not isinstance(class_weights, Mapping):
        raise UserError(
            f'class_weights is {shown(class_weights)}. Give a mapping of labels to weights, "balanced", or None.'
        )
    found = np.ones(len(labels))
    for label, weight in class_weights.items():
        if label not in labels:
            raise UserError(f"class_weights has {label!r}, and no row has this label. Give some of {listed(labels)}.")
        found[labels.index(label)] = _checked("class_weights", np.asarray([weight]))[0]
    return found


def _checked(what: str, weights: np.ndarray) -> np.ndarray:
    """Return weights as float64 if they are finite and not negative."""
    try:
        found = weights.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} is {weights.dtype}. Allowed: {ALLOWED}.") from error
    wrong = np.flatnonzero(~np.isfinite(found) | (found < 0))
    if len(wrong):
        raise UserError(f"{what} holds {found[wrong[0]]} at index {wrong[0]}. Allowed: {ALLOWED}.")
    return found
