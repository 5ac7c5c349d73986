"""The means of a study and their intervals, against scipy: over seeds, over folds, and within the range of a figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_data import SMALL

from jaxdeep.report.tables import study_table
from jaxdeep.study.result import MEANS, StudyResult
from jaxdeep.study.summarise import select, summarise
from jaxdeep.study.trial import Trial
from jaxdeep.study.trial_result import TEST_METRICS, MeanFigure
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord

IDENTITY: dict[str, Any] = {
    "experiment": "cifar",
    "name": "selu",
    "config": SMALL.to_dict(),
    "seeds": [1],
    "data": {"name": "cifar10", "source": "classic files", "synthetic": False, "digest": "2c0c68dbd4e8e639"},
}
LOST = math.nan
"""Figure of a trial that diverged at once."""


def run_of(trial: Trial, accuracy: float, loss: float) -> Run:
    """A run of one epoch with these figures of the validation and of the test rows."""
    sizes = {"train": 10, "valid": 10, "test": 0}  # without test rows there are no metrics
    parts = {name: SimpleNamespace(size=size, capacity=10) for name, size in sizes.items()}
    data: Any = SimpleNamespace(**parts, task="classification", info=SimpleNamespace(class_names=("a", "b", "c")))
    return Run(
        config=trial.config,
        data=data,
        seed=trial.seed,
        history=(EpochRecord(1, loss, 0.5, loss, accuracy, 1e-3, 2.0),),
        params={},
        batch_stats={},
        best_epoch=1,
        val_loss=loss,
        val_accuracy=accuracy,
        test_loss=loss,
        test_accuracy=accuracy,
        val_correct=np.zeros(10, bool),
        test_correct=np.zeros(10, bool),
        diverged=not math.isfinite(loss),
        compile_seconds=0.5,
        checkpoint_seconds=0.0,
        train_loss=loss,
        train_accuracy=accuracy,
    )


def studied(figures: Mapping[tuple[int, int | None], tuple[float, float]], folds: int | None = None) -> StudyResult:
    """A study with an accuracy and a loss for each seed and fold."""
    trials = [Trial(SMALL, seed, fold=fold) for seed, fold in figures]
    runs = {index: run_of(trial, *of) for index, (trial, of) in enumerate(zip(trials, figures.values(), strict=True))}
    identity = IDENTITY | {"seeds": sorted({seed for seed, _ in figures})} | ({"folds": folds} if folds else {})
    overlap = 1 / (folds - 1) if folds else 0.0
    return summarise(identity, trials, runs, overlap=overlap, command="python", wall_seconds=1.0)


def of_seeds(accuracies: Sequence[float], losses: Sequence[float] | None = None) -> Mapping[str, MeanFigure]:
    """The means of a study without folds."""
    of = losses if losses is not None else [1.0 + value for value in accuracies]
    return studied({(seed, None): pair for seed, pair in enumerate(zip(accuracies, of, strict=True))}).mean


def drawn_figures(seeds: int, folds: int) -> dict[tuple[int, int | None], tuple[float, float]]:
    """Figures that differ by fold more than by seed."""
    rng = np.random.default_rng([seeds, folds])
    of_fold = rng.normal(0, 0.03, (folds, 2))
    return {
        (seed, fold): tuple([0.5, 1.4] + of_fold[fold] + rng.normal(0, 0.02, 2))
        for seed in range(seeds)
        for fold in range(folds)
    }


def test_without_folds_it_is_students_interval_over_seeds() -> None:
    accuracies, losses = np.random.default_rng(0).normal([[0.5], [1.4]], 0.02, (2, 5))
    mean = of_seeds(accuracies, losses)
    for name, values in (("test_accuracy", accuracies), ("val_accuracy", accuracies), ("test_loss", losses)):
        low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
        found = mean[name]
        np.testing.assert_allclose((found.mean, found.std), (values.mean(), values.std(ddof=1)), rtol=1e-12)
        np.testing.assert_allclose((found.low, found.high), (low, high), rtol=1e-9)
        assert found.runs == 5


@pytest.mark.parametrize(("seeds", "folds"), [(1, 4), (2, 2), (3, 5)])
def test_an_interval_over_folds_is_that_of_their_means_over_seeds(seeds: int, folds: int) -> None:
    figures = drawn_figures(seeds, folds)
    mean = studied(figures, folds).mean
    for name in ("val_loss", "val_accuracy", "test_loss", "test_accuracy"):
        values = np.asarray([of["loss" in name] for of in figures.values()]).reshape(seeds, folds)
        error = stats.sem(values.mean(0)) * (1 + folds / (folds - 1)) ** 0.5  # of 1 / folds + 1 / (folds - 1)
        low, high = stats.t.interval(0.95, folds - 1, values.mean(), error)
        lowest, highest = (max(low, 0.0), high) if "loss" in name else (max(low, 0.0), min(high, 1.0))
        found = mean[name]
        np.testing.assert_allclose((found.mean, found.low, found.high), (values.mean(), lowest, highest), rtol=1e-9)
        assert (found.std, found.runs) == (pytest.approx(values.std(ddof=1)), seeds * folds)


def test_seeds_of_a_fold_that_give_the_same_again_narrow_no_interval() -> None:
    figures = drawn_figures(2, 4)
    twice = figures | {(seed + 100, fold): of for (seed, fold), of in figures.items()}
    once, found = (studied(of, 4).mean["test_accuracy"] for of in (figures, twice))
    assert (found.mean, found.low, found.high) == pytest.approx((once.mean, once.low, once.high))
    assert (found.runs, once.runs) == (16, 8)


def test_a_fold_that_lost_a_seed_counts_by_its_others() -> None:
    figures = drawn_figures(3, 3) | {(1, 2): (LOST, LOST)}
    found = studied(figures, 3).mean["test_loss"]
    of_folds = [np.nanmean([loss for (_, fold), (_, loss) in figures.items() if fold == one]) for one in range(3)]
    error = stats.sem(of_folds) * (1 + 3 / 2) ** 0.5
    low, high = stats.t.interval(0.95, 2, np.mean(of_folds), error)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)
    assert (found.runs, found.diverged) == (8, 1)


def test_of_one_fold_or_none_there_is_no_interval() -> None:
    figures = drawn_figures(2, 3)
    one = {key: of if key[1] == 0 else (LOST, LOST) for key, of in figures.items()}
    found = studied(one, 3).mean["test_loss"]
    assert found.mean == pytest.approx(np.mean([figures[seed, 0][1] for seed in range(2)]))
    assert (found.low, found.high, found.runs) == (None, None, 2)
    none = studied(dict.fromkeys(figures, (LOST, LOST)), 3).mean["test_loss"]
    assert (none.mean, none.low, none.high, none.runs) == (None, None, None, 0)


def test_an_interval_ends_at_the_range_of_its_figure() -> None:
    accuracies, losses = [0.8, 0.97, 0.99], [0.01, 0.02, 0.4]
    mean = of_seeds(accuracies, losses)
    for name, values, (lowest, highest) in (
        ("test_accuracy", accuracies, (0, 1)),
        ("val_accuracy", accuracies, (0, 1)),
        ("highest_val_accuracy", accuracies, (0, 1)),
        ("test_loss", losses, (0, np.inf)),
        ("val_loss", losses, (0, np.inf)),
    ):
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert low < lowest or high > highest
        assert (mean[name].low, mean[name].high) == pytest.approx((max(low, lowest), min(high, highest)))
    low, high = (mean["test_accuracy"].low, mean["test_accuracy"].high)
    assert high == 1
    text = study_table(studied({(seed, None): of for seed, of in enumerate(zip(accuracies, losses, strict=True))}))
    assert f" {np.mean(accuracies):.4f} ({low:.4f} to 1.0000) " in text
    assert f" {np.mean(losses):.4f} (0.0000 to {mean['test_loss'].high:.4f}) " in text


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(2, 5))
def test_no_interval_of_an_accuracy_leaves_its_range(accuracies: list[float], folds: int) -> None:
    figures = {(seed, fold): (value, value) for seed, value in enumerate(accuracies) for fold in range(folds)}
    figures[0, 0] = (0.0, 0.0)
    for mean in (of_seeds(accuracies), studied(figures, folds).mean):
        for found, name in ((mean[name], name) for name in MEANS if name not in TEST_METRICS):
            assert 0 <= found.low <= found.high
            assert found.high <= 1 or "accuracy" not in name


def test_the_bootstrap_needs_ten_values() -> None:
    accuracies = np.random.default_rng(0).normal(0.5, 0.02, 11)
    assert [of_seeds(accuracies[:count])["test_accuracy"].bootstrap for count in (2, 5, 9)] == [None] * 3
    assert of_seeds([*accuracies[:9], LOST, LOST], [*[1.0] * 9, LOST, LOST])["test_accuracy"].bootstrap is None
    assert of_seeds([0.5] * 12)["test_accuracy"].bootstrap is None
    for count in (10, 11):
        values = accuracies[:count]
        expected = stats.bootstrap((values,), np.mean, confidence_level=0.95, method="BCa", rng=0).confidence_interval
        assert of_seeds(values)["test_accuracy"].bootstrap == pytest.approx(tuple(expected), rel=1e-12)


def test_a_part_of_a_study_has_the_intervals_of_its_own_trials() -> None:
    figures = drawn_figures(4, 3)
    whole = studied(figures, 3)
    part = {key: of for key, of in figures.items() if key[0] < 2}
    trials = [Trial(SMALL, seed, fold=fold) for seed, fold in part]
    found = select(whole, IDENTITY | {"seeds": [0, 1], "folds": 3}, trials, overlap=1 / 2)
    expected = studied(part, 3).mean
    for name in ("test_accuracy", "val_loss"):
        assert found.mean[name] == expected[name]


def with_run(result_of: Sequence[Mapping[str, Any]]) -> StudyResult:
    """A study of a seed for each mapping, whose runs differ by its fields."""
    trials = [Trial(SMALL, seed) for seed in range(len(result_of))]
    runs = {index: replace(run_of(trials[index], 0.5, 1.0), **of) for index, of in enumerate(result_of)}
    return summarise(IDENTITY | {"seeds": list(range(len(runs)))}, trials, runs, wall_seconds=1.0)


def epochs(*figures: tuple[float, float]) -> tuple[EpochRecord, ...]:
    """Epochs with these validation losses and accuracies."""
    return tuple(EpochRecord(index, 1.0, 0.5, *of, 1e-3, 2.0) for index, of in enumerate(figures, start=1))


def test_a_regret_is_what_the_other_choice_of_epoch_would_have_given() -> None:
    history = epochs((1.2, 0.3), (1.0, 0.4), (1.1, 0.45), (math.nan, 0.1))
    by_loss = {"history": history, "best_epoch": 2, "val_loss": 1.0, "val_accuracy": 0.4}
    by_accuracy = {"history": history, "best_epoch": 3, "val_loss": 1.1, "val_accuracy": 0.45}
    result = with_run([by_loss, by_accuracy])
    first, second = result.trials
    assert (first.highest_val_accuracy, first.lowest_val_loss) == (0.45, 1.0)
    assert (first.accuracy_regret, first.loss_regret) == (pytest.approx(0.05), 0.0)
    assert (second.accuracy_regret, second.loss_regret) == (0.0, pytest.approx(0.1))
    assert result.mean["accuracy_regret"].mean == pytest.approx(0.025)
    assert result.mean["loss_regret"].mean == pytest.approx(0.05)
    row = first.to_json()
    assert (row["accuracy_regret"], row["loss_regret"], row["lowest_val_loss"]) == (first.accuracy_regret, 0.0, 1.0)
    lost = with_run([{"history": epochs((LOST, 0.1)), "best_epoch": 0, "val_loss": LOST, "val_accuracy": LOST}])
    assert (lost.trials[0].accuracy_regret, lost.trials[0].loss_regret) == (None, None)
    assert lost.mean["loss_regret"].runs == 0


def test_a_study_that_grows_takes_the_regret_of_earlier_trials_from_their_histories() -> None:
    history = epochs((1.0, 0.4), (1.2, 0.5))
    run = {"history": history, "best_epoch": 2, "val_loss": 1.2, "val_accuracy": 0.5}
    earlier = with_run([run])
    earlier = replace(earlier, trials=(replace(earlier.trials[0], lowest_val_loss=None),))
    trials = [Trial(SMALL, seed) for seed in (0, 1)]
    grown = summarise(
        IDENTITY | {"seeds": [0, 1]}, trials, {1: run_of(trials[1], 0.5, 1.0)}, earlier=earlier, wall_seconds=1.0
    )
    assert [row.loss_regret for row in grown.trials] == [pytest.approx(0.2), 0.0]


def test_figures_of_each_class_are_means_over_runs() -> None:
    counts = [np.array([[3, 1, 0], [2, 2, 0], [1, 3, 0]]), np.array([[4, 0, 0], [0, 2, 2], [1, 0, 3]])]
    result = with_run([{"confusion": of} for of in counts] + [{"confusion": None}])
    assert [row.confusion and np.asarray(row.confusion).tolist() for row in result.trials] == [
        *(of.tolist() for of in counts),
        None,
    ]
    first = result.trials[0].by_class
    assert first["precision"] == pytest.approx((3 / 6, 2 / 6, None))
    assert first["recall"] == pytest.approx((3 / 4, 2 / 4, 0.0))
    assert first["f1"] == pytest.approx((2 * 3 / 10, 2 * 2 / 10, 0.0))
    assert result.trials[2].by_class == {"precision": None, "recall": None, "f1": None}
    assert result.to_json()["class_names"] == ["a", "b", "c"]
    found = result.to_json()["by_class"]
    assert found["confusion"] == ((counts[0] + counts[1]) / 2).tolist()
    low, high = stats.t.interval(0.95, 1, 0.875, stats.sem([0.75, 1.0]))
    assert low < 0
    assert high > 1
    assert [found["recall"][name][0] for name in ("mean", "low", "high", "runs")] == [0.875, 0.0, 1.0, 2]
    assert [found["precision"][name][2] for name in ("mean", "low", "high", "runs")] == [3 / 5, None, None, 1]


def test_without_confusions_there_are_no_figures_of_classes() -> None:
    assert "by_class" not in with_run([{}]).to_json()
    assert "class_names" not in with_run([{}]).to_json()
