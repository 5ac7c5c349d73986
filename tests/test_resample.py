"""Validation rows that each seed draws anew: which rows, how they are scaled, and the same bits everywhere."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import LEAN, SMALL, compilations, lean_compilation, small_arrays, small_dataset

from jaxdeep import Data, Dataset, Run, StudyResult, Trial, fit, fit_all, run_study, stratified_folds
from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.config.identity import comparable
from jaxdeep.data.dataset import Split
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.errors import UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.stored import read_study
from jaxdeep.train import lr_finder
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.programs import spec_of
from tests.test_folds import numbered

CONFIG = SMALL.updated({"data.resample": True, "train.epochs": 2})
DATA = small_dataset(CONFIG)
RATE = "optim.learning_rate"


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def numbers_of(split: Split) -> list[int]:
    return split.own_images[:, 0].astype(int).tolist()


def assert_same(one: Run, other: Run) -> None:
    assert [record[:-1] for record in one.history] == [record[:-1] for record in other.history]
    for name in ("train", "valid"):
        np.testing.assert_array_equal(getattr(one.data, name).own_images, getattr(other.data, name).own_images)
    leaves = (jax.tree.leaves((run.params, run.val_correct, run.test_correct)) for run in (one, other))
    for left, right in zip(*leaves, strict=True):
        np.testing.assert_array_equal(left, right)


# ---- which rows


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Labels, and a number of validation rows that leaves each class a training row."""
    counts = draw(st.lists(st.integers(2, 40), min_size=1, max_size=4))
    labels = np.asarray(draw(st.permutations(np.repeat(np.arange(len(counts)), counts).tolist())), np.int32)
    most = len(labels) - -(-len(labels) // min(counts))
    return labels, draw(st.integers(1, most))


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_seed_draws_as_many_rows_and_of_each_class_its_share(case, seed: int) -> None:
    labels, count = case
    dataset, data = numbered(labels, count), Data("none", resample=True)
    drawn = datasets_of_seeds(dataset, data, (seed,))[seed]
    train, valid = numbers_of(drawn.train), numbers_of(drawn.valid)
    assert len(valid) == count
    assert sorted(train + valid) == [*range(len(labels))]
    for split, numbers in ((drawn.train, train), (drawn.valid, valid)):
        np.testing.assert_array_equal(split.own_labels, labels[numbers])
    shares = np.bincount(labels) * count / len(labels)
    found = np.bincount(labels[valid], minlength=len(shares))
    assert (np.abs(found - shares) < 1).all()
    assert (np.bincount(labels[train], minlength=len(shares)) > 0).all()
    assert drawn.test is dataset.test
    again = datasets_of_seeds(drawn, data, (seed,))[seed]
    assert (numbers_of(again.train), numbers_of(again.valid)) == (train, valid)
    assert again.train.images is drawn.train.images


def test_each_row_is_as_often_for_validation_as_any_other() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [31, 13, 6])).astype(np.int32)
    data, seeds = Data("none", resample=True), range(2_000)
    drawn = datasets_of_seeds(numbered(labels, 17), data, seeds)
    times = np.bincount(np.concatenate([numbers_of(of.valid) for of in drawn.values()]), minlength=50)
    expected = len(seeds) * 17 / 50
    assert np.abs(times - expected).max() < 5 * (expected * (1 - 17 / 50)) ** 0.5


def test_seeds_draw_other_rows_and_share_the_images_on_the_device() -> None:
    drawn = datasets_of_seeds(DATA, CONFIG.data, (1, 2, 1))
    assert [*drawn] == [1, 2]
    assert numbers_of(drawn[1].valid) != numbers_of(drawn[2].valid)
    images = {id(split.images) for of in (DATA, *drawn.values()) for split in (of.train, of.valid)}
    assert len(images) == 1
    own = spec_of(CONFIG, [*drawn.values()]).is_own
    assert sum(own) == 4  # rows of both splits, mean and scale


def test_without_the_field_the_data_set_is_the_given_one() -> None:
    data = small_dataset(SMALL)
    assert datasets_of_seeds(data, SMALL.data, (1,))[1] is data
    assert data.train.rows is None


