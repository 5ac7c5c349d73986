"""Comparisons of hand-made studies against scipy's tests, and the words that they are told in."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.config import Config, Data, Model, Optim, Schedule, Train
from jaxdeep.errors import UserError
from jaxdeep.report.comparison_text import comparison_table, legend, matrix, sentences
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.files import write_bytes, write_json
from jaxdeep.study.result import FIGURES, MEANS, StudyResult
from jaxdeep.study.stored import correct_bytes, read_study
from jaxdeep.study.trial_result import Candidate, Correct, MeanFigure, TrialResult

ACCURACIES = ("val_accuracy", "test_accuracy")
PARTS = dict(zip(ACCURACIES, ("valid", "test"), strict=True))
LOSSES = ("val_loss", "test_loss")
IMAGES = 200


def drawn_study(
    name: str,
    seeds: Sequence[int] = range(42, 47),
    ahead: float = 0.0,
    *,
    folds: int | None = None,
    diverged: Sequence[int] = (),
    diverged_late: Sequence[int] = (),
    spread: float = 0.1,
    config: Mapping[str, Any] | None = None,
) -> StudyResult:
    """A study whose figures depend on seed, fold and image, on what it is ahead, and a little on its name.

    Seeds that diverged have no figures, and those that did so late, after an epoch to keep, have all.
    Seeds are far apart from each other in loss, so that only runs of the same seed have differences of about -ahead.
    """
    trials, correct = [], {"valid": [], "test": []}
    own = sum(name.encode())
    for seed in seeds:
        for fold in range(folds) if folds else (None,):
            of_seed = np.random.default_rng([seed, fold or 0])
            rng = np.random.default_rng([seed, fold or 0, own])
            losses = 1.5 - ahead + of_seed.normal(0, 5 * spread, 2) + rng.normal(0, spread, 2)
            told = [
                np.random.default_rng(split).normal(0, 1, IMAGES)
                + rng.normal(0, spread)
                + rng.normal(0, spread, IMAGES)
                < ahead
                for split in range(2)
            ]
            figures: dict[str, Any] = dict(
                zip((*LOSSES, *ACCURACIES), map(float, (*losses, *(of.mean() for of in told))), strict=True)
            )
            if seed in diverged:
                figures, told = dict.fromkeys(figures), [np.zeros(IMAGES, bool)] * 2
            trials.append(
                TrialResult(
                    seed=seed,
                    fold=fold,
                    values={},
                    best_epoch=0 if seed in diverged else 1,
                    epochs=2,
                    seconds=1.0,
                    diverged=seed in (*diverged, *diverged_late),
                    **figures,
                )
            )
            for of_split, of_run in zip(correct.values(), told, strict=True):
                of_split.append(of_run)
    return StudyResult(
        experiment="fashion_mnist",
        name=name,
        config=config or Config().to_dict(),
        seeds=tuple(seeds),
        data={"name": "fashion_mnist", "source": "classic files", "synthetic": False, "digest": "2c0c68dbd4e8e639"},
        trials=tuple(trials),
        candidates=(Candidate({}, means_of(trials), sum(trial.diverged for trial in trials)),),
        parameters=1,
        command="python",
        device="1 x cpu",
        versions={},
        folds=folds,
        correct=Correct(**{split: np.stack(of_runs) for split, of_runs in correct.items()}),
    )


def means_of(trials: Sequence[TrialResult]) -> dict[str, MeanFigure]:
    """The means over trials, as a study has them."""
    values = {name: [getattr(trial, name) for trial in trials] for name in MEANS}
    diverged = sum(trial.diverged for trial in trials)
    return {
        name: MeanFigure(
            **mean_over_runs([np.nan if value is None else value for value in of_trials])._asdict(), diverged=diverged
        )
        for name, of_trials in values.items()
    }


def losses_of(study: StudyResult, figure: str, seeds: Sequence[int]) -> np.ndarray:
    by_seed = {trial.seed: getattr(trial, figure) for trial in study.trials}
    return np.asarray([by_seed[seed] for seed in seeds])


def hits_of(study: StudyResult, split: str, seeds: Sequence[int]) -> np.ndarray:
    rows = getattr(study.correct, split)
    by_seed = {trial.seed: row for trial, row in zip(study.trials, rows, strict=True)}
    return np.stack([by_seed[seed] for seed in seeds])


def crossed(differences: np.ndarray) -> tuple[float, float, float]:
    """Return mean, standard error and the images' part of its square, from the mean squares of a two-way table [S, N].

    By the analysis of variance of random effects without replication: seeds are rows, images are columns.
    """
    seeds, images = differences.shape
    total = np.square(differences - differences.mean()).sum()
    of_seeds = images * np.square(differences.mean(1) - differences.mean()).sum()
    of_images = seeds * np.square(differences.mean(0) - differences.mean()).sum()
    rest = (total - of_seeds - of_images) / ((seeds - 1) * (images - 1))
    by_image = max(of_images / (images - 1) - rest, 0.0)
    fixed = by_image / differences.size
    return differences.mean(), (of_seeds / (seeds - 1) / differences.size + fixed) ** 0.5, fixed


def of_rows(one: StudyResult, other: StudyResult, figure: str, seeds: Sequence[int]) -> np.ndarray:
    """Return the differences of an accuracy's rows [S, N]."""
    first, second = (hits_of(study, PARTS[figure], seeds).astype(float) for study in (one, other))
    return first - second


@pytest.mark.parametrize(("ahead", "word", "turned"), [(0.5, "better", "worse"), (-0.5, "worse", "better")])
def test_lower_losses_and_higher_accuracies_are_better(ahead, word, turned) -> None:
    one, other = drawn_study("one", ahead=ahead), drawn_study("other")
    for studies, expected, sign in (((one, other), word, 1), ((other, one), turned, -1)):
        (pair,) = compare_studies(studies).pairs
        assert (pair.one, pair.other) == tuple(study.name for study in studies)
        assert [pair.figures[figure].verdict for figure in FIGURES] == [expected] * 4
        for figure, found in pair.figures.items():
            assert np.sign(found.difference) == sign * np.sign(ahead) * (-1 if figure in LOSSES else 1)
            assert found.low < found.difference < found.high
            np.testing.assert_allclose((found.low_corrected, found.high_corrected), (found.low, found.high), rtol=1e-12)
            assert (found.answer, found.comparisons, found.p_corrected) == ("different", 1, found.p_value)


