"""Intervals and verdicts against scipy, their textbook formulas, and draws from populations whose truth is known."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxdeep.analysis.statistics import (
    MOST_PAIRS,
    accuracy_interval,
    bootstrap_interval,
    holm,
    mean_over_runs,
    paired,
    paired_correct,
)


def spread_values(mean: float, std: float, count: int) -> np.ndarray:
    """Values of exactly this mean and standard deviation."""
    draws = np.random.default_rng(count).normal(size=count)
    return mean + std * (draws - draws.mean()) / draws.std(ddof=1)


def test_the_interval_of_three_runs_is_student_s() -> None:
    estimate = mean_over_runs([1.0, 2.0, 4.0])
    mean, std = 7 / 3, np.std([1, 2, 4], ddof=1)
    quantile = 0.95 * np.sqrt(2 / (1 - 0.95**2))  # of Student's t with 2 degrees of freedom, at .975
    half = quantile * std / np.sqrt(3)
    np.testing.assert_allclose(estimate[:4], (mean, std, mean - half, mean + half), rtol=1e-12)


def test_it_covers_the_true_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2_000, 5))
    covered = [low <= 3.0 <= high for _, _, low, high, _ in map(mean_over_runs, draws)]
    assert abs(np.mean(covered) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2_000)


def test_one_run_has_a_mean_and_no_interval() -> None:
    assert mean_over_runs([2.5]) == (2.5, None, None, None, 1)


def test_diverged_runs_do_not_count() -> None:
    assert mean_over_runs([1.0, float("nan"), 3.0])[::4] == (2.0, 2)
    assert mean_over_runs([float("nan")]).mean is None


def test_the_interval_of_an_accuracy_is_wilson_s() -> None:
    p, n, z = 0.48, 5_000, 1.959963984540054  # the normal quantile at .975
    centre, half = (
        (p + z**2 / (2 * n)) / (1 + z**2 / n),
        z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)),
    )
    np.testing.assert_allclose(accuracy_interval(p, n), (centre - half, centre + half), rtol=1e-9)


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_the_interval_of_a_mean_is_scipy_s(count) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    expected = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    np.testing.assert_allclose(mean_over_runs([*values, np.inf])[2:4], expected, rtol=1e-12)


def test_with_an_overlap_it_covers_the_true_mean_of_runs_that_share_it_as_often_as_it_says() -> None:
    folds, trials = 5, 2_000
    shared = 1 / folds  # the correlation that Nadeau and Bengio assume: validation rows over all rows
    rng = np.random.default_rng(0)
    draws = shared**0.5 * rng.normal(size=(trials, 1)) + (1 - shared) ** 0.5 * rng.normal(size=(trials, folds))
    overlap = 1 / (folds - 1)
    corrected, naive = (
        np.mean([low <= 0 <= high for _, _, low, high, _ in (mean_over_runs(draw, of) for draw in draws)])
        for of in (overlap, 0.0)
    )
    assert abs(corrected - 0.95) < 3 * np.sqrt(0.95 * 0.05 / trials)
    assert naive < 0.88
    for draw in draws[:5]:
        of_pairs, of_differences = paired(draw + 1, np.ones(folds), overlap), mean_over_runs(draw, overlap)
        np.testing.assert_allclose(of_pairs[1:3], of_differences[2:4], rtol=1e-9)


def bias_corrected_and_accelerated(values: np.ndarray, resamples: int = 100_000) -> np.ndarray:
    """Efron's BCa interval of a mean, from its definition."""
    rng = np.random.default_rng(1)
    means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(1)
    bias = stats.norm.ppf(np.mean(means < values.mean()))
    left_out = (values.sum() - values) / (len(values) - 1)
    off = left_out.mean() - left_out
    acceleration = np.sum(off**3) / (6 * np.sum(off**2) ** 1.5)
    ends = bias + stats.norm.ppf([0.025, 0.975])
    return np.quantile(means, stats.norm.cdf(bias + ends / (1 - acceleration * ends)))


