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

from jaxdeep.analysis.statistics import mean_over_runs, paired_correct
from jaxdeep.config import Config, Data, Model, Optim
from jaxdeep.errors import UserError
from jaxdeep.report.comparison_text import comparison_table, matrix, sentences
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.files import write_bytes, write_json
from jaxdeep.study.result import FIGURES, MEANS, StudyResult
from jaxdeep.study.stored import correct_bytes, read_study
from jaxdeep.study.trial_result import Candidate, Correct, MeanFigure, TrialResult

ACCURACIES = ("val_accuracy", "test_accuracy")
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
    for figure, split in zip(ACCURACIES, ("valid", "test"), strict=True):
        expected = paired_correct(hits_of(one, split, common), hits_of(other, split, common))._asdict()
        found = pair.figures[figure]
        assert [getattr(found, key) for key in expected] == pytest.approx(list(expected.values()), rel=1e-9)


def test_the_p_values_of_a_figure_are_corrected_for_the_number_of_pairs() -> None:
    studies = [drawn_study(name, ahead=ahead) for name, ahead in (("a", 0.2), ("b", 0.1), ("c", 0.0))]
    comparison = compare_studies(studies)
    assert [(pair.one, pair.other) for pair in comparison.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    for figure in FIGURES:
        alone = [compare_studies(two).pairs[0].figures[figure] for two in itertools.combinations(studies, 2)]
        by_size = sorted((found.p_value, index) for index, found in enumerate(alone))
        expected, most = [0.0] * 3, 0.0
        for factor, (p_value, index) in zip((3, 2, 1), by_size, strict=True):
            expected[index] = most = min(max(most, factor * p_value), 1.0)
        found = [pair.figures[figure] for pair in comparison.pairs]
        np.testing.assert_allclose([of_pair.p_holm for of_pair in found], expected, rtol=1e-12)
        for of_pair, by_itself in zip(found, alone, strict=True):
            assert by_itself.p_holm == by_itself.p_value == of_pair.p_value
            assert (of_pair.verdict == "not distinguishable") == (of_pair.p_holm >= 0.05)


def test_what_several_seeds_did_not_tell_is_not_said_to_be_told_by_fewer() -> None:
    """With 21 pairs a p of 0.003 alone is no verdict, and what would be one is not by the test of a single pair."""
    studies = [drawn_study(f"s{index}", ahead=0.08 * index) for index in range(7)]
    found = [of for pair in compare_studies(studies).pairs for of in pair.figures.values()]
    open_ = [of for of in found if of.verdict == "not distinguishable"]
    assert any(of.p_value < 0.01 for of in open_)
    assert any(of.pairs_to_tell for of in open_)
    assert all(of.pairs_to_tell is None or of.pairs_to_tell > of.pairs for of in open_)


def test_folds_are_compared_run_by_run_with_the_overlap_of_their_training_rows() -> None:
    one, other = drawn_study("one", [42, 43], 0.1, folds=4), drawn_study("other", [42, 43], folds=4)
    assert other.correct is not None
    turned = replace(other, trials=other.trials[::-1], correct=other.correct.take(range(8)[::-1]))
    comparison = compare_studies([one, turned])
    (pair,) = comparison.pairs
    for figure in FIGURES:
        differences = [getattr(a, figure) - getattr(b, figure) for a, b in zip(one.trials, other.trials, strict=True)]
        error = np.std(differences, ddof=1) * np.sqrt(1 / 8 + 1 / 3)  # 1 of 4 folds validates, 3 train
        half = stats.t.ppf(0.975, 7) * error
        found = pair.figures[figure]
        expected = (np.mean(differences) - half, np.mean(differences) + half)
        np.testing.assert_allclose((found.low, found.high), expected, rtol=1e-9)
        np.testing.assert_allclose(found.p_value, 2 * stats.t.sf(abs(np.mean(differences)) / error, 7), rtol=1e-9)
    assert all(re.search(r"\b8 runs\b", line) for line in sentences(comparison.pairs, "val_accuracy"))


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
    alike = comparison.pairs[2].figures
    assert {(of.difference, of.p_value, of.verdict) for of in alike.values()} == {(0, 1, "not distinguishable")}


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
INDISTINCT = {"verdict": "not distinguishable", "p_holm": 0.0831, "difference": -0.012, "low": -0.03, "high": 0.006}
BETTER = {"verdict": "better", "p_holm": 0.00123, "difference": 0.0244, "low": 0.0201, "high": 0.0287}


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (
            made_pair("bn", "elu", **BETTER, pairs_to_tell=2),
            "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 seeds" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **BETTER | {"verdict": "worse"}, folds=5, pairs_to_tell=None),
            "bn is worse than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 runs" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **INDISTINCT, pairs_to_tell=12),
            "bn and elu are not distinguishable: test accuracy -1.20 points (-3.00 to +0.60), p = 0.083, 5 seeds; "
            "about 12 seeds would tell such a difference" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **INDISTINCT, pairs_to_tell=None),
            "bn and elu are not distinguishable: test accuracy -1.20 points (-3.00 to +0.60), p = 0.083, 5 seeds; "
            "more than 1,000 seeds, or more images, would tell such a difference" + DIFFER,
        ),
        (
            made_pair("bn", "elu", **BETTER, pairs_to_tell=2, lost={"bn": (2, 2)}),
            "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 seeds; "
            "bn lost 2 of 7 seeds (diverged)" + DIFFER,
        ),
        (
            made_pair("bn", "elu", folds=5, **BETTER, pairs_to_tell=2, lost={"bn": (1, 0), "elu": (3, 2)}),
            "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 runs; "
            "1 of 7 runs of bn diverged after the best epoch, whose figures count; elu lost 2 of 7 runs (diverged); "
            "1 of 7 runs of elu diverged after the best epoch, whose figures count" + DIFFER,
        ),
        (
            made_pair("bn", "elu", verdict="not compared", lost={"elu": (7, 7)}),
            "bn and elu are not compared: test accuracy, 5 finished seeds in common; elu lost 7 of 7 seeds (diverged)"
            + DIFFER,
        ),
        (
            made_pair("bn", "elu", **BETTER, fields=()),
            "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 seeds "
            "(they differ in no field)",
        ),
        (
            made_pair(
                "bn", "elu", **BETTER, fields=("data.flip", *(f"model.f{n}" for n in range(4)), "optim.a", "optim.b")
            ),
            "bn is better than elu: test accuracy +2.44 points (+2.01 to +2.87), p = 0.0012, 5 seeds "
            "(they differ in data.flip, 4 fields of model, 2 fields of optim)",
        ),
    ],
)
def test_a_verdict_in_words(pair, sentence) -> None:
    assert sentences([pair], "test_accuracy") == [sentence]