def test_runs_are_matched_by_seed_and_those_of_one_study_alone_or_that_diverged_do_not_count() -> None:
    one = drawn_study("one", [7, 42, 43, 44, 45, 46, 47], 0.1, diverged=[44])
    other = drawn_study("other", [48, 47, 45, 44, 43, 42, 9, 8], diverged=[47, 9])
    common = [42, 43, 45]
    (pair,) = compare_studies([one, other]).pairs
    assert {found.pairs for found in pair.figures.values()} == {3}
    for figure in LOSSES:
        expected = stats.ttest_rel(losses_of(one, figure, common), losses_of(other, figure, common))
        ends = expected.confidence_interval(0.95)
        found = pair.figures[figure]
        np.testing.assert_allclose(
            [getattr(found, key) for key in ("low", "high", "p_value")],
            [ends.low, ends.high, expected.pvalue],
            rtol=1e-9,
        )
        assert found.rows is None
    for figure in ACCURACIES:
        mean, error, _ = crossed(of_rows(one, other, figure, common))
        low, high = stats.t.interval(0.95, 2, mean, error)
        found = pair.figures[figure]
        np.testing.assert_allclose(
            [getattr(found, key) for key in ("difference", "low", "high", "p_value")],
            [mean, low, high, 2 * stats.t.sf(abs(mean) / error, 2)],
            rtol=1e-9,
        )
        assert found.rows == IMAGES


