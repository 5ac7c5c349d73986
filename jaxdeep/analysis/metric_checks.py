"""What metrics refuse: labels and scores from which a figure would come that says nothing."""

from typing import Final

import numpy as np

from jaxdeep.errors import UserError

SUM_ERROR: Final = 1e-2
"""By which a row of probabilities may miss the sum of 1: bfloat16 rounds each of them by up to 0.4%."""


def not_probabilities(values: np.ndarray) -> np.ndarray:
    """Tell rows that are not probabilities.

    Args:
        values: [..., C], floating.

    Returns:
        [...], whether the row has a value that is negative or not finite, or does not sum to 1.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return ~((values >= 0).all(-1) & (np.abs(values.sum(-1, dtype=np.float64) - 1) < SUM_ERROR))


def check_labelled(values: np.ndarray, labels: np.ndarray) -> None:
    """Refuse scores and labels that do not belong together.

    Args:
        values: [N, C], finite: probabilities, or logits.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: a shape or type is wrong, there are no images, a value is not finite, or a label is not of a class.
    """
    shape, of_labels = np.shape(values), np.shape(labels)
    if len(shape) != 2 or of_labels != shape[:1] or 0 in shape:
        raise UserError(f"scores have the shape {shape}, labels {of_labels}; allowed: [N, C] and [N], N at least 1")
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu":
        raise UserError(f"labels are {numbers.dtype}; allowed: integers from 0 to {shape[1] - 1}")
    wrong = np.flatnonzero((numbers < 0) | (numbers >= shape[1]))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(numbers)} labels are not of a class, the first of them {numbers[wrong[0]]} in row "
            f"{wrong[0]}; allowed: 0 to {shape[1] - 1}"
        )
    if np.asarray(values).dtype.kind not in "iufV":  # V: bfloat16
        raise UserError(f"scores are {np.asarray(values).dtype}; allowed: real numbers")
    wrong = np.flatnonzero(~np.isfinite(np.asarray(values)).all(1))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(numbers)} rows of scores are not finite, the first of them row {wrong[0]}"
        )


def check_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Refuse what `check_labelled` refuses, and rows that are not probabilities.

    Args:
        probabilities: [N, C], each row sums to 1.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: as `check_labelled`, or a value is negative, or a row does not sum to 1.
    """
    check_labelled(probabilities, labels)
    wrong = np.flatnonzero(not_probabilities(np.asarray(probabilities)))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(labels)} rows are not probabilities, the first of them row {wrong[0]}: they are "
            "negative or do not sum to 1. Give a softmax of logits"
        )


def check_scores(*scores: np.ndarray) -> None:
    """Refuse scores that have no order.

    Args:
        scores: arrays [N], each of its own N, without NaN.

    Raises:
        UserError: an array has another rank, is empty or holds NaN.
    """
    for of_images in scores:
        values = np.asarray(of_images)
        if values.ndim != 1 or not values.size:
            raise UserError(f"scores have the shape {values.shape}; allowed: [N], N at least 1")
        if values.dtype.kind not in "biuf":
            raise UserError(f"scores are {values.dtype}; allowed: real numbers")
        if np.isnan(values).any():
            raise UserError(
                f"{np.isnan(values).sum()} of {values.size} scores are NaN. Leave such images out, and say so"
            )