@pytest.mark.parametrize("kind", ["normal", "exponential"])
def test_the_bootstrap_is_bias_corrected_and_accelerated(kind) -> None:
    values = getattr(np.random.default_rng(2), kind)(size=30)
    found = np.asarray(bootstrap_interval([*values, np.nan]))
    of_t = np.asarray(mean_over_runs(values)[2:4])
    width = np.ptp(of_t)
    np.testing.assert_allclose(found, bias_corrected_and_accelerated(values), atol=0.04 * width)  # 0.019
    if kind == "normal":
        np.testing.assert_allclose(found, of_t, atol=0.06 * width)  # 0.034
    else:
        assert ((found - of_t) / width > 0.05).all()  # a long tail to the right: 0.074
    assert bootstrap_interval(values) == bootstrap_interval(values)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan], [0.3] * 4, [0.3, 0.3, np.nextafter(0.3, 1)]])
def test_values_that_are_equal_or_alone_have_no_bootstrap(values) -> None:
    assert bootstrap_interval(values) is None


@pytest.mark.parametrize("values", [[0, 1], [5, 5, 6], [0.3, 0.3, float(np.nextafter(np.float32(0.3), np.float32(1)))]])
def test_the_bootstrap_of_few_values_stays_among_them(values) -> None:
    low, high = bootstrap_interval(values)
    assert min(values) <= low < high <= max(values)


@pytest.mark.parametrize("count", [2, 5, 30])
def test_a_paired_comparison_is_the_t_test_of_related_samples(count) -> None:
    rng = np.random.default_rng(count)
    shared = rng.normal(0, 5, count)
    one, other = (shared + rng.normal(mean, 1, count) for mean in (0.5, 0))
    expected = stats.ttest_rel(one, other)
    ends = expected.confidence_interval(0.95)
    found = paired(one, other)
    reference = (np.mean(one - other), ends.low, ends.high, expected.pvalue, count)
    np.testing.assert_allclose(found[:5], reference, rtol=1e-10)
    turned = paired(other, one)
    np.testing.assert_allclose(turned[:5], (-reference[0], -ends.high, -ends.low, *reference[3:]), rtol=1e-10)
    assert turned.pairs_to_tell == found.pairs_to_tell

    wider = paired(one, other, overlap=0.25)
    np.testing.assert_allclose(wider.high - wider.low, np.sqrt(1 + 0.25 * count) * np.ptp(ends), rtol=1e-10)
    smaller = expected.statistic / np.sqrt(1 + 0.25 * count)
    np.testing.assert_allclose(wider.p_value, 2 * stats.t.sf(abs(smaller), count - 1), rtol=1e-10)


def power(shift: float, freedom: float, comparisons: int) -> float:
    """Of the t-test of one of so many comparisons, by an integral over the estimated variance; exact to 1e-5."""
    shares = (np.arange(20_000) + 0.5) / 20_000
    quantile = stats.t.isf(0.025 / comparisons, freedom)
    return float(np.mean(stats.norm.cdf(shift - quantile * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom))))


@pytest.mark.parametrize("comparisons", [1, 21])
@pytest.mark.parametrize("overlap", [0.0, 0.02])
@pytest.mark.parametrize("effect", [300.0, 4.0, 1.5, 0.8, 0.3, 0.13, 0.09])
def test_pairs_to_tell_are_the_fewest_whose_power_is_80_percent(effect, overlap, comparisons) -> None:
    values = spread_values(-effect, 1.0, 6)
    found = paired(values, np.zeros(6), overlap, comparisons).pairs_to_tell
    assert is_fewest(found, lambda pairs: power(effect / (1 / pairs + overlap) ** 0.5, pairs - 1, comparisons))


def is_fewest(found: int | None, power_of: Callable[[int], float]) -> bool:
    if found is None:
        return power_of(MOST_PAIRS) < 0.8
    return power_of(found) >= 0.8 and (found == 2 or power_of(found - 1) < 0.8)