def test_p_values_and_intervals_of_a_figure_are_corrected_for_the_number_of_pairs() -> None:
    studies = [drawn_study(name, ahead=ahead) for name, ahead in (("a", 0.2), ("b", 0.1), ("c", 0.0))]
    comparison = compare_studies(studies)
    assert [(pair.one, pair.other) for pair in comparison.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    wider = stats.t.isf(0.025 / 3, 4) / stats.t.isf(0.025, 4)  # five seeds
    for figure in FIGURES:
        alone = [compare_studies(two).pairs[0].figures[figure] for two in itertools.combinations(studies, 2)]
        for found, by_itself in zip((pair.figures[figure] for pair in comparison.pairs), alone, strict=True):
            assert (found.comparisons, by_itself.comparisons) == (3, 1)
            for key in ("difference", "low", "high", "p_value", "pairs", "smallest_effect"):
                assert getattr(found, key) == getattr(by_itself, key)
            assert found.p_corrected == pytest.approx(min(3 * by_itself.p_value, 1), rel=1e-12)
            assert found.p_equivalence == pytest.approx(min(3 * by_itself.p_equivalence, 1), rel=1e-12) or (
                by_itself.p_equivalence == 1
            )
            half = wider * (by_itself.high - by_itself.low) / 2
            expected = (found.difference - half, found.difference + half)
            np.testing.assert_allclose((found.low_corrected, found.high_corrected), expected, rtol=1e-9)


def contradictions(found: FigureComparison, figure: str) -> list[str]:
    """Return what the keys of a judged figure say against each other."""
    excludes_zero = found.low_corrected > 0 or found.high_corrected < 0
    lies_within = -found.smallest_effect < found.low_corrected and found.high_corrected < found.smallest_effect
    sided = ("better", "worse")[(found.difference > 0) == (figure in LOSSES)]
    expected = "different" if excludes_zero else "equivalent" if lies_within else "undecided"
    checks = {
        "the answer is that of the interval": found.answer == expected,
        "p_corrected is below .05 without 0": (found.p_corrected < 0.05) == excludes_zero,
        "p_equivalence is below .05 inside": (found.p_equivalence < 0.05) == lies_within,
        "the verdict is that of the answer": found.verdict == (sided if excludes_zero else expected),
        "the corrected interval holds the other": found.low_corrected <= found.low <= found.difference
        and found.difference <= found.high <= found.high_corrected,
        "p_corrected is above p_value": found.p_corrected >= found.p_value,
        "nothing more is needed if enough shows": (found.more is None) == (found.detectable <= found.smallest_effect),
        "a test over seeds alone needs seeds": figure in ACCURACIES or found.more != "rows",
    }
    return [name for name, holds in checks.items() if not holds]


def test_one_interval_decides_and_no_figure_contradicts_itself() -> None:
    """With 21 pairs a p of 0.003 alone is no verdict."""
    studies = [drawn_study(f"s{index}", ahead=0.08 * index) for index in range(7)]
    close = [drawn_study(f"close {index}", range(42, 62), 0.01 * index, spread=0.01) for index in range(3)]
    found = [
        (figure, of)
        for several in (studies, close)
        for effect in (0.005, 0.05, 0.3)
        for pair in compare_studies(several, smallest_effect=effect).pairs
        for figure, of in pair.figures.items()
    ]
    assert [(figure, said) for figure, of in found if (said := contradictions(of, figure))] == []
    assert {of.answer for _, of in found} == {"different", "equivalent", "undecided"}
    assert {of.more for _, of in found} == {"seeds", "rows", None}
    assert any(of.p_value < 0.01 for _, of in found if of.answer == "undecided")
    assert any(of.answer == "different" and of.p_equivalence < 0.05 for _, of in found)


def with_losses_moved(study: StudyResult, by: float) -> StudyResult:
    moved = [replace(of, **{name: getattr(of, name) + by for name in LOSSES}) for of in study.trials]
    return replace(study, trials=tuple(moved))


def test_what_would_show_depends_on_the_spread_and_not_on_the_difference_that_was_found() -> None:
    one, other = drawn_study("one"), drawn_study("other")
    for by in (0.0, 0.3, -2.0):
        (pair,) = compare_studies([with_losses_moved(one, by), other]).pairs
        for figure in FIGURES:
            found = pair.figures[figure]
            if figure in LOSSES:
                error = stats.sem(losses_of(one, figure, one.seeds) - losses_of(other, figure, one.seeds))
                fixed = 0.0
            else:
                _, error, fixed = crossed(of_rows(one, other, figure, one.seeds))
            shown = stats.nct.sf(stats.t.isf(0.025, 4), 4, found.detectable / error)
            assert shown == pytest.approx(0.8, abs=1e-3)
            lowest = fixed**0.5 * (stats.norm.isf(0.025) + stats.norm.isf(0.2))  # of any number of seeds
            assert found.more == ("seeds" if lowest <= 0.005 else "rows")


def test_the_smallest_effect_of_interest_is_what_equivalence_is_about() -> None:
    one, other = drawn_study("one", range(42, 62), spread=0.01), drawn_study("other", range(42, 62), spread=0.01)
    by_size = {size: compare_studies([one, other], smallest_effect=size).pairs[0].figures for size in (0.005, 0.05)}
    small, large = (of["test_accuracy"] for of in by_size.values())
    assert (small.answer, large.answer) == (small.verdict, large.verdict) == ("undecided", "equivalent")
    assert (small.smallest_effect, large.smallest_effect) == (0.005, 0.05)
    assert -0.05 < small.low_corrected < -0.005 < 0.005 < small.high_corrected < 0.05
    same = ("difference", "low_corrected", "high_corrected", "p_corrected", "detectable")
    assert [getattr(small, key) for key in same] == [getattr(large, key) for key in same]
    mean, error, _ = crossed(of_rows(one, other, "test_accuracy", range(42, 62)))
    for of in (small, large):
        sides = [stats.t.sf((of.smallest_effect + sign * mean) / error, 19) for sign in (-1, 1)]  # two one-sided tests
        assert of.p_equivalence == pytest.approx(min(2 * max(sides), 1), rel=1e-9)
    assert compare_studies([one, other]).pairs[0].figures == by_size[0.005]
    exact = compare_studies([one, other], smallest_effect=np.float32(0.05))
    assert json.loads(json.dumps(exact.to_json()))["pairs"][0]["figures"]["test_accuracy"]["answer"] == "equivalent"


@pytest.mark.parametrize("size", [0, 0.0, -0.01, np.inf, -np.inf, np.nan, "0.01", None, [0.01]])
def test_a_smallest_effect_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(UserError, match=r"^smallest_effect is .*\. Allowed: a number above 0\.$"):
        compare_studies([drawn_study("one"), drawn_study("other")], smallest_effect=size)


def of_folds(study: StudyResult, figure: str) -> np.ndarray:
    """Return the mean over the seeds of each fold that have the figure."""
    rows = [(trial.fold, value) for trial in study.trials if (value := getattr(trial, figure)) is not None]
    return np.asarray([np.mean([value for of, value in rows if of == fold]) for fold in sorted({of for of, _ in rows})])


def without_figures(study: StudyResult, *keys: tuple[int, int]) -> StudyResult:
    """A study whose trials of these seeds and folds diverged at once."""
    none = dict.fromkeys(FIGURES)
    trials = [
        replace(trial, **none, diverged=True, best_epoch=0) if (trial.seed, trial.fold) in keys else trial
        for trial in study.trials
    ]
    return replace(study, trials=tuple(trials))


def test_folds_are_compared_by_their_means_over_seeds_with_the_overlap_of_their_training_rows() -> None:
    one, other = drawn_study("one", [42, 43], 0.1, folds=4), drawn_study("other", [42, 43], folds=4)
    assert other.correct is not None
    turned = replace(other, trials=other.trials[::-1], correct=other.correct.take(range(8)[::-1]))
    comparison = compare_studies([one, turned])
    (pair,) = comparison.pairs
    for figure in FIGURES:
        differences = of_folds(one, figure) - of_folds(other, figure)
        error = stats.sem(differences) * np.sqrt(1 + 4 / 3)  # of 1 / 4 + 1 / 3: 1 of 4 folds validates, 3 train
        low, high = stats.t.interval(0.95, 3, differences.mean(), error)
        found = pair.figures[figure]
        np.testing.assert_allclose(
            (found.difference, found.low, found.high), (differences.mean(), low, high), rtol=1e-9
        )
        np.testing.assert_allclose(found.p_value, 2 * stats.t.sf(abs(differences.mean()) / error, 3), rtol=1e-9)
        assert (found.pairs, found.rows) == (8, None)
    assert all(", 8 runs in 4 folds" in line for line in sentences(comparison.pairs, "val_accuracy"))


def test_seeds_of_a_fold_that_give_the_same_again_narrow_no_interval() -> None:
    one, other = drawn_study("one", [42, 43], 0.1, folds=4), drawn_study("other", [42, 43], folds=4)

    def twice(study: StudyResult) -> StudyResult:
        assert study.correct is not None
        again = tuple(replace(trial, seed=trial.seed + 100) for trial in study.trials)
        correct = study.correct.take([*range(8), *range(8)])
        return replace(study, trials=study.trials + again, seeds=(*study.seeds, 142, 143), correct=correct)

    (once,) = compare_studies([one, other]).pairs
    (found,) = compare_studies([twice(one), twice(other)]).pairs
    for figure, of in found.figures.items():
        assert of.pairs == 16
        for key in ("difference", "low", "high", "p_value", "low_corrected", "high_corrected", "detectable"):
            assert getattr(of, key) == pytest.approx(getattr(once.figures[figure], key), rel=1e-9)


def test_a_fold_that_lost_a_seed_counts_by_the_seeds_that_both_have() -> None:
    one = drawn_study("one", [42, 43, 44], 0.1, folds=3)
    other = without_figures(drawn_study("other", [42, 43, 44], folds=3), (43, 1), (42, 2), (43, 2))
    (pair,) = compare_studies([one, other]).pairs
    common = without_figures(one, (43, 1), (42, 2), (43, 2))
    for figure, found in pair.figures.items():
        expected = of_folds(common, figure) - of_folds(other, figure)
        error = stats.sem(expected) * np.sqrt(1 + 3 / 2)  # of 1 / 3 + 1 / 2
        low, high = stats.t.interval(0.95, 2, expected.mean(), error)
        assert found.pairs == 6
        np.testing.assert_allclose((found.difference, found.low, found.high), (expected.mean(), low, high), rtol=1e-9)
    lost = without_figures(other, *itertools.product([42, 43, 44], [1, 2]))
    (pair,) = compare_studies([one, lost]).pairs
    assert {(found.verdict, found.pairs) for found in pair.figures.values()} == {("not compared", 3)}  # of one fold


def resampled(study: StudyResult, overlap: float = 0.25) -> StudyResult:
    config = Config().updated({"data.resample": True}).to_dict()
    return replace(study, config=config, overlap=overlap)


def test_validation_rows_that_are_drawn_for_each_seed_are_not_matched_row_by_row() -> None:
    """Their seeds share most of the training rows, which no number of seeds makes up for."""
    one, other = (resampled(drawn_study(name)) for name in ("one", "other"))
    (pair,) = compare_studies([one, other]).pairs
    seeds, factor = one.seeds, np.sqrt(1 + 5 * 0.25)
    for figure in ("val_accuracy", *LOSSES):
        found = pair.figures[figure]
        expected = stats.ttest_rel(losses_of(one, figure, seeds), losses_of(other, figure, seeds))
        half = np.ptp(expected.confidence_interval(0.95)) / 2 * factor
        np.testing.assert_allclose((found.high - found.low) / 2, half, rtol=1e-9)
        np.testing.assert_allclose(found.p_value, 2 * stats.t.sf(abs(expected.statistic) / factor, 4), rtol=1e-9)
        assert found.rows is None
    tested = pair.figures["test_accuracy"]
    (with_common_rows,) = compare_studies([drawn_study("one"), drawn_study("other")]).pairs
    assert tested.rows == IMAGES
    assert tested.high - tested.low > with_common_rows.figures["test_accuracy"].high - (
        with_common_rows.figures["test_accuracy"].low
    )


@pytest.mark.parametrize("turned", [False, True])
def test_a_resampled_study_is_not_compared_with_one_whose_seeds_share_their_rows(turned: bool) -> None:
    studies = [resampled(drawn_study("one")), drawn_study("other")]
    with pytest.raises(UserError, match=r"were run on different images: .*'resampled': True"):
        compare_studies(studies[::-1] if turned else studies)


def other_images(study: StudyResult) -> StudyResult:
    return replace(study, data={**study.data, "digest": "0"})


def fewer_images(study: StudyResult) -> StudyResult:
    assert study.correct is not None
    return replace(study, correct=replace(study.correct, valid=study.correct.valid[:, 1:]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (drawn_study("one"), other_images(drawn_study("other"))),
        (drawn_study("one"), fewer_images(drawn_study("other"))),
        (drawn_study("one", folds=3), drawn_study("other", folds=4)),
        (drawn_study("one", folds=3), drawn_study("other")),
        (drawn_study("one", [42, 43, 44], folds=3), drawn_study("other", [43, 44, 45], folds=3)),
    ],
    ids=["images", "validation rows", "folds", "folds and none", "folds dealt by another seed"],
)
def test_studies_of_other_images_are_refused(one, other) -> None:
    with pytest.raises(UserError, match="one and other were run on different images"):
        compare_studies([one, other])
    with pytest.raises(UserError, match="one and other were run on different images"):
        compare_studies([one, replace(one, name="between"), other])


@pytest.mark.parametrize(
    ("other", "common"), [(drawn_study("other", [1, 2, 3]), 0), (drawn_study("other", [46, 47, 48]), 1)]
)
def test_fewer_than_two_common_seeds_are_refused(other, common) -> None:
    with pytest.raises(UserError, match=rf"one and other have {common} seeds in common\. Give 2 or more"):
        compare_studies([drawn_study("one"), other])


def test_a_comparison_is_json() -> None:
    studies = [drawn_study("a", ahead=0.2, diverged=[42]), drawn_study("b"), replace(drawn_study("b"), name="c")]
    comparison = compare_studies(studies)
    assert Comparison.from_json(json.loads(json.dumps(comparison.to_json(), allow_nan=False))) == comparison
    assert comparison.names == ("a", "b", "c")
    assert comparison.means["a"]["val_loss"] == studies[0].mean["val_loss"]
    assert comparison.diverged["a"] == Losses(runs=5, diverged=1, left_out=1)
    assert {of.answer for pair in comparison.pairs[:2] for of in pair.figures.values()} <= set(ANSWERS)


ANSWERS = ("different", "equivalent", "undecided")
JUDGED = (
    *("answer", "low_corrected", "high_corrected", "p_corrected", "p_equivalence"),
    *("comparisons", "smallest_effect", "detectable", "more"),
)


def test_a_study_and_its_copy_are_identical_and_count_for_no_other_pair() -> None:
    a, b, d = drawn_study("a", ahead=0.2), drawn_study("b"), drawn_study("d", ahead=0.1)
    copy = replace(b, name="c")
    pairs = {(pair.one, pair.other): pair for pair in compare_studies([a, b, copy, d]).pairs}
    alike = pairs["b", "c"]
    for found in alike.figures.values():
        assert (found.verdict, found.difference, found.low, found.high, found.p_value) == ("identical", 0, 0, 0, 1)
        assert {getattr(found, key) for key in JUDGED} == {None}
        assert found.is_compared
    assert sentences([alike], "test_accuracy") == [
        "b and c are identical: test accuracy +0.00 points, 5 seeds (they differ in no field)"
    ]
    others = [pair for pair in pairs.values() if pair is not alike]
    wider = stats.t.isf(0.025 / 5, 4) / stats.t.isf(0.025, 4)
    for found in (of for pair in others for of in pair.figures.values()):
        assert found.comparisons == 5  # of 6 pairs
        assert found.p_corrected == pytest.approx(min(5 * found.p_value, 1), rel=1e-12)
        assert found.high_corrected - found.difference == pytest.approx(
            wider * (found.high - found.difference), rel=1e-9
        )
    assert [replace(of, comparisons=1) for of in pairs["a", "c"].figures.values()] == [
        replace(of, comparisons=1) for of in pairs["a", "b"].figures.values()
    ]
    (alone,) = compare_studies([b, copy]).pairs
    assert alone.figures == alike.figures
    text = comparison_table(compare_studies([b, copy]))
    assert "* different" not in text
    assert "±" not in re.search(r"^ *b - c.*$", text, re.MULTILINE).group()
    assert matrix(compare_studies([b, copy]), "test_accuracy")[1][2] == "0.0"


def test_seeds_that_agree_by_chance_are_neither_identical_nor_different() -> None:
    """Two seeds with the same mean difference, though their rows differ, are no proof."""
    one, other = drawn_study("one", [42, 43]), drawn_study("other", [42, 43])
    rows = np.zeros((2, 2, IMAGES), bool)
    rows[0, 0, :2] = rows[0, 1, 2:4] = rows[1, 0, 4:5] = rows[1, 1, 5:6] = True  # +2 - 1 of different images
    assert other.correct is not None
    one, other = (
        replace(study, correct=Correct(valid=of, test=of)) for study, of in zip((one, other), rows, strict=True)
    )
    (pair,) = compare_studies([one, other]).pairs
    for figure in ACCURACIES:
        found = pair.figures[figure]
        assert found.difference == pytest.approx(1 / IMAGES)
        differences = rows[0].astype(float) - rows[1]
        rest = np.square(differences - differences.mean(0)).sum() / (IMAGES - 1)  # all of it between equal seeds
        low, high = stats.t.interval(0.95, 1, 1 / IMAGES, (rest / (2 * IMAGES)) ** 0.5)
        np.testing.assert_allclose((found.low, found.high), (low, high), rtol=1e-9)
        assert found.answer == "undecided"


def made_pair(
    one: str,
    other: str,
    folds: int | None = None,
    lost: Mapping[str, tuple[int, int]] | None = None,
    fields: Sequence[str] = ("model.batch_norm",),
    **found: Any,
) -> Pair:
    counts = {name: (lost or {}).get(name, (0, 0)) for name in (one, other)}
    return Pair(
        one,
        other,
        folds,
        {name: [1, 2] for name in fields},
        {name: Losses(7, diverged, left_out) for name, (diverged, left_out) in counts.items()},
        dict.fromkeys(FIGURES, FigureComparison(**{"pairs": 5, "p_value": 0.01, **found})),
    )


DIFFER = " (they differ in model.batch_norm)"
FAMILY = {"comparisons": 3, "smallest_effect": 0.005, "detectable": 0.0123, "more": "seeds", "p_equivalence": 1.0}
BETTER = FAMILY | {
    "verdict": "better",
    "answer": "different",
    "p_corrected": 0.00123,
    "difference": 0.0244,
    "low": 0.021,
    "high": 0.0278,
    "low_corrected": 0.0201,
    "high_corrected": 0.0287,
}
UNDECIDED = FAMILY | {
    "verdict": "undecided",
    "answer": "undecided",
    "p_corrected": 0.0831,
    "difference": -0.012,
    "low": -0.02,
    "high": -0.004,
    "low_corrected": -0.03,
    "high_corrected": 0.006,
}
EQUIVALENT = FAMILY | {
    "verdict": "equivalent",
    "answer": "equivalent",
    "p_corrected": 1.0,
    "difference": 0.0002,
    "low": -0.002,
    "high": 0.0024,
    "low_corrected": -0.0031,
    "high_corrected": 0.0035,
    "more": None,
}
IS_BETTER = "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = .0012, 5 seeds"
ARE_UNDECIDED = "bn and elu are undecided: test accuracy -1.20 points (-3.00 to +0.60), 5 seeds; "
MANY = ("data.flip", *(f"model.f{n}" for n in range(4)), "optim.a", "optim.b")


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (made_pair("bn", "elu", **BETTER), IS_BETTER + DIFFER),
        (made_pair("bn", "elu", **BETTER | {"more": "rows"}), IS_BETTER + DIFFER),
        (
            made_pair("bn", "elu", **BETTER | {"verdict": "worse"}, folds=5),
            "bn is worse than elu: test accuracy +2.44 points (+2.01 to +2.87), p = .0012, 5 runs in 5 folds" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **BETTER | {"p_corrected": 0.000999}),
            IS_BETTER.replace("p = .0012", "p < .001") + DIFFER,
        ),
        (made_pair("bn", "elu", **BETTER | {"p_corrected": 2e-17}), IS_BETTER.replace("= .0012", "< .001") + DIFFER),
        (made_pair("bn", "elu", **BETTER | {"p_corrected": 0.001}), IS_BETTER.replace(".0012", ".001") + DIFFER),
        (made_pair("bn", "elu", **BETTER | {"p_corrected": 0.0312}), IS_BETTER.replace(".0012", ".031") + DIFFER),
        (
            made_pair("bn", "elu", **BETTER | {"smallest_effect": 0.03, "p_equivalence": 0.049}),
            IS_BETTER.replace(", p", ", less than 3 points, p") + DIFFER,
        ),
        (made_pair("bn", "elu", **BETTER | {"smallest_effect": 0.03, "p_equivalence": 0.05}), IS_BETTER + DIFFER),
        (
            made_pair("bn", "elu", **EQUIVALENT),
            "bn and elu are equivalent: test accuracy +0.02 points (-0.31 to +0.35) lies within 0.5 points, 5 seeds"
            + DIFFER,
        ),
        (
            made_pair("bn", "elu", **EQUIVALENT | {"smallest_effect": 0.01}, folds=3, lost={"bn": (2, 2)}),
            "bn and elu are equivalent: test accuracy +0.02 points (-0.31 to +0.35) lies within 1 points, "
            "5 runs in 3 folds; bn lost 2 of 7 runs (diverged)" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **UNDECIDED),
            ARE_UNDECIDED + "a difference of 1.2 points would show, and a smaller one with more seeds" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **UNDECIDED | {"more": "rows"}),
            ARE_UNDECIDED + "a difference of 1.2 points would show, and a smaller one only with more rows" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **UNDECIDED | {"more": None, "detectable": 0.0049}),
            ARE_UNDECIDED + "a difference of 0.5 points would show" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **BETTER, lost={"bn": (2, 2)}),
            IS_BETTER + "; bn lost 2 of 7 seeds (diverged)" + DIFFER,
        ),
        (
            made_pair("bn", "elu", folds=5, **BETTER, lost={"bn": (1, 0), "elu": (3, 2)}),
            IS_BETTER.replace("seeds", "runs in 5 folds") + "; "
            "1 of 7 runs of bn diverged after the best epoch, whose figures count; elu lost 2 of 7 runs (diverged); "
            "1 of 7 runs of elu diverged after the best epoch, whose figures count" + DIFFER,
        ),
        (
            made_pair("bn", "elu", verdict="not compared", lost={"elu": (7, 7)}),
            "bn and elu are not compared: test accuracy, 5 finished seeds in common; elu lost 7 of 7 seeds (diverged)"
            + DIFFER,
        ),
        (
            made_pair("bn", "elu", verdict="identical", difference=0.0, low=0.0, high=0.0),
            "bn and elu are identical: test accuracy +0.00 points, 5 seeds" + DIFFER,
        ),
        (
            made_pair("bn", "elu", verdict="better", difference=0.0244, low=0.0201, high=0.0287),  # by version 0.1
            "bn is better than elu: test accuracy +2.44 points, 5 seeds" + DIFFER,
        ),
        (
            made_pair("bn", "elu", verdict="not distinguishable", difference=-0.012, low=-0.03, high=0.006),
            "bn and elu are not distinguishable: test accuracy -1.20 points, 5 seeds" + DIFFER,
        ),
        (made_pair("bn", "elu", **BETTER, fields=()), IS_BETTER + " (they differ in no field)"),
        (made_pair("bn", "elu", **BETTER, fields=MANY), f"{IS_BETTER} (they differ in {', '.join(MANY)})"),
    ],
)
def test_a_verdict_in_words(pair, sentence) -> None:
    assert sentences([pair], "test_accuracy") == [sentence]


