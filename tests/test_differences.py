"""Differences against scipy, analysis of variance, and draws from populations whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from jaxdeep.analysis.differences import Difference, by_fold, independent, paired, paired_correct, paired_scores
from jaxdeep.analysis.statistics import mean_over_runs


@pytest.mark.parametrize("count", [2, 5, 30])
def test_a_paired_comparison_is_the_t_test_of_related_samples(count) -> None:
    rng = np.random.default_rng(count)
    shared = rng.normal(0, 5, count)
    first, second = (shared + rng.normal(mean, 1, count) for mean in (0.5, 0))
    expected = stats.ttest_rel(first, second)
    ends = expected.confidence_interval(0.95)
    found = paired(first, second)
    reference = (np.mean(first - second), ends.low, ends.high, expected.pvalue, count)
    np.testing.assert_allclose(found[:5], reference, rtol=1e-10)
    turned = paired(second, first)
    np.testing.assert_allclose(turned[:5], (-reference[0], -ends.high, -ends.low, *reference[3:]), rtol=1e-10)
    assert turned[5:] == found[5:]

    wider = paired(first, second, overlap=0.25)
    np.testing.assert_allclose(wider.high - wider.low, np.sqrt(1 + 0.25 * count) * np.ptp(ends), rtol=1e-10)
    smaller = expected.statistic / np.sqrt(1 + 0.25 * count)
    np.testing.assert_allclose(wider.p_value, 2 * stats.t.sf(abs(smaller), count - 1), rtol=1e-10)
    np.testing.assert_allclose(wider.fixed, 0.25 * np.var(first - second, ddof=1), rtol=1e-10)


@pytest.mark.parametrize(("first_count", "second_count"), [(2, 2), (3, 10), (10, 5)])
def test_independent_runs_are_compared_as_by_welch(first_count: int, second_count: int) -> None:
    rng = np.random.default_rng(first_count)
    first, second = rng.normal(0.5, 1, first_count), rng.normal(0, 3, second_count)
    expected = stats.ttest_ind(first, second, equal_var=False)
    ends = expected.confidence_interval(0.95)
    reference = (first.mean() - second.mean(), ends.low, ends.high, expected.pvalue, min(first_count, second_count))
    np.testing.assert_allclose(independent(first, second)[:5], reference, rtol=1e-9)
    assert independent(first, second).fixed == 0


def by_analysis_of_variance(first: np.ndarray, second: np.ndarray) -> tuple[list[float], float]:
    """`paired_correct` by way of the mean squares of a two-way analysis of variance, and its part of the images.

    The variance components are (MS_seeds - MS_rest) / N, (MS_images - MS_rest) / S and MS_rest. The variance of the
    mean is their sum over S, N and S x N, which is (MS_seeds + MS_images - MS_rest) / (S x N).
    """
    d = first.astype(float) - second
    seeds, images = d.shape
    of_seeds, of_images = d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    squares_of_seeds = images * np.sum((of_seeds - d.mean()) ** 2) / (seeds - 1)
    squares_of_images = seeds * np.sum((of_images - d.mean()) ** 2) / (images - 1)
    squares_of_rest = np.sum((d - of_seeds - of_images + d.mean()) ** 2) / (seeds - 1) / (images - 1)
    of_images_alone = max(squares_of_images - squares_of_rest, 0) / d.size
    error = (squares_of_seeds / d.size + of_images_alone) ** 0.5
    freedom = min(seeds, images) - 1
    half = stats.t.ppf(0.975, freedom) * error
    p_value = 2 * stats.t.sf(abs(d.mean()) / error, freedom)
    return [d.mean(), d.mean() - half, d.mean() + half, p_value, seeds, error, freedom], of_images_alone


def drawn_hits(
    rng: np.random.Generator, seeds: int, images: int, *, ahead: float, of_seed: float, of_image: float
) -> tuple[list[np.ndarray], float]:
    """Correct images of two configurations and the true difference of their accuracies, over all seeds and images.

    An image is classified correctly where a normal variable is above 0: the sum of what the configuration is ahead, of
    parts that are the seed's and the configuration's, the image's, the image's and the configuration's, and of noise.

    Args:
        rng: Generator to draw from.
        seeds: S.
        images: N.
        ahead: By how much the first configuration is better.
        of_seed: Standard deviation of the seed's part.
        of_image: Standard deviation of the image's and the configuration's part.
    """
    difficulty = rng.normal(0, 1, (1, images))
    correct, true = [], []
    for mean in (ahead, 0.0):
        parts = rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, of_image, (1, images)) + difficulty
        correct.append(mean + parts + rng.normal(size=(seeds, images)) > 0)
        true.append(stats.norm.cdf(mean / np.sqrt(1 + 1 + of_seed**2 + of_image**2)))
    return correct, float(true[0] - true[1])


@pytest.mark.parametrize(
    ("seeds", "images", "ahead", "of_seed", "of_image"),
    [
        (5, 400, 0.2, 0.1, 0.5),
        (2, 50, 0.5, 0.0, 1.0),
        (8, 30, 0.1, 0.3, 0.0),
        (3, 2, 1.0, 0.5, 0.5),
        (4, 100, 0.0, 0.1, 0.1),
    ],
)
def test_correct_images_are_compared_by_both_variances(seeds, images, ahead, of_seed, of_image) -> None:
    rng = np.random.default_rng(seeds + images)
    correct, _ = drawn_hits(rng, seeds, images, ahead=ahead, of_seed=of_seed, of_image=of_image)
    found, (expected, of_images_alone) = paired_correct(*correct), by_analysis_of_variance(*correct)
    np.testing.assert_allclose(found[:7], expected, rtol=1e-9)
    np.testing.assert_allclose(found.fixed, of_images_alone, rtol=1e-9, atol=1e-15)


def test_equal_seeds_leave_the_error_over_images_known_as_by_the_seeds() -> None:
    first, second = np.random.default_rng(0).random((2, 300)) < [[0.6], [0.5]]
    expected = stats.ttest_rel(first.astype(float), second.astype(float))
    found = paired_correct(np.tile(first, (4, 1)), np.tile(second, (4, 1)))
    error = found.difference / expected.statistic
    np.testing.assert_allclose(found[1:3], stats.t.interval(0.95, 3, found.difference, error), rtol=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(expected.statistic, 3))


def test_images_that_are_correct_equally_often_leave_the_t_test_over_seeds() -> None:
    first = np.zeros((4, 60), bool)
    first[0] = first[3, :20] = first[1, 20:40] = first[2, 40:] = True  # each image by two seeds
    first[0, :5], first[1, :5] = False, True
    expected = stats.ttest_1samp(first.mean(1), 0)
    found = paired_correct(first, np.zeros_like(first))
    np.testing.assert_allclose(found[1:4], (*expected.confidence_interval(0.95), expected.pvalue), rtol=1e-9)
    assert found.fixed == 0


def test_the_pairing_is_over_images_and_not_over_seeds() -> None:
    """Seeds in another order leave the width of the interval as it is. Images in another order ruin it."""
    rng = np.random.default_rng(3)
    (first, second), _ = drawn_hits(rng, 10, 2_000, ahead=0.1, of_seed=0.0, of_image=0.3)
    width = {
        "as they are": np.ptp(paired_correct(first, second)[1:3]),
        "other seeds": np.mean([np.ptp(paired_correct(first, second[rng.permutation(10)])[1:3]) for _ in range(50)]),
        "other images": np.ptp(paired_correct(first, second[:, rng.permutation(2_000)])[1:3]),
    }
    assert width["other seeds"] == pytest.approx(width["as they are"], rel=0.1)
    assert width["other images"] > 1.2 * width["as they are"]


def test_no_difference_and_one_without_spread_are_told_apart() -> None:
    correct = np.random.default_rng(0).random((3, 20)) < 0.5
    for found in (paired_correct(correct, correct), paired([0.5, 0.25], [0.5, 0.25])):
        assert found[:5] == (0.0, 0.0, 0.0, 1.0, found.pairs)
        assert found.is_identity
    for found in (
        paired([0.75, 0.5], [0.5, 0.25]),
        paired_scores(np.full((2, 5), 0.25)),
        independent([0.5] * 2, [0.25] * 2),
    ):
        assert found[:5] == (0.25, 0.25, 0.25, 0.0, 2)
        assert not found.is_identity
    assert not paired([0.5, 0.25], [0.25, 0.5]).is_identity  # no difference, but a spread


def test_of_folds_with_several_seeds_the_folds_count() -> None:
    """Ten seeds a fold do not make an interval narrower than the folds allow."""
    rng, trials, covered = np.random.default_rng(0), 1_000, {"of folds": 0, "of all runs": 0}
    folds, seeds, shared = 5, 4, 1 / 5
    index = np.repeat(np.arange(folds), seeds)
    for _ in range(trials):
        of_fold = shared**0.5 * rng.normal() + (1 - shared) ** 0.5 * rng.normal(size=folds)
        values = np.repeat(of_fold, seeds) + rng.normal(0, 0.3, folds * seeds)
        of_folds = by_fold(index.tolist(), values.tolist())
        for name, found in {
            "of folds": paired(of_folds, [0.0] * folds, 1 / (folds - 1)),
            "of all runs": paired(values.tolist(), [0.0] * len(values), 1 / (folds - 1)),
        }.items():
            covered[name] += found.low <= 0 <= found.high
    error = np.sqrt(0.95 * 0.05 / trials)
    assert abs(covered["of folds"] / trials - 0.95) < 3 * error
    assert covered["of all runs"] / trials < 0.9


@pytest.mark.parametrize(
    ("seeds", "of_seed"), [(2, 0.0), (2, 0.1), (3, 0.03), (5, 0.0), (5, 0.1), (10, 0.03), (10, 0.1)]
)
def test_its_interval_covers_the_true_difference_for_other_seeds_and_images(seeds: int, of_seed: float) -> None:
    """From .955 to 1, rather too often: the degrees of freedom follow the seeds, however small their part."""
    trials, rng, covered = 400, np.random.default_rng(seeds), 0
    for _ in range(trials):
        correct, true = drawn_hits(rng, seeds, 300, ahead=0.2, of_seed=of_seed, of_image=0.5)
        found = paired_correct(*correct)
        covered += found.low <= true <= found.high
    assert covered / trials > 0.95 - 3 * np.sqrt(0.05 * 0.95 / trials)


def test_the_rest_is_counted_once() -> None:
    """Counted in both variances, as version 0.1 did, it makes ten seeds' intervals wider by a fifth without need."""
    trials, rng = 300, np.random.default_rng(0)
    widths, covered = [], 0
    for _ in range(trials):
        correct, true = drawn_hits(rng, 10, 400, ahead=0.2, of_seed=0.0, of_image=0.5)
        d = correct[0].astype(float) - correct[1]
        twice = stats.t.ppf(0.975, 9) * np.sqrt(d.mean(1).var(ddof=1) / 10 + d.mean(0).var(ddof=1) / 400)
        found = paired_correct(*correct)
        widths.append((found.high - found.low) / 2 / twice)
        covered += found.low <= true <= found.high
    assert 0.8 < np.mean(widths) < 0.87  # a sixth smaller: 0.83
    assert covered / trials > 0.95