def test_the_table_has_the_means_the_differences_and_both_accuracies_in_words() -> None:
    studies = [drawn_study("a", ahead=0.5), drawn_study("b"), drawn_study("c", ahead=0.01)]
    comparison = compare_studies(studies)
    title, header, *rest = comparison_table(comparison).splitlines()
    assert title.startswith("fashion_mnist: ")
    assert "3 pairs (Holm)" in title
    assert header.split() == [*(word for figure in FIGURES for word in figure.split("_")), "differing", "fields"]
    rows = [re.split(r"\s{2,}", line.strip()) for line in rest[:6]]
    for row, study in zip(rows, studies, strict=False):
        mean = study.mean
        halves = {of: (mean[of].high - mean[of].low) / 2 for of in FIGURES}
        assert row == [study.name, *(f"{mean[of].mean:.4f} ± {halves[of]:.4f}" for of in FIGURES)]
    for row, pair in zip(rows[3:], comparison.pairs, strict=True):
        told = [f.verdict != "not distinguishable" for f in pair.figures.values()]
        assert row[0] == f"{pair.one} - {pair.other}"
        assert [cell.endswith("*") for cell in row[1:-1]] == told
        assert row[-1] == "0"
        assert [float(cell.split(" ± ")[0]) for cell in row[1:-1]] == [
            round(of.difference, 4) for of in pair.figures.values()
        ]
    assert rows[3][1].endswith("*")
    assert not rows[5][1].endswith("*")
    assert rest[7:] == [*sentences(comparison.pairs, "val_accuracy"), *sentences(comparison.pairs, "test_accuracy")]
    assert "Holm" not in comparison_table(compare_studies(studies[:2]))


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
            assert float(cell.strip("*")) == pytest.approx(100 * sign * found.difference, abs=0.051)
            assert cell.startswith("**") == cell.endswith("**") == (found.verdict != "not distinguishable")
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
            assert {
                getattr(found, key) for key in ("difference", "low", "high", "p_value", "p_holm", "pairs_to_tell")
            } == {None}
    first, _, second = sentences(comparison.pairs, "test_accuracy")
    assert first.startswith(f"one and wild are not compared: test accuracy, {5 - len(lost)} finished seeds in common")
    assert f"; wild lost {len(lost)} of 5 seeds (diverged)" in second
    table = comparison_table(comparison)
    assert "Holm" not in table
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