def undecided_sentences(comparison: Comparison) -> list[tuple[str, FigureComparison]]:
    said = zip(sentences(comparison.pairs, "test_accuracy"), comparison.pairs, strict=True)
    found = [(line, pair.figures["test_accuracy"]) for line, pair in said]
    return [(line, of) for line, of in found if of.answer == "undecided"]


def test_more_seeds_are_said_to_help_only_where_they_would() -> None:
    """Two that are right on 20 rows each that the other never is differ by 3 points in other 200 rows by chance."""
    rng = np.random.default_rng(0)
    hits = rng.random((2, 5, IMAGES)) < 0.5 + np.where(np.arange(IMAGES) < 20, [[[0.5]], [[-0.5]]], 0.0)
    hits[:, :, 20:40] = ~hits[:, :, :20]
    few_rows = compare_studies(
        [replace(drawn_study(name), correct=Correct(valid=of, test=of)) for name, of in zip("ab", hits, strict=True)]
    )
    few_seeds = compare_studies([drawn_study(name, [42, 43], spread=0.5) for name in "ab"], smallest_effect=0.2)
    for comparison, more, words in (
        (few_rows, "rows", "and a smaller one only with more rows"),
        (few_seeds, "seeds", "and a smaller one with more seeds"),
    ):
        ((line, found),) = undecided_sentences(comparison)
        assert found.more == more
        assert f"a difference of {100 * found.detectable:.1f} points would show, {words} (they" in line
    assert "more seeds" not in sentences(few_rows.pairs, "test_accuracy")[0]


