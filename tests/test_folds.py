"""Stratified folds: every row is for validation once, and a run on a fold is the run on its rows."""

from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import SMALL, compilations, lean_compilation, small_arrays, small_dataset

from jaxdeep.config import Data
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.folds import stratified_folds
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit

DATA = small_dataset(SMALL)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def numbered(labels: np.ndarray, valid_size: int) -> Dataset:
    """Rows whose one feature is their number."""
    numbers = np.arange(len(labels), dtype=np.float32)[:, None]
    parts = slice(valid_size, None), slice(valid_size)
    train, valid = (Split(jnp.asarray(numbers[part]), jnp.asarray(labels[part])) for part in parts)
    return Dataset(train, valid, valid, jnp.zeros(()), jnp.ones(()), int(labels.max()) + 1, (1,))


def rows_of(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, by NumPy."""
    assert split.rows is not None
    rows = np.asarray(split.rows)
    return np.asarray(split.images)[rows], np.asarray(split.labels)[rows]


@st.composite
def dealt(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int]:
    """Labels, number of validation rows, folds, seed."""
    counts = draw(st.lists(st.integers(2, 9), min_size=1, max_size=4))
    labels = np.asarray(draw(st.permutations(np.repeat(np.arange(len(counts)), counts).tolist())), np.int32)
    valid_size = draw(st.integers(1, len(labels) - 1))
    return labels, valid_size, draw(st.integers(2, min(counts))), draw(st.integers(0, 2**32 - 1))


@given(dealt(), st.booleans())
@settings(max_examples=50)
def test_every_row_is_for_validation_once_and_classes_are_dealt_evenly(case, of_a_fold: bool) -> None:
    labels, valid_size, count, seed = case
    dataset, data = numbered(labels, valid_size), Data("none")
    if of_a_fold:
        dataset = stratified_folds(dataset, data, 2)[1]
    folds = stratified_folds(dataset, data, count, seed)
    assert len(folds) == count
    numbers = [rows_of(fold.valid)[0][:, 0].astype(int) for fold in folds]
    assert sorted(np.concatenate(numbers)) == [*range(len(labels))]
    for fold, valid in zip(folds, numbers, strict=True):
        train, of_train = rows_of(fold.train)
        assert sorted([*train[:, 0], *valid]) == [*range(len(labels))]
        np.testing.assert_array_equal(of_train, labels[train[:, 0].astype(int)])
        np.testing.assert_array_equal(rows_of(fold.valid)[1], labels[valid])
        assert fold.test is dataset.test
    of_classes = np.asarray([np.bincount(labels[valid], minlength=labels.max() + 1) for valid in numbers])
    assert np.ptp(of_classes.sum(1)) <= 1
    assert np.ptp(of_classes, axis=0).max() <= 1


def test_folds_share_the_images_on_the_device() -> None:
    folds = stratified_folds(DATA, SMALL.data, 3)
    for name in ("images", "labels"):
        assert len({id(getattr(split, name)) for fold in folds for split in (fold.train, fold.valid)}) == 1
    assert {id(leaf) for fold in folds for leaf in fold.test} == {id(leaf) for leaf in DATA.test}
    assert folds[0].train.images.dtype == np.uint8


@pytest.mark.parametrize("scaling", ["none", "unit", "standardize"])
def test_a_fold_is_scaled_by_its_own_training_rows(scaling) -> None:
    images, labels = small_arrays(200)
    images[:, 0, 0] = 7
    data = Data(scaling, valid_size=50)
    for fold in stratified_folds(Dataset.from_arrays(images, labels, data=data), data, 3):
        rows = rows_of(fold.train)[0].astype(np.float64)
        std = rows.std(0, keepdims=True)
        std[0, 0] = 1
        mean, scale = {
            "none": (np.zeros(()), np.ones(())),
            "unit": (np.zeros(()), np.asarray(1 / 255)),
            "standardize": (rows.mean(0, keepdims=True), 1 / std),
        }[scaling]
        np.testing.assert_allclose(fold.mean, mean, rtol=1e-6)
        np.testing.assert_allclose(fold.scale, scale, rtol=1e-6)
        assert (fold.mean.shape, fold.scale.shape) == (mean.shape, scale.shape)


def test_a_run_on_a_fold_is_the_run_on_its_rows_bit_for_bit() -> None:
    fold = stratified_folds(DATA, SMALL.data, 2)[1]
    train, valid = (Split(*map(jnp.asarray, rows_of(split))) for split in (fold.train, fold.valid))
    plain = replace(fold, train=train, valid=valid)
    assert_same(fit(SMALL, fold), fit(SMALL, plain))


def assert_same(one: Run, other: Run) -> None:
    assert [record[:-1] for record in one.history] == [record[:-1] for record in other.history]
    assert (one.best_epoch, one.test_loss) == (other.best_epoch, other.test_loss)
    leaves = (jax.tree.leaves((run.params, run.val_correct, run.test_correct)) for run in (one, other))
    for left, right in zip(*leaves, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_seed_says_which_rows_are_in_which_fold() -> None:
    def rows(seed: int) -> list[list[int]]:
        return [fold.valid.rows.tolist() for fold in stratified_folds(DATA, SMALL.data, 3, seed)]

    assert rows(0) == rows(0) != rows(1)


def test_runs_on_different_folds_are_different_runs() -> None:
    deals = [(2, 0), (3, 0), (3, 1)]
    folds = [fold for deal in deals for fold in stratified_folds(DATA, SMALL.data, *deal)]
    assert len({str(data.identity()) for data in (DATA, *folds)}) == 1 + 2 + 3 + 3
    assert folds[0].identity() == stratified_folds(DATA, SMALL.data, 2)[0].identity()


@pytest.mark.parametrize("count", [-1, 0, 1, 4])
def test_so_many_folds_are_refused_as_one_class_has_too_few_rows_for(count: int) -> None:
    dataset = numbered(np.asarray([0, 1, 1, 0, 1, 0, 1], np.int32), 2)
    assert len(stratified_folds(dataset, Data("none"), 3)) == 3
    with pytest.raises(
        UserError, match=rf"^{count} folds are not possible\. Give 2 to 3, the rows of the rarest class\.$"
    ):
        stratified_folds(dataset, Data("none"), count)


def test_a_class_that_is_in_the_test_rows_only_is_not_dealt() -> None:
    dataset = numbered(np.asarray([0, 1, 1, 0, 1, 0, 1], np.int32), 2)
    dataset = replace(dataset, classes=3)
    assert len(stratified_folds(dataset, Data("none"), 3)) == 3
    with pytest.raises(UserError, match=r"^4 folds are not possible\. Give 2 to 3"):
        stratified_folds(dataset, Data("none"), 4)


def test_no_folds_are_made_where_a_class_has_one_row() -> None:
    dataset = numbered(np.asarray([0, 1, 1, 0, 2, 0, 1], np.int32), 2)
    with pytest.raises(UserError, match=r"^2 folds are not possible because a class has 1 row only"):
        stratified_folds(dataset, Data("none"), 2)


def test_folds_are_made_where_validation_lacks_a_class() -> None:
    images, labels = small_arrays(200)
    labels[:50] = np.where(labels[:50] == 3, 1, labels[:50])
    with pytest.warns(JaxdeepWarning, match="the validation part lacks"):
        data = Dataset.from_arrays(images, labels, data=SMALL.data)
    for fold in stratified_folds(data, SMALL.data, 3):
        assert set(rows_of(fold.valid)[1]) == set(rows_of(fold.train)[1]) == {0, 1, 2, 3}


def test_a_fold_of_rows_with_an_offset_is_scaled_and_known_by_its_own_training_rows() -> None:
    rows = np.random.default_rng(0).random((200, 3)) + np.asarray([1.7e9, 0, 0])
    data = Dataset.from_arrays(rows, np.arange(200) % 2, data=SMALL.data)
    for fold in stratified_folds(data, SMALL.data, 3):
        assert fold.info is not None
        assert fold.info.columns is not None
        given = rows[:150][np.asarray(fold.train.rows)]
        np.testing.assert_allclose(fold.info.columns.low, given.min(0), rtol=1e-7)
        np.testing.assert_allclose(fold.info.columns.high, given.max(0), rtol=1e-7)
        entering = (rows_of(fold.train)[0] - np.asarray(fold.mean)) * np.asarray(fold.scale)
        np.testing.assert_allclose(entering, (given - given.mean(0)) / given.std(0), atol=2**-11)


def test_what_float32_loses_in_one_fold_is_warned_of() -> None:
    rows = np.random.default_rng(0).random((200, 3)) + 1e5
    rows[120, 1] = 1e7
    data = Dataset.from_arrays(rows[:, 1:2], np.arange(200) % 2, data=SMALL.data)
    with pytest.warns(JaxdeepWarning, match="^column 0 varies too little around its mean for float32"):
        stratified_folds(data, SMALL.data, 2)


def test_members_on_folds_are_the_runs_alone_bit_for_bit_and_share_one_program() -> None:
    folds = stratified_folds(DATA, SMALL.data, 2)
    trials = [Trial(SMALL, seed, fold=fold) for seed in (1, 2) for fold in (0, 1)]
    assert [trial.name for trial in trials] == ["seed_1,fold_0", "seed_1,fold_1", "seed_2,fold_0", "seed_2,fold_1"]
    assert trials[1].labels == {"seed": 1, "fold": 1}
    fit(SMALL, folds[0], 0)
    with compilations() as heard:
        runs = fit_all(trials, folds, workers=2)
        alone = [fit(SMALL, folds[trial.fold], trial.seed) for trial in trials]
    assert not heard
    for run, other in zip(runs, alone, strict=True):
        assert run.data is other.data
        assert_same(run, other)
    assert len({run.val_loss for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("fold", "are_folds", "message"),
    [
        (None, True, "names no fold, and the data are 2 folds"),
        (2, True, "names fold 2, and the data are 2 folds"),
        (0, False, "names a fold, and the data are one data set"),
    ],
)
def test_a_member_names_a_fold_exactly_where_folds_are_given(fold, are_folds, message):
    whole = small_dataset(SMALL)
    data = stratified_folds(whole, SMALL.data, 2) if are_folds else whole
    with pytest.raises(UserError, match=message):
        fit_all([Trial(SMALL, 1, fold=fold)], data)
