"""Checks of labels and scores. Without them a metric would be a number that says nothing."""

from typing import Final

import numpy as np

from jaxdeep.errors import UserError

SUM_ERROR: Final = 1e-2
"""Largest distance of a row's sum from 1. Rounding to bfloat16 moves each probability by up to 0.4%."""


def not_probabilities(values: np.ndarray) -> np.ndarray:
    """Return which rows are not probabilities.

    Args:
        values: Rows [..., C], floating.

    Returns:
        Whether each row [...] has a value that is negative or not finite, or does not sum to 1.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return ~((values >= 0).all(-1) & (np.abs(values.sum(-1, dtype=np.float64) - 1) < SUM_ERROR))


def check_labelled(values: np.ndarray, labels: np.ndarray) -> None:
    """Refuse scores and labels that do not fit each other.

    Args:
        values: Finite scores [N, C], probabilities or logits.
        labels: Integer labels [N] in 0 .. C - 1.

    Raises:
        UserError: A shape or type is wrong, there are no images, a value is not finite or a label is out of range.
    """
    shape, labels_shape = np.shape(values), np.shape(labels)
    if len(shape) != 2 or labels_shape != shape[:1] or 0 in shape:
        raise UserError(
            f"scores have the shape {shape} and labels the shape {labels_shape}. Give [N, C] and [N] with N at least 1."
        )
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu":
        raise UserError(f"labels are {numbers.dtype}. Give integers from 0 to {shape[1] - 1}.")
    wrong = np.flatnonzero((numbers < 0) | (numbers >= shape[1]))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(numbers)} labels are out of range, the first of them {numbers[wrong[0]]} in row "
            f"{wrong[0]}. Give labels from 0 to {shape[1] - 1}."
        )
    if np.asarray(values).dtype.kind not in "iufV":  # V: bfloat16
        raise UserError(f"scores are {np.asarray(values).dtype}. Give real numbers.")
    wrong = np.flatnonzero(~np.isfinite(np.asarray(values)).all(1))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(numbers)} rows of scores are not finite, the first of them row {wrong[0]}. "
            "Leave such images out, and say so."
        )


def check_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Refuse rows that are not probabilities and labels that do not fit them.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        labels: Integer labels [N] in 0 .. C - 1.

    Raises:
        UserError: A shape or type is wrong or there are no images. A value is negative or not finite, a row does not
            sum to 1 or a label is out of range.
    """
    check_labelled(probabilities, labels)
    wrong = np.flatnonzero(not_probabilities(np.asarray(probabilities)))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(labels)} rows are negative or do not sum to 1, the first of them row {wrong[0]}. "
            "Give probabilities, such as a softmax of logits."
        )


def check_scores(*scores: np.ndarray) -> None:
    """Refuse scores that have no order.

    Args:
        *scores: Arrays [N] without NaN. Each may have its own N, at least 1.

    Raises:
        UserError: An array has another rank or type, is empty or holds NaN.
    """
    for array in scores:
        values = np.asarray(array)
        if values.ndim != 1 or not values.size:
            raise UserError(f"scores have the shape {values.shape}. Give [N] with N at least 1.")
        if values.dtype.kind not in "biuf":
            raise UserError(f"scores are {values.dtype}. Give real numbers.")
        if np.isnan(values).any():
            raise UserError(
                f"{np.isnan(values).sum()} of {values.size} scores are NaN. Leave such images out, and say so."
            )