LAST = Config(train=Train(keep="last", epochs=20, patience=20)).to_dict()


def test_the_table_has_the_means_the_differences_and_the_test_accuracy_in_words() -> None:
    studies = [drawn_study("a", ahead=0.5), drawn_study("b"), drawn_study("c", ahead=0.01)]
    comparison = compare_studies(studies)
    title, header, *rest = comparison_table(comparison).splitlines()
    assert title == "fashion_mnist: means and differences, ± half of the 95% interval"
    assert header.split() == [*(word for figure in FIGURES for word in figure.split("_")), "differing", "fields"]
    rows = [re.split(r"\s{2,}", line.strip()) for line in rest[:6]]
    for row, study in zip(rows, studies, strict=False):
        mean = study.mean
        halves = {of: (mean[of].high - mean[of].low) / 2 for of in FIGURES}
        assert row == [study.name, *(f"{mean[of].mean:.4f} ± {halves[of]:.4f}" for of in FIGURES)]
    for row, pair in zip(rows[3:], comparison.pairs, strict=True):
        assert row[0] == f"{pair.one} - {pair.other}"
        assert row[-1] == "0"
        for cell, (figure, found) in zip(row[1:-1], pair.figures.items(), strict=True):
            half = (found.high_corrected - found.low_corrected) / 2
            mark = "*" if figure.startswith("test") and found.answer == "different" else ""
            assert cell == f"{found.difference:+.4f} ± {half:.4f}{mark}"
    assert rows[3][4].endswith("*")
    assert not rows[5][4].endswith("*")
    assert comparison.pairs[0].figures["val_accuracy"].answer == "different"  # and has no mark
    assert rest[6:] == [*legend(comparison), *sentences(comparison.pairs, "test_accuracy")]
    assert not any("val" in line for line in rest[9:])


