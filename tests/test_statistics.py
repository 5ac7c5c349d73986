"""Intervals against their textbook formulas."""

import numpy as np

from jaxdeep.analysis.statistics import accuracy_interval, mean_over_runs


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
