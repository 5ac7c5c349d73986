"""Intervals by leaving out one run at a time: of means they are the usual ones, of ensembles they cover the truth."""

import numpy as np
import pytest
from scipy import special, stats

from jaxdeep.analysis.differences import paired, paired_correct
from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.statistics import mean_over_runs

COUNTS = pytest.mark.parametrize("count", [2, 3, 10])


@COUNTS
def test_of_a_mean_it_is_the_interval_of_a_mean(count: int) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    found, expected = Jackknifed.mean(values), mean_over_runs(values)
    np.testing.assert_allclose(found.with_interval(), expected, rtol=1e-12)
    np.testing.assert_allclose(found.leave_one_out, [np.delete(values, run).mean() for run in range(count)], rtol=1e-12)


@COUNTS
def test_a_difference_of_means_is_judged_as_paired_runs_are(count: int) -> None:
    one, other = np.random.default_rng(count).normal([[1.0], [0.4]], 0.5, (2, count))
    found = (Jackknifed.mean(one) - Jackknifed.mean(other)).against_none()
    np.testing.assert_allclose(found, paired(one, other), rtol=1e-9)
    expected = stats.ttest_rel(one, other)
    ends = expected.confidence_interval(0.95)
    np.testing.assert_allclose((found.low, found.high, found.p_value), (*ends, expected.pvalue), rtol=1e-9)
    assert (found.pairs, found.freedom, found.fixed) == (count, count - 1, 0.0)
    assert found.error == pytest.approx(stats.sem(one - other), rel=1e-9)


@pytest.mark.parametrize(("seeds", "images"), [(2, 40), (5, 300), (10, 6)])
def test_with_images_it_is_the_comparison_of_hits_with_the_rest_in_both_parts(seeds: int, images: int) -> None:
    rng = np.random.default_rng(images)
    hits = rng.random((2, seeds, images)) < rng.random(images) + np.array([0.1, -0.1])[:, None, None]
    one, other = (Jackknifed.mean(of.mean(1)) for of in hits)
    found = (one - other).against_none(hits[0].mean(0) - hits[1].mean(0))
    expected = paired_correct(*hits)
    differences = hits[0].astype(float) - hits[1]
    of_seeds, of_images = stats.sem(differences.mean(1)), stats.sem(differences.mean(0))
    error, most = np.hypot(of_seeds, of_images), min(seeds, images)
    low, high = stats.t.interval(0.95, most - 1, differences.mean(), error)
    p_value = 2 * stats.t.sf(abs(differences.mean()) / error, most - 1)
    np.testing.assert_allclose(
        found, (differences.mean(), low, high, p_value, seeds, error, most - 1, of_images**2), rtol=1e-9
    )
    rest = differences - differences.mean(0) - differences.mean(1)[:, None] + differences.mean()
    twice = np.square(rest).sum() / ((seeds - 1) * (images - 1)) / differences.size
    assert expected.fixed == pytest.approx(max(of_images**2 - twice, 0.0), rel=1e-9)
    assert expected.error**2 == pytest.approx(error**2 - (of_images**2 - expected.fixed), rel=1e-9)
    assert (found.difference, found.freedom) == pytest.approx((expected.difference, expected.freedom))
    assert found.error > expected.error


def test_where_all_runs_are_equal_there_is_no_spread_and_the_images_remain() -> None:
    of_images = np.random.default_rng(0).normal(0.1, 1.0, 50)
    same = Jackknifed.mean(np.full(4, of_images.mean()))
    assert same.against_none()[:4] == (same.estimate, same.estimate, same.estimate, 0.0)
    assert (same - same).against_none()[:4] == (0.0, 0.0, 0.0, 1.0)
    found = same.against_none(of_images)
    half = 3.182446305284263 * of_images.std(ddof=1) / np.sqrt(50)  # Student's quantile at .975, 3 degrees of freedom
    np.testing.assert_allclose(found[1:3], (same.estimate - half, same.estimate + half), rtol=1e-9)


@pytest.mark.parametrize("found", [Jackknifed.mean([0.5]), Jackknifed(0.5, np.empty(0)), Jackknifed(0.5, np.ones(1))])
def test_fewer_than_two_runs_have_no_interval_and_are_not_judged(found: Jackknifed) -> None:
    assert found.with_interval() == (0.5, None, None, None, 1)
    with pytest.raises(ValueError, match="Give 2 or more"):
        found.against_none()


IMAGES, CLASSES = 60, 3


def label_probabilities(rng: np.random.Generator, images: np.ndarray, networks: int) -> np.ndarray:
    """[networks, N], what networks that differ in their noise say of the labels of images [N, C], class 0."""
    return special.softmax(images + 1.5 * rng.normal(size=(networks, *images.shape)), -1)[..., 0]


def nll(probabilities: np.ndarray) -> Jackknifed:
    """Of the ensemble, from its definition."""
    left_out = [-np.log(np.delete(probabilities, one, 0).mean(0)).mean() for one in range(len(probabilities))]
    return Jackknifed(-np.log(probabilities.mean(0)).mean(), np.asarray(left_out))


@pytest.mark.parametrize(("members", "most"), [(3, 1.6), (8, 1.25)])
def test_the_interval_of_an_ensembles_nll_covers_that_of_ensembles_of_other_networks(members: int, most: float) -> None:
    """Efron and Stein: in expectation the jackknife's variance is not below the true one, and little above it."""
    rng, trials = np.random.default_rng(members), 800
    images = rng.normal([0.5, 0, 0], 1, (IMAGES, CLASSES))
    found = [nll(label_probabilities(rng, images, members)) for _ in range(trials)]
    wholes = np.asarray([of.estimate for of in found])
    estimates = [of.with_interval() for of in found]
    covered = np.mean([low <= wholes.mean() <= high for _, _, low, high, _ in estimates])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials) < covered < 0.98  # 0.955 and 0.951
    assert 0.95 < np.mean([of.per_run for of in found]) / members / wholes.var() < most  # 1.35 and 1.06


def test_with_images_the_gain_of_an_ensemble_is_covered_for_other_networks_and_other_images() -> None:
    rng, trials = np.random.default_rng(0), 200
    gains, with_images = [], []
    for _ in range(trials):
        images = rng.normal([0.5, 0, 0], rng.exponential(3, (IMAGES, 1)), (IMAGES, CLASSES))
        probabilities = label_probabilities(rng, images, 8)
        gains.append(nll(probabilities) - Jackknifed.mean(-np.log(probabilities).mean(1)))
        with_images.append(gains[-1].against_none(-np.log(probabilities.mean(0)) + np.log(probabilities).mean(0)))
    truth = np.mean([of.estimate for of in gains])
    covered = np.mean([of.low <= truth <= of.high for of in with_images])
    over_networks = np.mean([low <= truth <= high for _, _, low, high, _ in (of.with_interval() for of in gains)])
    assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    assert over_networks < 0.9  # 0.785, and with images 0.985