def test_the_legend_says_what_the_marks_mean_and_for_how_many_pairs_intervals_are_corrected() -> None:
    studies = [drawn_study("a", ahead=0.5), drawn_study("b"), drawn_study("c", ahead=0.01)]
    means = "* different: the interval excludes 0. = equivalent: it lies within 0.005 of 0."
    corrected = " Intervals of differences are corrected for 3 pairs (Bonferroni)."
    chose = "The validation rows chose the epochs. Their differences are too large, and get no verdict."
    about = (
        "A verdict is about two recipes, for other seeds and other rows of the same kind after training on these rows."
    )
    assert legend(compare_studies(studies)) == [means + corrected, chose, about]
    assert legend(compare_studies(studies[:2])) == [means, chose, about]
    assert legend(compare_studies(studies[:2], smallest_effect=0.02))[0] == means.replace("0.005", "0.02")
    last = [replace(study, config=LAST) for study in studies[:2]]
    assert legend(compare_studies(last)) == [means, about]
    folds = [drawn_study(name, [42], folds=3) for name in ("a", "b")]
    assert legend(compare_studies(folds))[-1] == about.replace("other seeds and other rows", "other folds")
    wild = [drawn_study("a"), drawn_study("b", diverged=range(42, 47))]
    assert legend(compare_studies(wild)) == [chose, about]