@pytest.mark.parametrize("scaling", ["none", "unit", "standardize"])
def test_a_seed_scales_and_checks_by_its_own_training_rows(scaling) -> None:
    data = Data(scaling, valid_size=50, resample=True)
    images, labels = small_arrays(200)
    images[7] = 255
    dataset = Dataset.from_arrays(images, labels, data=data)
    for drawn in datasets_of_seeds(dataset, data, range(3)).values():
        rows = drawn.train.own_images.astype(np.float64)
        mean, scale = {
            "none": (np.zeros(()), np.ones(())),
            "unit": (np.zeros(()), np.asarray(1 / 255)),
            "standardize": (rows.mean(0, keepdims=True), 1 / rows.std(0, keepdims=True)),
        }[scaling]
        np.testing.assert_allclose(drawn.mean, mean, rtol=1e-6)
        np.testing.assert_allclose(drawn.scale, scale, rtol=1e-6)
        assert drawn.info is not None
        assert drawn.info.columns is not None
        np.testing.assert_array_equal(drawn.info.columns.high, rows.max(0))


def test_the_pool_is_what_the_data_set_holds(tmp_path) -> None:
    images, labels = small_arrays(200)
    data = Data("none", valid_size=50, train_size=90, resample=True)
    drawn = datasets_of_seeds(Dataset.from_arrays(images, labels, images[:9], labels[:9], data=data), data, (3,))[3]
    assert (drawn.train.size, drawn.valid.size, drawn.test.size) == (90, 50, 9)
    pool = np.concatenate([drawn.train.own_images, drawn.valid.own_images])
    np.testing.assert_array_equal(np.sort(pool, 0), np.sort(images[:140].reshape(140, -1), 0))

    own = {"x_valid": images[:30], "y_valid": labels[:30], "x_test": images[:9], "y_test": labels[:9]}
    np.savez(tmp_path / "own.npz", x=images[30:], y=labels[30:], **own)
    share = Data("none", resample=True)
    of_file = datasets_of_seeds(Dataset.from_npz(tmp_path / "own.npz", share), share, (3,))[3]
    assert (of_file.train.size, of_file.valid.size) == (170, 30)
    assert len(set(np.asarray(of_file.valid.rows).tolist()) - set(range(30))) > 0


# ---- the same bits everywhere


def test_a_trial_alone_is_the_trial_of_any_study_and_its_run_knows_its_rows() -> None:
    alone = {seed: fit(CONFIG, DATA, seed) for seed in (1, 2)}
    with compilations() as heard:
        rates = [CONFIG.updated({RATE: rate}) for rate in (1e-3, CONFIG.optim.learning_rate)]
        runs = fit_all(
            [Trial(config, seed, {RATE: config.optim.learning_rate}) for config in rates for seed in (2, 1)],
            DATA,
            workers=2,
        )
    assert not heard
    assert_same(runs[2], alone[2])
    assert_same(runs[3], alone[1])
    assert runs[0].data is runs[2].data  # candidates of a seed share its rows
    run = alone[1]
    found = run.predict(run.data.valid.own_images).argmax(1) == run.data.valid.own_labels
    np.testing.assert_array_equal(found, run.val_correct)
    assert_same(fit(run.config, run.data, run.seed), run)
    assert np.ptp([run.val_loss for run in alone.values()]) > 0


def test_a_run_is_the_run_on_its_rows() -> None:
    run, drawn = fit(CONFIG, DATA, 1), datasets_of_seeds(DATA, CONFIG.data, (1,))[1]
    info = drawn.info and drawn.info._replace(data=None)
    train, valid = (Split(jnp.asarray(of.own_images), jnp.asarray(of.own_labels)) for of in (drawn.train, drawn.valid))
    plain = replace(drawn, train=train, valid=valid, info=info)
    assert_same(fit(CONFIG.updated({"data.resample": False}), plain, 1), run)


