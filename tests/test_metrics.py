"""The metrics of class probabilities, against scikit-learn and plain loops from their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from jaxdeep.analysis import calibration, metrics
from jaxdeep.errors import UserError

CLASSES = 5
rng = np.random.default_rng(0)


def drawn(images: int = 400, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that know something of their labels."""
    labels = rng.integers(0, CLASSES, images)
    logits = rng.normal(size=(images, CLASSES)) + sharpness * np.eye(CLASSES)[labels]
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(1, keepdims=True), labels


PROBABILITIES, LABELS = drawn()


def test_proper_scores_are_scikit_learns() -> None:
    found = metrics.log_losses(PROBABILITIES, LABELS)
    assert found.mean() == pytest.approx(reference.log_loss(LABELS, PROBABILITIES), rel=1e-12)
    one_hot = np.eye(CLASSES)[LABELS]
    expected = sum(reference.brier_score_loss(one_hot[:, c], PROBABILITIES[:, c]) for c in range(CLASSES))
    assert metrics.brier_scores(PROBABILITIES, LABELS).mean() == pytest.approx(expected, rel=1e-12)
    expected = reference.accuracy_score(LABELS, PROBABILITIES.argmax(1))
    assert metrics.correct(PROBABILITIES, LABELS).mean() == pytest.approx(expected)


def test_an_impossible_label_costs_much_and_not_infinity() -> None:
    assert metrics.log_losses(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(metrics.SMALLEST))