def test_an_equivalent_difference_has_a_mark_of_its_own() -> None:
    seeds = range(42, 62)
    comparison = compare_studies(
        [drawn_study("a", seeds, spread=0.01), drawn_study("b", seeds, spread=0.01)], smallest_effect=0.05
    )
    found = comparison.pairs[0].figures["test_accuracy"]
    assert found.answer == "equivalent"
    half = (found.high_corrected - found.low_corrected) / 2
    assert f"{found.difference:+.4f} ± {half:.4f}= " in comparison_table(comparison)
    _, row, _ = matrix(comparison, "test_accuracy")
    assert row[2].endswith(" =")
    assert "*" not in row[2]


@pytest.mark.parametrize(
    ("train", "schedule", "chose"),
    [
        (Train(), Schedule(), True),
        (Train(keep="best", epochs=5, patience=5), Schedule(), True),
        (Train(keep="last", epochs=5, patience=5), Schedule(), False),
        (Train(keep="last", epochs=5, patience=6), Schedule(), False),
        (Train(keep="last", epochs=5, patience=4), Schedule(), True),
        (Train(keep="last", epochs=5, patience=5), Schedule(kind="plateau"), True),
    ],
    ids=["default", "best", "last", "more patience", "stops early", "plateau"],
)
def test_validation_rows_that_chose_an_epoch_have_no_mark(train: Train, schedule: Schedule, chose: bool) -> None:
    config = Config(train=train, schedule=schedule).to_dict()
    for configs in ((config, config), (config, LAST), (LAST, config)):
        studies = [
            drawn_study(name, ahead=ahead, config=of)
            for (name, ahead), of in zip((("a", 0.5), ("b", 0.0)), configs, strict=True)
        ]
        comparison = compare_studies(studies)
        figures = comparison.pairs[0].figures
        assert {name: of.chose_epoch for name, of in figures.items()} == {
            name: chose and "val" in name for name in FIGURES
        }
        assert {of.answer for of in figures.values()} == {"different"}
        text = comparison_table(comparison)
        (row,) = re.findall(r"^ *a - b .*$", text, re.MULTILINE)
        cells = re.findall(r"[+-]\d\.\d{4} ± \d\.\d{4}(.)", row)
        assert cells == [" " if chose and "val" in figure else "*" for figure in FIGURES]
        assert ("The validation rows chose the epochs." in text) == chose
    wild = compare_studies([drawn_study("a", config=config), drawn_study("b", config=config, diverged=range(42, 47))])
    assert wild.pairs[0].figures["val_loss"].chose_epoch == chose


def test_an_earlier_versions_configuration_kept_the_best_epoch() -> None:
    earlier = {part: fields for part, fields in LAST.items() if part not in ("train", "schedule")}
    earlier["train"] = {name: value for name, value in LAST["train"].items() if name != "keep"}
    (pair,) = compare_studies([drawn_study("a", config=earlier), drawn_study("b", config=LAST)]).pairs
    assert pair.figures["val_accuracy"].chose_epoch
    assert pair.differing["train.keep"] == ["best", "last"]


def test_the_matrix_has_rows_minus_columns_in_points() -> None:
    comparison = compare_studies([drawn_study("a", ahead=0.5), drawn_study("b"), drawn_study("c", ahead=0.01)])
    headers, *rows = matrix(comparison, "test_accuracy")
    assert headers == ("", "a", "b", "c")
    assert [row[0] for row in rows] == ["a", "b", "c"]
    cells = [row[1:] for row in rows]
    assert [cells[index][index] for index in range(3)] == [""] * 3
    for pair, (row, column) in zip(comparison.pairs, itertools.combinations(range(3), 2), strict=True):
        found = pair.figures["test_accuracy"]
        for cell, sign in ((cells[row][column], 1), (cells[column][row], -1)):
            assert float(cell.strip("*= ")) == pytest.approx(100 * sign * found.difference, abs=0.051)
            assert cell.startswith("**") == cell.endswith("**") == (found.answer == "different")
            assert cell.endswith("=") == (found.answer == "equivalent")
    assert cells[0][1].startswith("**+")
    assert cells[1][0].startswith("**-")


# ---- who diverged, and what differs


