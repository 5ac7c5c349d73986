"""Metrics of class probabilities: proper scores and the use of uncertainty scores to find mistakes.

All metrics run on the host in NumPy. They take probabilities [N, C] of N images in C classes and labels [N].
"""

from typing import Final

import numpy as np

from jaxdeep.analysis.metric_checks import check_labelled, check_probabilities, check_scores
from jaxdeep.errors import UserError

SMALLEST: Final = 1e-12
"""Smallest probability whose logarithm is taken."""


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the logarithm of the label's probability. Its mean is the NLL.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        labels: Integer labels [N] in 0 .. C - 1.

    Returns:
        Loss of each image [N] in nats, 0 or more.

    Raises:
        UserError: A row is not a distribution over classes or a label is out of range.

    >>> float(log_losses(np.array([[0.25, 0.75]]), np.array([1])).round(4)[0])
    0.2877
    """
    check_probabilities(probabilities, labels)
    return -np.log(np.maximum(at_labels(probabilities, labels), SMALLEST))


def brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared distance of the probabilities from the one-hot vector of the label.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        labels: Integer labels [N] in 0 .. C - 1.

    Returns:
        Score of each image [N] in 0 .. 2.

    Raises:
        UserError: A row is not a distribution over classes or a label is out of range.

    Source: Brier, "Verification of forecasts expressed in terms of probability" (1950).
    """
    check_probabilities(probabilities, labels)
    probabilities = np.asarray(probabilities, np.float64)
    return np.square(probabilities).sum(1) - 2 * at_labels(probabilities, labels) + 1


def correct(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether the most probable class is the label.

    Args:
        probabilities: Class probabilities [N, C]. Logits give the same answer.
        labels: Integer labels [N] in 0 .. C - 1.

    Returns:
        Whether each image is classified correctly [N] as booleans.

    Raises:
        UserError: A value is not finite or a label is out of range.
    """
    check_labelled(probabilities, labels)
    return probabilities.argmax(1) == labels


def auroc(unlike: np.ndarray, alike: np.ndarray) -> float:
    """Return the area under the ROC curve (AUROC) of a score that separates two kinds of images.

    It is the probability that an image of the first kind has the higher score. Ties count half.

    Args:
        unlike: Scores of the images to detect [N]. These may be images of another data set.
        alike: Scores of the other images [M].

    Returns:
        Area in 0 .. 1. It is 0.5 for scores that say nothing.

    Raises:
        UserError: One kind has no scores or a score is NaN.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy import stats  # 0.7 s to import

    check_scores(unlike, alike)
    return float(stats.mannwhitneyu(unlike, alike).statistic / (len(unlike) * len(alike)))


def false_positive_rate(unlike: np.ndarray, alike: np.ndarray, true_positive_rate: float = 0.95) -> float:
    """Return the share of other images at or above the threshold that detects a given share of the first kind.

    Args:
        unlike: Scores of the images to detect [N]. These may be images of another data set.
        alike: Scores of the other images [M].
        true_positive_rate: Smallest share of the first kind to detect, above 0 and up to 1.

    Returns:
        Share of the other images that are taken for the first kind in 0 .. 1.

    Raises:
        UserError: One kind has no scores, a score is NaN or the rate is out of range.

    Source: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples" (2017).
    """
    check_scores(unlike, alike)
    if not 0 < true_positive_rate <= 1:
        raise UserError(f"true_positive_rate is {true_positive_rate}. Give a rate above 0, up to 1.")
    detected = int(np.ceil(true_positive_rate * len(unlike)))
    threshold = np.sort(unlike)[::-1][detected - 1]
    return float(np.mean(alike >= threshold))


def risk_coverage_curve(uncertainty: np.ndarray, is_correct: np.ndarray) -> np.ndarray:
    """Return the risk of the 1, 2, ..., N images with the lowest uncertainty scores.

    The risk is the share of these images that are classified wrongly. The coverage is n / N. Images with equal scores
    count by their mean since their order says nothing.

    Args:
        uncertainty: Uncertainty score of each image [N]. It may be the predictive entropy in nats.
        is_correct: Whether each image is classified correctly [N] as booleans.

    Returns:
        Risk at each coverage [N] in 0 .. 1.

    Raises:
        UserError: There are no images, a score is NaN or the lengths differ.
    """
    check_scores(uncertainty, is_correct)
    if len(uncertainty) != len(is_correct):
        raise UserError(f"{len(uncertainty)} scores of {len(is_correct)} images. Give a score for each image.")
    _, level, sizes = np.unique(uncertainty, return_inverse=True, return_counts=True)
    risk = np.bincount(level, weights=1.0 - np.asarray(is_correct)) / sizes
    return np.cumsum(np.repeat(risk, sizes)) / np.arange(1, len(is_correct) + 1)


def area_under_risk_coverage(uncertainty: np.ndarray, is_correct: np.ndarray) -> float:
    """Return the mean risk over all coverages (AURC). It is lower if mistakes have high scores.

    Args:
        uncertainty: Uncertainty score of each image [N]. It may be the predictive entropy in nats.
        is_correct: Whether each image is classified correctly [N] as booleans.

    Returns:
        Area in 0 .. 1. It is 0 if all images are classified correctly.

    Raises:
        UserError: There are no images, a score is NaN or the lengths differ.

    Source: Geifman, Uziel, El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers" (2019).
    """
    return float(risk_coverage_curve(uncertainty, is_correct).mean())


def at_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the value of each row at its label.

    Args:
        values: Values [N, C] of N rows.
        labels: Integer labels [N] in 0 .. C - 1.

    Returns:
        Values [N].
    """
    return np.asarray(values, np.float64)[np.arange(len(labels)), labels]