def of_definition(one: np.ndarray, other: np.ndarray, comparisons: int) -> tuple[list[float], Callable[[int], float]]:
    """`paired_correct` by way of the mean squares of a two-way analysis of variance, and the power of so many seeds."""
    d = one.astype(float) - other
    seeds, images = d.shape
    of_seeds, of_images = d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    squares_of_seeds = images * np.sum((of_seeds - d.mean()) ** 2) / (seeds - 1)
    squares_of_images = seeds * np.sum((of_images - d.mean()) ** 2) / (images - 1)
    squares_of_rest = np.sum((d - of_seeds - of_images + d.mean()) ** 2) / (seeds - 1) / (images - 1)

    parts = squares_of_seeds / d.size, squares_of_images / d.size
    freedom = min(seeds, images) - 1
    half = stats.t.ppf(0.975, freedom) * sum(parts) ** 0.5
    p_value = 2 * stats.t.sf(abs(d.mean()) / sum(parts) ** 0.5, freedom)

    fixed = max(squares_of_images - squares_of_rest, 0) / d.size
    per_seed = (sum(parts) - fixed) * seeds

    def power_of(count: int) -> float:
        shift = abs(d.mean()) / (per_seed / count + fixed) ** 0.5
        return power(shift, min(count, images) - 1, comparisons)

    return [d.mean(), d.mean() - half, d.mean() + half, p_value, seeds], power_of


def drawn_hits(
    rng: np.random.Generator, seeds: int, images: int, *, ahead: float, of_seed: float, of_image: float
) -> tuple[list[np.ndarray], float]:
    """Hits of two configurations and the true difference of their accuracies, over all seeds and images.

    An image is told where a normal variable is above 0: the sum of what the configuration is ahead, of parts that are
    the seed's and the configuration's, the image's, the image's and the configuration's, and of noise.

    Args:
        rng: to draw from.
        seeds: S.
        images: N.
        ahead: by how much the first configuration is better.
        of_seed: standard deviation of the seed's part.
        of_image: of the image's and the configuration's part.
    """
    difficulty = rng.normal(0, 1, (1, images))
    hits, true = [], []
    for mean in (ahead, 0.0):
        parts = rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, of_image, (1, images)) + difficulty
        hits.append(mean + parts + rng.normal(size=(seeds, images)) > 0)
        true.append(stats.norm.cdf(mean / np.sqrt(1 + 1 + of_seed**2 + of_image**2)))
    return hits, float(true[0] - true[1])


@pytest.mark.parametrize(
    ("seeds", "images", "ahead", "of_seed", "of_image", "comparisons"),
    [
        (5, 400, 0.2, 0.1, 0.5, 1),
        (5, 400, 0.2, 0.1, 0.5, 21),
        (2, 50, 0.5, 0.0, 1.0, 1),
        (8, 30, 0.1, 0.3, 0.0, 1),
        (3, 2, 1.0, 0.5, 0.5, 1),
        (4, 100, 0.0, 0.1, 0.1, 1),
    ],
)
def test_hits_are_compared_by_the_variances_over_seeds_and_over_images(
    seeds, images, ahead, of_seed, of_image, comparisons
) -> None:
    rng = np.random.default_rng(seeds + images)
    hits, _ = drawn_hits(rng, seeds, images, ahead=ahead, of_seed=of_seed, of_image=of_image)
    found, (expected, power_of) = paired_correct(*hits, comparisons), of_definition(*hits, comparisons)
    np.testing.assert_allclose(found[:5], expected, rtol=1e-9)
    assert is_fewest(found.pairs_to_tell, power_of)


def test_equal_seeds_leave_the_error_over_images_known_as_by_the_seeds() -> None:
    one, other = np.random.default_rng(0).random((2, 300)) < [[0.6], [0.5]]
    expected = stats.ttest_rel(one.astype(float), other.astype(float))
    found = paired_correct(np.tile(one, (4, 1)), np.tile(other, (4, 1)))
    error = found.difference / expected.statistic
    np.testing.assert_allclose(found[1:3], stats.t.interval(0.95, 3, found.difference, error), rtol=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(expected.statistic, 3))