def test_a_verdict_never_hides_that_a_seed_diverged() -> None:
    """One loses three of ten seeds: two at once, and one after an epoch to keep, whose figures count."""
    seeds = range(42, 52)
    one = drawn_study("one", seeds, 0.5, diverged=[43, 50], diverged_late=[44])
    comparison = compare_studies([one, drawn_study("other", seeds), drawn_study("third", seeds, diverged=[43, 45])])
    assert comparison.diverged == {
        "one": Losses(runs=10, diverged=3, left_out=2),
        "other": Losses(runs=10, diverged=0, left_out=0),
        "third": Losses(runs=10, diverged=2, left_out=2),
    }
    first, second, third = comparison.pairs
    for pair, count in ((first, 8), (second, 7), (third, 8)):
        assert {found.pairs for found in pair.figures.values()} == {count}
        assert pair.diverged == {name: comparison.diverged[name] for name in (pair.one, pair.other)}
    for figure in ACCURACIES:
        better, *_ = said = sentences(comparison.pairs, figure)
        assert better.startswith("one is better than other: ")
        assert "; one lost 2 of 10 seeds (diverged); 1 of 10 seeds of one diverged after the best epoch" in better
        assert ["third lost 2 of 10 seeds (diverged)" in line for line in said] == [False, True, True]
    table = comparison_table(comparison)
    for name in ("one (3 of 10 diverged)", "third (2 of 10 diverged)"):
        assert re.search(rf"^ *{re.escape(name)} +\d\.", table, re.MULTILINE)
    assert re.search(r"^ *other +\d\.", table, re.MULTILINE)
    headers, *rows = matrix(comparison, "test_accuracy")
    assert headers == ("", "one (3 of 10 diverged)", "other", "third (2 of 10 diverged)")
    assert [row[0] for row in rows] == list(headers[1:])


@pytest.mark.parametrize("lost", [range(42, 47), range(43, 47)], ids=["all", "all but one"])
def test_a_configuration_that_diverged_is_not_compared_and_the_others_are_as_if_it_were_not_there(lost) -> None:
    one, other, wild = drawn_study("one", ahead=0.5), drawn_study("other"), drawn_study("wild", diverged=lost)
    comparison = compare_studies([one, wild, other])
    assert Comparison.from_json(json.loads(json.dumps(comparison.to_json(), allow_nan=False))) == comparison
    by_names = {(pair.one, pair.other): pair.figures for pair in comparison.pairs}
    assert by_names["one", "other"] == compare_studies([one, other]).pairs[0].figures  # corrected for one pair
    for names in (("one", "wild"), ("wild", "other")):
        for found in by_names[names].values():
            assert (found.verdict, found.pairs) == ("not compared", 5 - len(lost))
            assert {getattr(found, key) for key in ("difference", "low", "high", "p_value", *JUDGED)} == {None}
            assert not found.is_compared
    first, _, second = sentences(comparison.pairs, "test_accuracy")
    assert first.startswith(f"one and wild are not compared: test accuracy, {5 - len(lost)} finished seeds in common")
    assert f"; wild lost {len(lost)} of 5 seeds (diverged)" in second
    table = comparison_table(comparison)
    assert "Bonferroni" not in table
    assert re.search(r"one - wild( +-){4} +0$", table, re.MULTILINE)
    assert comparison.pairs_compared == 1
    _, *rows = matrix(comparison, "test_accuracy")
    assert [row[2] for row in rows] == ["-", "", "-"]


def test_where_all_diverged_nothing_is_compared() -> None:
    comparison = compare_studies([drawn_study(name, diverged=range(42, 47)) for name in ("a", "b")])
    assert comparison.pairs_compared == 0
    (said,) = sentences(comparison.pairs, "val_accuracy")
    assert "a lost 5 of 5 seeds (diverged); b lost 5 of 5 seeds (diverged)" in said
    assert "nan" not in comparison_table(comparison)


def test_the_fields_that_differ_stand_in_every_verdict_with_both_values() -> None:
    one = Config(Data(scaling="standardize"), Model(activation="selu"), Optim(learning_rate=7e-4)).to_dict()
    other = Config(Data(scaling="standardize"), Model(activation="elu"), Optim(learning_rate=5e-4)).to_dict()
    earlier = {part: dict(fields) for part, fields in other.items() if part != "schedule"}  # of a version without it
    del earlier["model"]["alpha"]
    for of_other in (other, earlier):
        comparison = compare_studies([drawn_study("one", config=one), drawn_study("other", config=of_other)])
        (pair,) = comparison.pairs
        assert pair.differing == {"model.activation": ["selu", "elu"], "optim.learning_rate": [7e-4, 5e-4]}
        for figure in ACCURACIES:
            (said,) = sentences(comparison.pairs, figure)
            assert said.endswith(" (they differ in model.activation, optim.learning_rate)")
        assert re.search(r"one - other .* 2$", comparison_table(comparison), re.MULTILINE)


def written(folder: Path) -> tuple[Path, Path]:
    """The files that a study of five seeds leaves."""
    study = drawn_study("one")
    write_json(folder / "summary.json", study.to_json())
    assert study.correct is not None
    write_bytes(folder / "hits.npz", correct_bytes(study.correct))
    return folder / "summary.json", folder / "hits.npz"


def test_a_study_is_read_from_its_files(tmp_path) -> None:
    study, (summary, hits) = drawn_study("one"), written(tmp_path)
    found = read_study(summary, correct=hits)
    assert found == study
    for split in ("valid", "test"):
        np.testing.assert_array_equal(getattr(found.correct, split), getattr(study.correct, split))
    assert compare_studies([found, drawn_study("other")]) == compare_studies([study, drawn_study("other")])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("hits.npz", lambda path: path.unlink()),
        ("hits.npz", lambda path: path.write_bytes(b"")),
        ("hits.npz", lambda path: path.write_bytes(path.read_bytes()[:-100])),
        ("hits.npz", lambda path: path.write_text("not an archive")),
        ("hits.npz", lambda path: np.savez(path, valid=np.ones((5, IMAGES), bool))),
        ("hits.npz", lambda path: np.savez(path, valid=np.ones((4, IMAGES), bool), test=np.ones((4, IMAGES), bool))),
        ("summary.json", lambda path: path.unlink()),
        ("summary.json", lambda path: path.write_text("{")),
    ],
    ids=["missing", "empty", "cut off", "text", "without test", "of fewer runs", "no summary", "summary cut off"],
)
def test_files_that_are_missing_damaged_or_of_another_study_are_named(tmp_path, name, damage) -> None:
    summary, hits = written(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / name))):
        read_study(summary, correct=hits)
