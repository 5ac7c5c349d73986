"""How good class probabilities are: proper scores, calibration, and whether doubt stands where the mistakes are.

On the host, in NumPy: N images, C classes, probabilities [N, C] whose rows sum to 1, labels [N].
"""

from numbers import Integral
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.analysis.metric_checks import check_labelled, check_probabilities, check_scores
from jaxdeep.errors import UserError

BINS: Final = 15
SMALLEST: Final = 1e-12
"""Probability that a label has at least, before its logarithm is taken."""


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Take minus the logarithm of the label's probability, in nats: [N]. Its mean is the NLL.

    Args:
        probabilities: [N, C], each row sums to 1.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: a row is not one of probabilities, or a label not one of a class.

    >>> float(log_losses(np.array([[0.25, 0.75]]), np.array([1])).round(4)[0])
    0.2877
    """
    check_probabilities(probabilities, labels)
    return -np.log(np.maximum(_of_labels(probabilities, labels), SMALLEST))


def brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Take the squared distance from the label's one-hot vector, in [0, 2]: [N].

    Args:
        probabilities: [N, C], each row sums to 1.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: a row is not one of probabilities, or a label not one of a class.

    Source: Brier, "Verification of forecasts expressed in terms of probability" (1950).
    """
    check_probabilities(probabilities, labels)
    probabilities = np.asarray(probabilities, np.float64)
    return np.square(probabilities).sum(1) - 2 * _of_labels(probabilities, labels) + 1


def correct(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tell whether the most probable class is the label's: [N], booleans.

    Args:
        probabilities: [N, C]; logits have the same answer.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: a value is not finite, or a label not one of a class.
    """
    check_labelled(probabilities, labels)
    return probabilities.argmax(1) == labels


class Bins(NamedTuple):
    """Images by the probability of their most probable class.

    Attributes:
        confidence: [B], mean of that probability; NaN in an empty bin.
        accuracy: [B], share of hits; NaN in an empty bin.
        counts: [B], images.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: |accuracy - confidence|, weighted by the images."""
        gaps = np.where(self.counts > 0, np.abs(self.accuracy - self.confidence), 0.0)
        return float((gaps * self.counts).sum() / self.counts.sum())


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS, *, equal_mass: bool = False) -> Bins:
    """Confidence against accuracy: what a reliability diagram shows.

    Args:
        probabilities: [N, C], each row sums to 1.
        labels: [N], integers 0 .. C - 1.
        bins: B, number of bins, 1 or more.
        equal_mass: bins of as many images each, in place of bins of equal width on [0, 1].

    Raises:
        UserError: a row is not one of probabilities, a label not one of a class, or there is no bin.

    Source: Guo et al., "On calibration of modern neural networks" (2017), section 2.
    """
    check_probabilities(probabilities, labels)
    if not isinstance(bins, Integral) or bins < 1:
        raise UserError(f"{bins!r} bins; allowed: an integer, 1 or more")
    confidence, right = probabilities.max(1).astype(np.float64), correct(probabilities, labels)
    if equal_mass:
        index = np.empty(len(labels), np.int64)
        index[np.argsort(confidence, kind="stable")] = np.arange(len(labels)) * bins // len(labels)
    else:
        index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # (0, 1/B], (1/B, 2/B], ...
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(index, weights=values, minlength=bins) / counts for values in (confidence, right))
    return Bins(mean, share, counts)


def auroc(unlike: np.ndarray, alike: np.ndarray) -> float:
    """Probability that the score of an image of the first kind is above one of the second, ties counting half.

    Args:
        unlike: [N], scores of what is to be found, as of images of another data set.
        alike: [M], scores of the others.

    Raises:
        UserError: there are no scores of a kind, or one is NaN.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy import stats  # 0.7 s to import

    check_scores(unlike, alike)
    return float(stats.mannwhitneyu(unlike, alike).statistic / (len(unlike) * len(alike)))


def false_positive_rate(unlike: np.ndarray, alike: np.ndarray, true_positive_rate: float = 0.95) -> float:
    """Share of the second kind that is taken for the first, at the threshold that finds this share of the first.

    Args:
        unlike: [N], scores of what is to be found.
        alike: [M], scores of the others.
        true_positive_rate: share of the first kind that is found, at least; above 0, up to 1.

    Raises:
        UserError: there are no scores of a kind, one is NaN, or the rate is not one.

    Source: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples" (2017).
    """
    check_scores(unlike, alike)
    if not 0 < true_positive_rate <= 1:
        raise UserError(f"true_positive_rate is {true_positive_rate}; allowed: above 0, up to 1")
    found = int(np.ceil(true_positive_rate * len(unlike)))
    threshold = np.sort(unlike)[::-1][found - 1]
    return float(np.mean(alike >= threshold))


def risk_coverage_curve(uncertainty: np.ndarray, is_correct: np.ndarray) -> np.ndarray:
    """Return the risk of the 1, 2, ..., N images with the lowest uncertainty scores.

    The risk is the share of these images that are classified wrongly, and n / N is the coverage. Images with equal
    scores count by their mean, since their order says nothing.

    Args:
        uncertainty: Uncertainty score of each image [N], such as the predictive entropy in nats.
        is_correct: Whether each image is classified correctly [N], booleans.

    Returns:
        Risk at each coverage [N], in 0 .. 1.

    Raises:
        UserError: There are no images, a score is NaN, or the lengths differ.
    """
    check_scores(uncertainty, is_correct)
    if len(uncertainty) != len(is_correct):
        raise UserError(f"{len(uncertainty)} scores of {len(is_correct)} images. Give one score for each image.")
    _, level, sizes = np.unique(uncertainty, return_inverse=True, return_counts=True)
    risk = np.bincount(level, weights=1.0 - np.asarray(is_correct)) / sizes
    return np.cumsum(np.repeat(risk, sizes)) / np.arange(1, len(is_correct) + 1)


def area_under_risk_coverage(uncertainty: np.ndarray, is_correct: np.ndarray) -> float:
    """Return the mean risk over all coverages (AURC), which is lower if high scores stand with the mistakes.

    Args:
        uncertainty: Uncertainty score of each image [N].
        is_correct: Whether each image is classified correctly [N], booleans.

    Returns:
        Area in 0 .. 1. It is 0 if all images are classified correctly.

    Source: Geifman, Uziel, El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers" (2019).
    """
    return float(risk_coverage_curve(uncertainty, is_correct).mean())


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature by which logits are divided for the lowest NLL.

    Args:
        logits: [N, C], finite, of validation images; or logarithms of probabilities.
        labels: [N], integers 0 .. C - 1.

    Raises:
        UserError: a value is not finite, or a label not one of a class.

    Source: Guo et al. (2017), section 4.2.
    """
    from scipy import optimize, special

    check_labelled(logits, labels)
    values = np.asarray(logits, np.float64)

    def loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        return float(-np.mean(_of_labels(special.log_softmax(scaled, 1), labels)))

    found = optimize.minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def _of_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)[np.arange(len(labels)), labels]