def test_beside_each_other_trials_have_their_own_rows() -> None:
    drawn = datasets_of_seeds(DATA, CONFIG.data, (1, 2))
    runs = fit_batched([Trial(CONFIG, seed) for seed in drawn], [*drawn.values()], [None, None])
    for run, alone in zip(runs, fit_all([Trial(CONFIG, seed) for seed in drawn], DATA), strict=True):
        np.testing.assert_allclose(run.val_loss, alone.val_loss, rtol=1e-4)
        np.testing.assert_array_equal(run.data.valid.rows, alone.data.valid.rows)


class Killed(Exception):
    pass


def test_a_killed_run_continues_on_its_rows(tmp_path) -> None:
    def kill(history) -> None:
        raise Killed

    with pytest.raises(Killed):
        fit(CONFIG, DATA, 1, checkpoints=tmp_path / "run", on_epoch=kill)
    assert_same(fit(CONFIG, DATA, 1, checkpoints=tmp_path / "run"), fit(CONFIG, DATA, 1))
    trials = [Trial(CONFIG, seed) for seed in (1, 2)]

    def folder(trial: Trial) -> Path:
        return tmp_path / "study" / trial.name

    with pytest.raises(Killed):
        fit_all(trials, DATA, checkpoints=folder, on_epoch=lambda index, history: kill(history))
    for run, alone in zip(fit_all(trials, DATA, checkpoints=folder), fit_all(trials, DATA), strict=True):
        assert_same(run, alone)
    plain = CONFIG.updated({"data.resample": False})
    with pytest.raises(UserError, match=r"data\.resample"):
        fit(plain, small_dataset(plain), 1, checkpoints=tmp_path / "run")


def test_a_grown_study_is_the_whole_study(tmp_path) -> None:
    def study(seeds: int, **more: Any) -> StudyResult:
        return run_study(CONFIG, DATA, seeds=seeds, name="small", **more)

    small, whole = study(2), study(3)
    grown, kept = study(3, earlier=small), [study(seeds, folder=tmp_path) for seeds in (2, 3, 2)]
    for one, other in ((grown, whole), (kept[1], whole), (kept[2], small)):
        assert one.mean["val_loss"] == other.mean["val_loss"]
        assert one.correct is not None
        assert other.correct is not None
        np.testing.assert_array_equal(one.correct.valid, other.correct.valid)
        assert one.overlap == other.overlap == pytest.approx(1 / 3)
    stored = read_study(tmp_path / "summary.json")
    assert stored.overlap == whole.overlap
    assert stored.config["data"]["resample"] is True


def test_a_search_by_halving_draws_the_same_rows_in_every_round() -> None:
    config = CONFIG.updated({"train.epochs": 3})
    found = run_study(config, DATA, seeds=1, grid={RATE: [1e-3, 3e-3, 1e-2]}, halving="successive")
    best = next(index for index, trial in enumerate(found.trials) if trial.epochs == 3)
    rate = found.trials[best].values[RATE]
    assert_same(found.runs[best], fit(config.updated({RATE: rate}), DATA, 42))


def test_a_range_test_trains_each_seed_on_its_own_rows(monkeypatch) -> None:
    monkeypatch.setattr(lr_finder, "FAST", LEAN)
    both = find_learning_rate(CONFIG, DATA, (1, 2))
    drawn = replace(datasets_of_seeds(DATA, CONFIG.data, (2,))[2], info=None)
    alone = find_learning_rate(CONFIG.updated({"data.resample": False}), drawn, (2,))
    np.testing.assert_allclose(both.losses[1][:50], alone.losses[0][:50], rtol=1e-4)
    assert np.abs(both.losses[0][:50] - both.losses[1][:50]).max() > 1e-3


# ---- intervals


def test_the_interval_allows_for_the_rows_that_seeds_share() -> None:
    plain = CONFIG.updated({"data.resample": False})
    drawn, fixed = (run_study(of, small_dataset(of), seeds=4).mean["val_loss"] for of in (CONFIG, plain))

    def width_in_deviations(figure) -> float:
        return (figure.high - figure.low) / figure.std

    assert width_in_deviations(drawn) / width_in_deviations(fixed) == pytest.approx((1 + 4 / 3) ** 0.5)


