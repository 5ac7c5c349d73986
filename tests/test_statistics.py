"""Intervals and verdicts against scipy, their textbook formulas, and draws from populations whose truth is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxdeep.analysis.differences import paired
from jaxdeep.analysis.statistics import (
    FEWEST_FOR_BOOTSTRAP,
    accuracy_interval,
    bootstrap_interval,
    holm,
    mean_over_runs,
    within,
)


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


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.3] * 12, [0.3] * 11 + [np.nextafter(0.3, 1)], range(9), [*range(9), np.nan]]
)
def test_values_that_are_equal_or_fewer_than_ten_have_no_bootstrap(values) -> None:
    assert bootstrap_interval(values) is None


def test_below_ten_values_the_bootstrap_would_cover_the_mean_too_rarely() -> None:
    """The reason why it ends there: Student's t covers 95% of all normal means with any number of values."""
    rng, trials = np.random.default_rng(0), 300

    def coverage(count: int) -> float:
        draws = rng.normal(size=(trials, count))
        found = (stats.bootstrap((draw,), np.mean, n_resamples=999, method="BCa", rng=rng) for draw in draws)
        return np.mean([low <= 0 <= high for low, high in (of.confidence_interval for of in found)])

    few = [coverage(count) for count in (2, 3, 5)]
    assert few == sorted(few)
    assert few[0] < 0.6
    assert few[-1] < 0.9
    assert coverage(40) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    assert bootstrap_interval(range(FEWEST_FOR_BOOTSTRAP)) is not None


def test_an_interval_stays_in_the_range_of_its_figure() -> None:
    estimate = mean_over_runs([0.99, 1.0, 0.9])
    assert estimate.high is not None
    assert estimate.high > 1
    assert within(estimate, 0.0, 1.0) == estimate._replace(high=1.0)
    assert within(estimate, 0.0, 2.0) == estimate
    assert within(mean_over_runs([0.5]), 0.0, 1.0) == mean_over_runs([0.5])


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
