"""What a difference may be said to show: by its definition, and by simulations with a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxdeep.analysis.differences import Difference, from_variance, independent, paired, paired_correct, paired_scores
from jaxdeep.analysis.evidence import Evidence, judge, p_text
from tests.test_differences import drawn_hits


def known(difference: float, error: float = 0.001, freedom: int = 9, share_fixed: float = 0.0) -> Difference:
    """A difference with this standard error."""
    variance = error**2
    return from_variance(difference, freedom + 1, variance * (1 - share_fixed), variance * share_fixed, freedom)


@pytest.mark.parametrize("comparisons", [1, 21])
@pytest.mark.parametrize("freedom", [1, 4, 9, 30])
def test_one_interval_decides_all_three_answers(freedom: int, comparisons: int) -> None:
    half = stats.t.isf(0.025 / comparisons, freedom)
    edges = {
        half * 1.01: "different",
        half * 0.99: "undecided",
        -half * 1.01: "different",
        0.0: "equivalent",
        0.3 * half: "equivalent",
    }
    for multiple, answer in edges.items():
        found = judge(known(multiple, 1.0, freedom), comparisons, 1.5 * half)
        assert found.answer == answer
        np.testing.assert_allclose(
            (found.low_corrected, found.high_corrected), (multiple - half, multiple + half), rtol=1e-9
        )
    assert judge(known(0.0, 1.0, freedom), comparisons, 0.99 * half).answer == "undecided"


@given(
    st.floats(-0.05, 0.05),
    st.floats(1e-4, 0.05),
    st.integers(1, 30),
    st.integers(1, 60),
    st.floats(0.001, 0.05),
    st.floats(0, 1),
)
def test_no_row_contradicts_itself(difference, error, freedom, comparisons, smallest, share_fixed) -> None:
    found = judge(known(difference, error, freedom, share_fixed), comparisons, smallest)
    excludes_0 = found.low_corrected > 0 or found.high_corrected < 0
    lies_within = -smallest < found.low_corrected and found.high_corrected < smallest
    assert (found.answer == "different") == excludes_0
    assert (found.answer == "equivalent") == (lies_within and not excludes_0)
    assert (found.p_corrected < 0.05) == excludes_0 or found.p_corrected == pytest.approx(0.05, rel=1e-6)
    assert (found.p_equivalence < 0.05) == lies_within or found.p_equivalence == pytest.approx(0.05, rel=1e-6)
    assert (found.more is None) == (found.detectable <= smallest)


def test_the_smallest_difference_that_could_show_does_not_depend_on_the_one_that_was_found() -> None:
    found = [judge(known(difference), 21).detectable for difference in (0.0, 0.001, 0.5)]
    assert len(set(found)) == 1


@pytest.mark.parametrize("comparisons", [1, 7, 21])
@pytest.mark.parametrize("freedom", [2, 4, 9, 50])
def test_it_is_detected_with_the_power_of_the_noncentral_t(freedom: int, comparisons: int) -> None:
    shift = judge(known(0.0, 1.0, freedom), comparisons).detectable
    quantile = stats.t.isf(0.025 / comparisons, freedom)
    assert stats.nct.sf(quantile, freedom, shift) == pytest.approx(0.8, abs=1e-3)


def test_more_seeds_are_never_advised_if_only_more_rows_would_help() -> None:
    """With any number of seeds, the part of the rows alone hides differences below 2.8 of its standard errors."""
    for fixed, expected in ((0.0017, "seeds"), (0.0019, "rows")):
        assert judge(from_variance(0.0, 10, 0.01**2, fixed**2, 9)).more == expected
        with_many = judge(from_variance(0.0, 10_000, 1e-12, fixed**2, 9_999))
        assert with_many.more == (None if expected == "seeds" else "rows")
    assert judge(known(0.0, 1e-4)).more is None


@pytest.mark.parametrize(("difference", "answer"), [(0.0, "equivalent"), (0.01, "different"), (-0.001, "different")])
def test_without_any_spread_there_is_an_answer(difference: float, answer: str) -> None:
    found = judge(paired([0.5 + difference, 0.25 + difference], [0.5, 0.25]), 21)
    assert found.answer == answer
    assert (found.low_corrected, found.detectable, found.more) == (pytest.approx(difference), 0.0, None)


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (0.0, "p < .001"),
        (8.5e-07, "p < .001"),
        (0.00099, "p < .001"),
        (0.001, "p = .001"),
        (0.0234, "p = .023"),
        (0.3, "p = .3"),
        (0.9999, "p = 1"),
        (1.0, "p = 1"),
    ],
)
def test_no_p_is_printed_as_a_power_of_ten(p_value: float, text: str) -> None:
    assert p_text(p_value) == text


# ---- simulations of whole families of comparisons


def family(rng: np.random.Generator, means: list[float], seeds: int, images: int, of_seed: float) -> list[Evidence]:
    """All pairs of configurations that share their images, each with its own seeds and its own taste in images."""
    difficulty = rng.normal(0, 1, (1, images))
    correct = [
        mean
        + difficulty
        + rng.normal(0, 0.4, (1, images))
        + rng.normal(0, of_seed, (seeds, 1))
        + rng.normal(size=(seeds, images))
        > 0
        for mean in means
    ]
    pairs = [(first, second) for first in range(len(means)) for second in range(first + 1, len(means))]
    return [judge(paired_correct(correct[first], correct[second]), len(pairs), 0.05) for first, second in pairs]


def limit(probability: float, trials: int) -> float:
    """The value that a share of trials with this probability exceeds in one case of 700."""
    return probability + 3 * np.sqrt(probability * (1 - probability) / trials)


@pytest.mark.parametrize(("seeds", "of_seed"), [(2, 0.05), (5, 0.0), (5, 0.1), (10, 0.05)])
def test_of_recipes_that_are_equal_few_families_have_a_false_difference(seeds: int, of_seed: float) -> None:
    rng, trials = np.random.default_rng(seeds), 200
    false = sum(
        any(of.answer == "different" for of in family(rng, [0.0] * 4, seeds, 200, of_seed)) for _ in range(trials)
    )
    assert false / trials < limit(0.05, trials)


@pytest.mark.parametrize("seeds", [3, 10])
def test_recipes_that_differ_by_the_smallest_effect_are_seldom_called_equivalent(seeds: int) -> None:
    """At the smallest effect of interest an interval within it misses the truth, which happens in 2.5% at most."""
    rng, trials, false = np.random.default_rng(seeds), 1_000, 0
    shift = float(stats.norm.ppf(0.55)) * np.sqrt(2 + 0.3**2 + 0.02**2)  # .55 against .50 over all images and seeds
    for _ in range(trials):
        correct, true = drawn_hits(rng, seeds, 2_000, ahead=shift, of_seed=0.02, of_image=0.3)
        assert true == pytest.approx(0.05)
        false += judge(paired_correct(*correct), 1, 0.05).answer == "equivalent"
    assert false / trials < limit(0.025, trials)


def test_equal_recipes_are_called_equivalent_if_the_images_suffice() -> None:
    rng, trials, found = np.random.default_rng(0), 100, 0
    for _ in range(trials):
        correct, _ = drawn_hits(rng, 10, 4_000, ahead=0.0, of_seed=0.01, of_image=0.1)
        found += judge(paired_correct(*correct), 1, 0.02).answer == "equivalent"
    assert found / trials > 0.9


@pytest.mark.parametrize("comparisons", [1, 21])
def test_a_detectable_difference_is_shown_in_four_of_five_studies(comparisons: int) -> None:
    """Scores are normal here, so that the power of the t-test is exact: with two seeds' worth of images and seeds."""
    rng, trials, seeds = np.random.default_rng(comparisons), 2_000, 6
    spread = 0.02
    true = judge(from_variance(0.0, seeds, spread**2 / seeds, 0.0, seeds - 1), comparisons).detectable
    shown = 0
    for _ in range(trials):
        shown += judge(paired(rng.normal(true, spread, seeds), np.zeros(seeds)), comparisons).answer == "different"
    assert shown / trials == pytest.approx(0.8, abs=3 * np.sqrt(0.8 * 0.2 / trials))


def test_what_is_said_to_be_detectable_is_near_what_is() -> None:
    """The stated size comes from each study's own spread. On average it is near the one that is shown in 80%."""
    rng, trials, seeds = np.random.default_rng(0), 400, 10
    stated = []
    for _ in range(trials):
        scores = rng.normal(size=(seeds, 100)) + rng.normal(0, 0.5, (1, 100)) + rng.normal(0, 0.3, (seeds, 1))
        stated.append(judge(paired_scores(scores)).detectable)
    true = float(np.mean(stated))
    shown = 0
    for _ in range(trials):
        scores = rng.normal(true, 1, (seeds, 100)) + rng.normal(0, 0.5, (1, 100)) + rng.normal(0, 0.3, (seeds, 1))
        shown += judge(paired_scores(scores)).answer == "different"
    assert 0.75 < shown / trials < 0.92


def test_groups_of_runs_that_are_equal_are_seldom_called_different() -> None:
    rng, trials = np.random.default_rng(0), 500
    false = 0
    for _ in range(trials):
        first, second = rng.normal(0, 1, 5), rng.normal(0, 3, 10)
        false += judge(independent(first, second), 1, 0.1).answer == "different"
    assert false / trials < limit(0.05, trials)