@pytest.mark.parametrize("equal_mass", [False, True])
@pytest.mark.parametrize("bins", [1, 7, 15])
def test_calibration_is_what_a_loop_over_bins_finds(bins: int, equal_mass: bool) -> None:
    found = calibration.calibration(PROBABILITIES, LABELS, bins, equal_mass=equal_mass)
    confidence, right = PROBABILITIES.max(1), PROBABILITIES.argmax(1) == LABELS
    if equal_mass:
        order = np.argsort(confidence)
        groups = [order[np.arange(len(order)) * bins // len(order) == index] for index in range(bins)]
    else:
        edges = np.linspace(0, 1, bins + 1)
        groups = [np.flatnonzero((confidence > a) & (confidence <= b)) for a, b in itertools.pairwise(edges)]
    error = 0.0
    for index, group in enumerate(groups):
        assert found.counts[index] == len(group)
        if len(group):
            assert found.confidence[index] == pytest.approx(confidence[group].mean())
            assert found.accuracy[index] == pytest.approx(right[group].mean())
            error += len(group) / len(LABELS) * abs(confidence[group].mean() - right[group].mean())
        else:
            assert np.isnan(found.confidence[index])
    assert found.error == pytest.approx(error)


def test_the_error_of_calibrated_probabilities_vanishes_and_that_of_sharpened_ones_does_not() -> None:
    probabilities = rng.dirichlet(np.ones(CLASSES), 200_000)
    labels = (rng.random(len(probabilities))[:, None] > probabilities.cumsum(1)).sum(1)
    assert calibration.calibration(probabilities, labels).error < 0.01
    sharper = probabilities**3 / (probabilities**3).sum(1, keepdims=True)
    assert calibration.calibration(sharper, labels).error > 0.1


CONFIDENCES = {
    "evenly spread": lambda rng, count: rng.dirichlet(np.ones(CLASSES), count),
    "certain": lambda rng, count: rng.dirichlet(np.full(CLASSES, 0.05), count),
    "all alike": lambda _, count: np.tile([0.6, 0.1, 0.1, 0.1, 0.1], (count, 1)),
    "two groups": lambda _, count: np.array([[0.95, 0.05], [0.55, 0.45]])[np.arange(count) % 2],
}


def errors_if_calibrated(
    probabilities: np.ndarray, bins: int, draws: int, *, equal_mass: bool, rng: np.random.Generator
) -> np.ndarray:
    """The calibration errors of sets of images. Each image is correct with its stated probability."""
    confidence = probabilities.max(1)
    right = rng.random((draws, len(confidence))) < confidence
    if equal_mass:
        order = np.argsort(confidence, kind="stable")
        groups = [order[np.arange(len(order)) * bins // len(order) == index] for index in range(bins)]
    else:
        edges = np.linspace(0, 1, bins + 1)
        groups = [np.flatnonzero((confidence > a) & (confidence <= b)) for a, b in itertools.pairwise(edges)]
    gaps = [np.abs((right[:, group] - confidence[group]).sum(1)) for group in groups]
    return np.sum(gaps, 0) / len(confidence)


@pytest.mark.parametrize("equal_mass", [False, True])
@pytest.mark.parametrize("kind", CONFIDENCES)
def test_the_noise_floor_is_the_error_of_images_that_are_right_as_often_as_is_said(kind: str, equal_mass: bool) -> None:
    own = np.random.default_rng(5)
    probabilities, draws = CONFIDENCES[kind](own, 2_000), 4_000
    found = calibration.calibration_noise_floor(probabilities, equal_mass=equal_mass)
    errors = errors_if_calibrated(probabilities, 15, draws, equal_mass=equal_mass, rng=own)
    noise = 4 * errors.std() * np.hypot(draws**-0.5, calibration.NOISE_DRAWS**-0.5)  # of both means
    assert found.mean == pytest.approx(errors.mean(), abs=noise + 0.005 * errors.mean())  # the normal approximation
    above = np.mean(errors > found.high)
    assert above == pytest.approx(0.05, abs=4 * np.hypot((0.05 * 0.95 / draws) ** 0.5, (0.05 * 0.95 / 10_000) ** 0.5))


@pytest.mark.parametrize("equal_mass", [False, True])
def test_the_simulated_errors_are_those_that_are_reported(equal_mass: bool) -> None:
    """With labels that are drawn: the first class, the most probable one, or another."""
    own = np.random.default_rng(3)
    probabilities = np.sort(own.dirichlet(np.ones(CLASSES), 300))[:, ::-1]
    right = np.random.default_rng(4).random((1, 300)) < probabilities[:, 0]
    (expected,) = errors_if_calibrated(probabilities, 15, 1, equal_mass=equal_mass, rng=np.random.default_rng(4))
    found = calibration.calibration(probabilities, np.where(right[0], 0, 1), equal_mass=equal_mass)
    assert found.error == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("equal_mass", [False, True])
@pytest.mark.parametrize("kind", CONFIDENCES)
def test_the_noise_floor_falls_with_the_number_of_images_as_its_root_and_rises_with_that_of_bins(
    kind: str, equal_mass: bool
) -> None:
    few = CONFIDENCES[kind](np.random.default_rng(6), 600)
    floors = [calibration.calibration_noise_floor(np.tile(few, (n, 1)), equal_mass=equal_mass) for n in (1, 4, 16, 64)]
    assert all(0 < of.mean < of.high < 1 for of in floors)
    for fewer, more in itertools.pairwise(floors):
        near = 0.02 if equal_mass else 1e-9  # bins of equal mass divide equal confidences anew
        assert (more.mean, more.high) == pytest.approx((fewer.mean / 2, fewer.high / 2), rel=near)
    by_bins = [calibration.calibration_noise_floor(few, bins, equal_mass=True).mean for bins in (1, 5, 15, 60)]
    assert by_bins == sorted(by_bins)
    assert by_bins[0] == pytest.approx(  # the mean of |z| of a binomial share
        np.sqrt(2 / np.pi * (few.max(1) * (1 - few.max(1))).sum()) / len(few), rel=0.03
    )


def test_of_certain_probabilities_the_noise_floor_is_zero() -> None:
    found = calibration.calibration_noise_floor(np.eye(CLASSES)[LABELS])
    assert (found.mean, found.high) == (0.0, 0.0)


scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30).map(np.array)


@given(scores, scores)
def test_auroc_is_scikit_learns_ties_included(unlike: np.ndarray, alike: np.ndarray) -> None:
    truth = np.repeat([1, 0], [len(unlike), len(alike)])
    expected = reference.roc_auc_score(truth, np.concatenate([unlike, alike]))
    assert metrics.auroc(unlike, alike) == pytest.approx(expected, abs=1e-12)


@given(scores, scores)
def test_the_false_positive_rate_is_the_lowest_at_which_enough_is_found(unlike, alike) -> None:
    truth = np.repeat([1, 0], [len(unlike), len(alike)])
    false, true, _ = reference.roc_curve(truth, np.concatenate([unlike, alike]), drop_intermediate=False)
    assert metrics.false_positive_rate(unlike, alike) == pytest.approx(false[true >= 0.95 - 1e-12].min())


def test_risk_rises_with_coverage_and_equal_scores_count_by_their_mean() -> None:
    doubt, right = np.array([0.1, 0.4, 0.4, 0.9]), np.array([True, True, False, False])
    np.testing.assert_allclose(1 - metrics.risk_coverage_curve(doubt, right), [1, 1.5 / 2, 2 / 3, 2 / 4])
    assert metrics.area_under_risk_coverage(doubt, right) == pytest.approx(1 - np.mean([1, 0.75, 2 / 3, 0.5]))


@given(st.permutations(range(40)))
def test_the_risk_coverage_curve_does_not_depend_on_the_order_of_the_images(order: list[int]) -> None:
    doubt, right = np.arange(40) // 4 / 10.0, np.arange(40) % 3 == 0
    shuffled = metrics.risk_coverage_curve(doubt[order], right[order])
    np.testing.assert_allclose(shuffled, metrics.risk_coverage_curve(doubt, right))
    assert shuffled[-1] == pytest.approx(1 - right.mean())


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_the_temperature_that_sharpened_logits_is_found(true: float) -> None:
    probabilities = rng.dirichlet(np.ones(CLASSES), 100_000)
    labels = (rng.random(len(probabilities))[:, None] > probabilities.cumsum(1)).sum(1)
    assert calibration.temperature(true * np.log(probabilities), labels) == pytest.approx(true, rel=0.02)


BY_LABEL = {
    "log_losses": metrics.log_losses,
    "brier_scores": metrics.brier_scores,
    "correct": metrics.correct,
    "calibration": calibration.calibration,
    "temperature": calibration.temperature,
}
OF_PROBABILITIES = ("log_losses", "brier_scores", "calibration")


def with_first(values: np.ndarray, first: float) -> np.ndarray:
    changed = values.copy()
    changed[0] = first
    return changed


UNLABELLED = {
    "labels of no class": (
        PROBABILITIES,
        with_first(LABELS, CLASSES),
        "1 of 400 labels .* 5 in row 0. Give labels from 0 to 4",
    ),
    "labels from -1": (PROBABILITIES, with_first(LABELS, -1), "1 of 400 labels .* -1 in row 0"),
    "labels as fractions": (PROBABILITIES, LABELS + 0.5, "labels are float64. Give integers"),
    "fewer labels": (PROBABILITIES, LABELS[:-1], r"\(400, 5\) and labels the shape \(399,\)"),
    "a column of labels": (PROBABILITIES, LABELS[:, None], r"labels the shape \(400, 1\)"),
    "one-hot labels": (PROBABILITIES, np.eye(CLASSES, dtype=int)[LABELS], r"labels the shape \(400, 5\)"),
    "no images": (PROBABILITIES[:0], LABELS[:0], r"shape \(0, 5\)"),
    "one row": (PROBABILITIES[0], LABELS[:1], r"shape \(5,\)"),
    "nan": (with_first(PROBABILITIES, np.nan), LABELS, "1 of 400 rows of scores are not finite"),
    "infinite": (with_first(PROBABILITIES, -np.inf), LABELS, "1 of 400 rows of scores are not finite"),
    "text": (PROBABILITIES.astype(str), LABELS, "Give real numbers"),
}
IMPROBABLE = {
    "logits": np.log(PROBABILITIES),
    "percent": 100 * PROBABILITIES,
    "a row of ones": with_first(PROBABILITIES, 1),
}


@pytest.mark.parametrize("metric", BY_LABEL)
@pytest.mark.parametrize("name", UNLABELLED)
def test_scores_and_labels_that_do_not_belong_together_have_no_figure(metric: str, name: str) -> None:
    probabilities, labels, message = UNLABELLED[name]
    with pytest.raises(UserError, match=message):
        BY_LABEL[metric](probabilities, labels)


@pytest.mark.parametrize("metric", OF_PROBABILITIES)
@pytest.mark.parametrize("name", IMPROBABLE)
def test_rows_that_are_not_probabilities_have_no_proper_score(metric: str, name: str) -> None:
    with pytest.raises(UserError, match="rows are negative or do not sum to 1, the first of them row 0"):
        BY_LABEL[metric](IMPROBABLE[name], LABELS)


@pytest.mark.parametrize("bins", [0, -1, 2.5])
def test_a_calibration_needs_bins(bins: int) -> None:
    with pytest.raises(UserError, match=rf"bins is {bins}\. Give an integer, 1 or more"):
        calibration.calibration(PROBABILITIES, LABELS, bins)


SCORES = np.array([0.1, 0.5, 0.9])


@pytest.mark.parametrize("bad", [np.array([0.1, np.nan, 0.9]), SCORES[:0], SCORES[:, None], SCORES.astype(str)])
@pytest.mark.parametrize("metric", [metrics.auroc, metrics.false_positive_rate, metrics.risk_coverage_curve])
def test_scores_without_an_order_have_no_figure(metric, bad: np.ndarray) -> None:
    for scores in ((bad, SCORES), (SCORES, bad)):
        with pytest.raises(UserError, match="scores"):
            metric(*scores)


@pytest.mark.parametrize("rate", [0.0, -0.5, 1.01, np.nan])
def test_a_share_that_cannot_be_found_is_refused(rate: float) -> None:
    with pytest.raises(UserError, match="Give a rate above 0, up to 1"):
        metrics.false_positive_rate(SCORES, SCORES, rate)


def test_a_curve_needs_a_score_of_each_image() -> None:
    with pytest.raises(UserError, match="3 scores of 2 images"):
        metrics.risk_coverage_curve(SCORES, np.array([True, False]))
