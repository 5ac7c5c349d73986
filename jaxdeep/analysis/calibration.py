"""Calibration: reliability diagrams, the expected calibration error, its noise floor and temperature scaling.

All functions run on the host in NumPy. They take probabilities [N, C] of N images in C classes and labels [N].
"""

from numbers import Integral
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.analysis.metric_checks import check_labelled, check_probabilities
from jaxdeep.analysis.metrics import correct
from jaxdeep.errors import UserError
from jaxdeep.train.answers import temperature_of

BINS: Final = 15
"""Default number of bins of a reliability diagram."""
NOISE_DRAWS: Final = 10_000
"""Number of sets of images that are drawn for a noise floor."""


class Bins(NamedTuple):
    """Images grouped by the probability of their most probable class.

    Attributes:
        confidence: Mean of that probability in each bin [B] in 0 .. 1. NaN in an empty bin.
        accuracy: Share of correctly classified images in each bin [B] in 0 .. 1. NaN in an empty bin.
        counts: Number of images in each bin [B].
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """Return the expected calibration error in 0 .. 1.

        It is the mean of |accuracy - confidence| over bins, weighted by their numbers of images.
        """
        gaps = np.where(self.counts > 0, np.abs(self.accuracy - self.confidence), 0.0)
        return float((gaps * self.counts).sum() / self.counts.sum())


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS, *, equal_mass: bool = False) -> Bins:
    """Return what a reliability diagram shows: confidence and accuracy by bin.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        labels: Integer labels [N] in 0 .. C - 1.
        bins: Number of bins B of at least 1.
        equal_mass: Whether each bin holds the same number of images. By default bins have equal width on [0, 1].

    Returns:
        Mean confidence, accuracy and number of images of each bin [B].

    Raises:
        UserError: A row is not a distribution over classes, a label is out of range or there is no bin.

    Source: Guo et al., "On calibration of modern neural networks" (2017), section 2.
    """
    check_probabilities(probabilities, labels)
    if not isinstance(bins, Integral) or bins < 1:
        raise UserError(f"bins is {bins!r}. Give an integer, 1 or more.")
    confidence, is_correct = probabilities.max(1).astype(np.float64), correct(probabilities, labels)
    index = _bins_of(confidence, bins, equal_mass=equal_mass)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, accuracy = (
            np.bincount(index, weights=values, minlength=bins) / counts for values in (confidence, is_correct)
        )
    return Bins(mean, accuracy, counts)


class NoiseFloor(NamedTuple):
    """The calibration error that chance alone gives a perfectly calibrated predictor.

    Attributes:
        mean: Mean of the calibration error over sets of images, in 0 .. 1.
        high: Error that 95% of the sets of images stay below, in 0 .. 1.
    """

    mean: float
    high: float


def calibration_noise_floor(probabilities: np.ndarray, bins: int = BINS, *, equal_mass: bool = False) -> NoiseFloor:
    """Return the calibration error of a predictor whose probabilities are true.

    Each image is then classified correctly with the probability of its most probable class. The number of correct
    images in a bin differs from its expectation by chance, and the error is a sum of absolute values. So it is above 0
    on any finite set of images. The number in a bin is drawn from the normal distribution with its variance.

    Args:
        probabilities: Class probabilities [N, C]. Each row sums to 1.
        bins: Number of bins B of at least 1.
        equal_mass: Whether each bin holds the same number of images. By default bins have equal width on [0, 1].

    Returns:
        Mean of the error and its 95% quantile over sets of N images with these probabilities.

    Source: Roelofs et al., "Mitigating bias in calibration error estimation" (2022), for the bias of the error.

    >>> floor = calibration_noise_floor(np.full((10_000, 2), 0.5), bins=1)
    >>> round(floor.mean, 4), round(floor.high, 4)
    (0.004, 0.0098)
    """
    confidence = np.asarray(probabilities).max(1).astype(np.float64)
    index = _bins_of(confidence, bins, equal_mass=equal_mass)
    spread = np.sqrt(np.bincount(index, weights=confidence * (1 - confidence), minlength=bins))
    draws = np.random.default_rng(0).normal(size=(NOISE_DRAWS, bins))
    errors = np.abs(draws * spread).sum(1) / len(confidence)
    return NoiseFloor(float(errors.mean()), float(np.quantile(errors, 0.95)))


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that gives the lowest NLL when logits are divided by it.

    Args:
        logits: Finite logits [N, C] of validation images. Logarithms of probabilities serve too.
        labels: Integer labels [N] in 0 .. C - 1.

    Returns:
        Temperature in exp(-4) .. exp(4).

    Raises:
        UserError: A value is not finite or a label is out of range.

    Source: Guo et al. (2017), section 4.2.
    """
    check_labelled(logits, labels)
    return temperature_of(logits, np.asarray(labels))


def _bins_of(confidence: np.ndarray, bins: int, *, equal_mass: bool) -> np.ndarray:
    """Return the index of each image's bin [N]."""
    if not equal_mass:
        return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # (0, 1/B], (1/B, 2/B], ...
    index = np.empty(len(confidence), np.int64)
    index[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    return index