def test_intervals_over_seeds_or_over_images_alone_cover_too_rarely() -> None:
    trials, rng = 600, np.random.default_rng(0)
    covered = {"paired_correct": 0, "over seeds": 0, "over images": 0}
    for _ in range(trials):
        correct, true = drawn_hits(rng, 10, 200, ahead=0.2, of_seed=0.25, of_image=1.2)
        d = correct[0].astype(float) - correct[1]
        ends = {
            "paired_correct": paired_correct(*correct)[1:3],
            "over seeds": paired(*(of.mean(1) for of in correct))[1:3],
            "over images": mean_over_runs(d.mean(0).tolist())[2:4],
        }
        for name, (low, high) in ends.items():
            covered[name] += low <= true <= high
    assert 0.94 < covered["paired_correct"] / trials < 0.99
    assert covered["over seeds"] / trials < 0.88
    assert covered["over images"] / trials < 0.9


@pytest.mark.parametrize(
    ("compare", "shapes"),
    [
        (paired, [(1,), (1,)]),
        (paired, [(3,), (1,)]),
        (paired, [(2,), (3,)]),
        (independent, [(1,), (5,)]),
        (independent, [(5,), (0,)]),
        (paired_correct, [(1, 9), (1, 9)]),
        (paired_correct, [(9, 1), (9, 1)]),
        (paired_correct, [(3, 9), (3, 8)]),
        (paired_correct, [(3, 9), (1, 9)]),
        (paired_correct, [(9,), (9,)]),
    ],
)
def test_runs_that_do_not_match_are_refused(compare, shapes) -> None:
    with pytest.raises(ValueError, match=r"Give .*2 or more"):
        compare(*(np.ones(shape, bool) for shape in shapes))


def test_a_difference_turned_round_has_the_other_sign() -> None:
    (first, second), _ = drawn_hits(np.random.default_rng(1), 4, 50, ahead=0.3, of_seed=0.1, of_image=0.3)
    forwards, backwards = paired_correct(first, second), paired_correct(second, first)
    ends = (-forwards.difference, -forwards.high, -forwards.low)
    expected = Difference(*ends, *(getattr(forwards, name) for name in Difference._fields[3:]))
    np.testing.assert_allclose(backwards, expected, rtol=1e-12)
