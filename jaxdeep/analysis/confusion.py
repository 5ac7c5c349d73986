"""Precision, recall and F1 of each class, from the numbers of rows by true and predicted class."""

from typing import Final, NamedTuple

import numpy as np

BY_CLASS: Final = ("precision", "recall", "f1")
"""Names of the figures of a class."""


class ClassFigures(NamedTuple):
    """The figures of each class. A figure is NaN if no row decides it.

    Attributes:
        precision: Share of the rows [..., C] that get a class and are of it, in [0, 1].
        recall: Share of the rows [..., C] of a class that get it, in [0, 1].
        f1: Harmonic mean [..., C] of precision and recall, in [0, 1].
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def class_figures(counts: np.ndarray) -> ClassFigures:
    """Return the figures of each class.

    Args:
        counts: Numbers of rows [..., C, C], 0 or more. A row is a true class, and a column a predicted one.

    Returns:
        The figures [..., C] of each class.

    >>> class_figures(np.array([[3, 1], [0, 4]])).recall
    array([0.75, 1.  ])
    """
    counts = np.asarray(counts)
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(-1), counts.sum(-2)
    return ClassFigures(_share(correct, predicted), _share(correct, true), _share(2 * correct, true + predicted))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return a ratio, or NaN for nothing of nothing."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