def test_the_interval_covers_the_mean_over_other_rows_as_often_as_it_says() -> None:
    """The nearest class mean, on rows of two normal classes, is trained on the splits of ten seeds."""
    rng, labels = np.random.default_rng(0), np.arange(100, dtype=np.int32) % 2
    drawn = datasets_of_seeds(numbered(labels, 20), Data("none", resample=True), range(10)).values()
    splits = [(np.asarray(numbers_of(of.train)), np.asarray(numbers_of(of.valid))) for of in drawn]

    def accuracy(x: np.ndarray, train: np.ndarray, valid: np.ndarray) -> float:
        means = np.stack([x[train[labels[train] == label]].mean(0) for label in (0, 1)])
        nearest = ((x[valid, None] - means) ** 2).sum(-1).argmin(1)
        return float((nearest == labels[valid]).mean())

    pools = [rng.normal(size=(100, 5)) + 0.6 * labels[:, None] for _ in range(400)]
    accuracies = [[accuracy(x, *split) for split in splits] for x in pools]
    mean = float(np.mean(accuracies))

    def covered(overlap: float) -> float:
        found = [mean_over_runs(of_pool, overlap) for of_pool in accuracies]
        return float(np.mean([of.low <= mean <= of.high for of in found if of.low is not None and of.high is not None]))

    assert covered(0.0) < 0.8
    assert covered(20 / 80) > 0.92


# ---- identity and refusals


def test_another_study_and_old_summaries() -> None:
    plain = {"seeds": [1], "config": CONFIG.updated({"data.resample": False}).to_dict()}
    drawn = {**plain, "config": CONFIG.to_dict()}
    old = {**plain, "config": {**plain["config"], "data": dict(plain["config"]["data"])}}
    del old["config"]["data"]["resample"]
    assert comparable(old) == comparable(plain)
    assert relation(old, plain) is Relation.SAME
    assert relation(old, drawn) is relation(plain, drawn) is Relation.OTHER


def refusals() -> dict[str, tuple[Any, str]]:
    rare = np.asarray([0] * 30 + [1], np.int32)
    own = replace(CONFIG, data=Data("none", resample=True))
    plain = small_dataset(SMALL)
    return {
        "folds": (lambda: run_study(CONFIG, DATA, folds=2), r"data\.resample has no effect with folds.* Remove one"),
        "stratified folds": (
            lambda: stratified_folds(DATA, CONFIG.data, 2),
            r"data\.resample has no effect with folds",
        ),
        "trials of folds": (
            lambda: fit_all([Trial(CONFIG, 1, fold=0)], [DATA]),
            "the data are folds",
        ),
        "an ensemble": (lambda: run_study(CONFIG, DATA, seeds=2, ensemble=True), r"data\.resample gives each network"),
        "a rare class": (lambda: fit(own, numbered(rare, 6)), r"needs 2 .* the rarest has 1\. .* or lower data\.valid"),
        "a data set made without it": (lambda: fit(CONFIG, plain), r"data\.resample \(data set False, conf"),
        "a grid of it": (
            lambda: run_study(CONFIG, DATA, grid={"data.resample": [True, False]}),
            "all trials",
        ),
        "no truth value": (lambda: Data(resample=2), r"data\.resample is 2"),  # pyright: ignore[reportArgumentType]
    }


@pytest.mark.parametrize("name", refusals())
def test_refused(name: str) -> None:
    call, message = refusals()[name]
    with pytest.raises(UserError, match=message):
        call()


def test_the_command_line_takes_the_flag(tmp_path: Path, monkeypatch, capsys) -> None:
    from jaxdeep.cli.console import main

    monkeypatch.chdir(tmp_path)
    images, labels = small_arrays(120)
    np.savez("mine.npz", x=images, y=labels)
    words = ["train", "mine.npz", "--data.resample", "--epochs", "1", "--seeds", "2"]
    assert main(words) == 0
    (summary,) = tmp_path.glob("runs/**/summary.json")
    assert read_study(summary).config["data"]["resample"] is True
    assert "drawn for each seed" in capsys.readouterr().err
    assert main([*words, "--folds", "2"]) == 2
    assert "Remove one of them" in capsys.readouterr().err