def test_images_that_are_told_equally_often_leave_the_t_test_over_seeds() -> None:
    one = np.zeros((4, 60), bool)
    one[0] = one[3, :20] = one[1, 20:40] = one[2, 40:] = True  # each image by two seeds
    one[0, :5], one[1, :5] = False, True
    expected = stats.ttest_1samp(one.mean(1), 0)
    found = paired_correct(one, np.zeros_like(one))
    np.testing.assert_allclose(found[1:4], (*expected.confidence_interval(0.95), expected.pvalue), rtol=1e-9)
    assert found.pairs_to_tell == paired(one.mean(1), [0.0] * 4).pairs_to_tell


def test_over_other_seeds_and_images_its_interval_covers_the_true_difference_and_one_sided_tests_do_not() -> None:
    trials, rng = 600, np.random.default_rng(0)
    covered = {"paired_correct": 0, "over seeds": 0, "over images": 0}
    for _ in range(trials):
        hits, true = drawn_hits(rng, 10, 200, ahead=0.2, of_seed=0.25, of_image=1.2)
        d = hits[0].astype(float) - hits[1]
        ends = {
            "paired_correct": paired_correct(*hits)[1:3],
            "over seeds": paired(*(of.mean(1) for of in hits))[1:3],
            "over images": mean_over_runs(d.mean(0))[2:4],
        }
        for name, (low, high) in ends.items():
            covered[name] += low <= true <= high
    assert 0.95 < covered["paired_correct"] / trials < 0.99  # 0.975
    assert covered["over seeds"] / trials < 0.88  # 0.852
    assert covered["over images"] / trials < 0.9  # 0.877


@pytest.mark.parametrize("of_seed", [0.05, 0.5])
def test_its_interval_is_not_too_narrow_with_two_seeds(of_seed) -> None:
    trials, rng, covered = 600, np.random.default_rng(1), 0
    for _ in range(trials):
        hits, true = drawn_hits(rng, 2, 200, ahead=0.2, of_seed=of_seed, of_image=0.5)
        covered += paired_correct(*hits).low <= true <= paired_correct(*hits).high
    assert covered / trials > 0.95 - 3 * np.sqrt(0.05 * 0.95 / trials)


def test_no_difference_and_one_without_spread_are_told_apart() -> None:
    hits = np.random.default_rng(0).random((3, 20)) < 0.5
    for found in (paired_correct(hits, hits), paired([0.5, 0.25], [0.5, 0.25])):
        assert found == (0.0, 0.0, 0.0, 1.0, found.pairs, None)
    assert paired([0.75, 0.5], [0.5, 0.25]) == (0.25, 0.25, 0.25, 0.0, 2, 2)
    assert paired_correct(np.ones((3, 20), bool), np.zeros((3, 20), bool)) == (1.0, 1.0, 1.0, 0.0, 3, 2)


@pytest.mark.parametrize(
    ("compare", "shapes"),
    [
        (paired, [(1,), (1,)]),
        (paired, [(3,), (1,)]),
        (paired, [(2,), (3,)]),
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


def test_holm_s_corrections_are_those_of_r() -> None:
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"), and of a list with a tie and a value that is capped."""
    np.testing.assert_allclose(holm([0.03, 0.01, 0.05, 0.02, 0.04]), [0.09, 0.05, 0.09, 0.08, 0.09], rtol=1e-12)
    np.testing.assert_allclose(holm([0.4, 0.001, 0.6, 0.001]), [0.8, 0.004, 0.8, 0.004], rtol=1e-12)


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, 0.5])), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni_s(p_values) -> None:
    """A difference is real where every set of comparisons that it is in is refuted by Bonferroni's test of the set."""
    corrected = holm(p_values)
    indices = range(len(p_values))
    sets = [chosen for size in indices for chosen in itertools.combinations(indices, size + 1)]
    for index in indices:
        bounds = [len(chosen) * min(p_values[other] for other in chosen) for chosen in sets if index in chosen]
        assert corrected[index] == pytest.approx(min(max(bounds), 1.0), rel=1e-12)
        assert p_values[index] <= corrected[index] <= 1
