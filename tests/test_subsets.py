"""Subsets of a data set: which rows, under which labels, scaled how, and what is refused."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep import Config, Data, Dataset, Trial, fit, fit_all, lint, run_study, stratified_folds, table
from jaxdeep.config.identity import comparable
from jaxdeep.data.buckets import bucket
from jaxdeep.data.info import Split
from jaxdeep.data.sources import load_images
from jaxdeep.data.subsets import subset_of, unpadded
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.report.titles import data_in_words
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.runner import _datasets

SHORT = SMALL.updated({"model.units": (8,), "train.epochs": 1})
BASE = small_dataset(SHORT)
PARTS = ("train", "valid", "test")


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def chosen(**fields: Any) -> Config:
    return SHORT.updated({f"data.{name}": value for name, value in fields.items()})


def subset(**fields: Any) -> Dataset:
    return subset_of(BASE, chosen(**fields).data)


def rows_of(split: Split) -> list[int]:
    return split.own_rows.tolist()


# ---- classes


@pytest.mark.parametrize("classes", [(0, 2, 3), (3, 1)])
def test_classes_are_kept_and_numbered_anew(classes) -> None:
    data = subset(classes=classes)
    assert data.classes == len(classes)
    for name in PARTS:
        whole, own = getattr(BASE, name), getattr(data, name)
        kept = np.isin(whole.own_labels, classes)
        np.testing.assert_array_equal(own.own_images, whole.own_images[kept])
        np.testing.assert_array_equal(np.asarray(classes)[own.own_labels], whole.own_labels[kept])
        assert own.size == kept.sum()
        assert own.images is whole.images
        assert own.labels is whole.labels
        images, labels = own.take(jnp.arange(own.capacity))
        np.testing.assert_array_equal(images[: own.size], own.own_images)
        np.testing.assert_array_equal(labels[: own.size], own.own_labels)
        assert set(rows_of(own)) == set(np.asarray(own.rows).tolist())  # what fills up repeats real rows
    assert data.info is not None
    assert data.info.label_values == classes
    assert data.info.class_names == tuple(map(str, classes))


def test_train_size_takes_the_first_rows_of_the_kept_classes() -> None:
    whole, first = subset(classes=(1, 2)), subset(classes=(1, 2), train_size=20)
    assert rows_of(first.train) == rows_of(whole.train)[:20]
    assert rows_of(first.valid) == rows_of(whole.valid)


@pytest.mark.parametrize("scaling", ["none", "unit", "standardize"])
def test_a_subset_is_scaled_and_checked_by_its_own_training_rows(scaling) -> None:
    data = Data(scaling, valid_size=50, classes=(0, 1))
    images, labels = small_arrays(200)
    images[np.flatnonzero(labels == 2)[-1]] = 255  # a row of a class that is left out
    own = subset_of(Dataset.from_arrays(images, labels, data=data), data)
    rows = own.train.own_images.astype(np.float64)
    mean, scale = {
        "none": (np.zeros(()), np.ones(())),
        "unit": (np.zeros(()), np.asarray(1 / 255)),
        "standardize": (rows.mean(0, keepdims=True), 1 / rows.std(0, keepdims=True)),
    }[scaling]
    np.testing.assert_allclose(own.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(own.scale, scale, rtol=1e-6)
    assert own.info is not None
    assert own.info.columns is not None
    np.testing.assert_array_equal(own.info.columns.high, rows.max(0))


@cache
def real(name: str) -> Dataset:
    if not os.environ.get("JAXDEEP_DATA"):
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files")
    return Dataset.from_images(load_images(name, source=name), Data("unit", valid_size=5_000))


@pytest.mark.parametrize(
    ("name", "classes", "sizes"),
    [
        ("fashion_mnist", (0, 1, 2, 3, 4, 7, 8, 9), (43_986, 4_014, 8_000)),
        ("fashion_mnist", (5, 6), (11_014, 986, 2_000)),
        ("mnist", (0, 1, 2, 3, 4), (30_596 - 2_558, 2_558, 5_139)),
        ("mnist", (5, 6, 7, 8, 9), (29_404 - 2_442, 2_442, 4_861)),
    ],
)
def test_the_chapters_subsets_have_the_chapters_sizes(name, classes, sizes) -> None:
    own = subset_of(real(name), Data("unit", valid_size=5_000, classes=classes))
    assert tuple(getattr(own, part).size for part in PARTS) == sizes


def test_99_of_the_first_200_sandals_and_shirts_are_shirts() -> None:
    own = subset_of(real("fashion_mnist"), Data("unit", valid_size=5_000, classes=(5, 6), train_size=200))
    assert own.info is not None
    assert own.info.class_names == ("Sandal", "Shirt")
    assert (own.train.size, int(own.train.own_labels.sum()), own.valid.size) == (200, 99, 986)


# ---- draws


@st.composite
def draws(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """Labels of 200 rows, and fields of a draw that they allow. The first 50 rows are for validation."""
    labels = np.asarray(draw(st.permutations((np.arange(200) % 4).tolist())), np.int32)
    fewest = min(np.bincount(labels[50:], minlength=4))
    valid = draw(st.none() | st.integers(1, 10))
    most = fewest if valid is None else 50 - valid
    classes = draw(st.sampled_from([(), (0, 1), (3, 0, 2)]))
    return labels, {
        "classes": classes,
        "per_class": draw(st.integers(1, int(most))),
        "valid_per_class": valid,
        "draw": draw(st.integers(0, 1_000)),
    }


@given(draws())
@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore::jaxdeep.errors.JaxdeepWarning")
def test_a_draw_takes_as_many_rows_of_each_class_and_smaller_draws_are_parts_of_it(case) -> None:
    labels, fields = case
    images = np.arange(200, dtype=np.float32)[:, None]
    data = Data("none", valid_size=50, **fields)
    base = Dataset.from_arrays(images, labels, images[:40], np.arange(40) % 4, data=data)
    own = subset_of(base, data)
    kept = fields["classes"] or range(4)
    train, valid = (split.own_images[:, 0].astype(int) for split in (own.train, own.valid))
    assert (np.bincount(own.train.own_labels) == fields["per_class"]).all()
    np.testing.assert_array_equal(np.asarray(kept)[own.train.own_labels], labels[train])
    assert not set(train) & set(valid)
    if fields["valid_per_class"] is None:
        assert set(valid) == {row for row in range(50) if labels[row] in kept}
        assert min(train) >= 50
    else:
        assert (np.bincount(own.valid.own_labels) == fields["valid_per_class"]).all()
    fewer = subset_of(base, replace(data, per_class=1))
    assert set(fewer.train.own_images[:, 0]) <= set(train)
    np.testing.assert_array_equal(fewer.valid.own_images, own.valid.own_images)
    assert own.test.size == sum(index % 4 in kept for index in range(40))
    assert subset_of(own, data) is own


def test_other_draws_take_other_rows_and_a_class_draws_alone() -> None:
    one, other = (subset(per_class=5, valid_per_class=5, draw=draw) for draw in (0, 1))
    assert rows_of(one.train) != rows_of(other.train)
    assert rows_of(one.valid) != rows_of(other.valid)
    pair = subset(classes=(2, 1), per_class=5, valid_per_class=5)
    kept = np.isin(one.train.own_labels, (1, 2))
    np.testing.assert_array_equal(pair.train.own_images, one.train.own_images[kept])


def test_each_row_of_a_class_is_as_often_drawn_as_any_other() -> None:
    times = np.zeros(200)
    for draw in range(400):
        times[rows_of(subset(classes=(0, 1), valid_per_class=10, draw=draw).valid)] += 1
    drawn = times[times > 0]
    assert len(drawn) == 100
    expected = 400 * 10 / 50
    assert np.abs(drawn - expected).max() < 5 * (expected * (1 - 10 / 50)) ** 0.5


def test_all_remaining_rows_train_without_per_class() -> None:
    own = subset(valid_per_class=10)
    assert (own.train.size, own.valid.size) == (160, 40)
    assert sorted(rows_of(own.train) + rows_of(own.valid)) == [*range(200)]


# ---- the test rows for validation


def test_validating_on_the_test_rows_trains_on_all_others() -> None:
    own = subset(validate_on_test=True)
    assert own.valid is own.test
    assert own.train.count is None  # its programs are those of any data set with so many rows
    np.testing.assert_array_equal(own.train.own_images, np.concatenate([BASE.valid.own_images, BASE.train.own_images]))
    pair = subset(validate_on_test=True, classes=(0, 1))
    assert pair.train.size == np.isin([*BASE.valid.own_labels, *BASE.train.own_labels], (0, 1)).sum()
    assert pair.valid is pair.test
    run = fit(chosen(validate_on_test=True), BASE, 1, until=1)
    assert (run.val_loss, run.val_accuracy) == (run.test_loss, run.test_accuracy)


def test_it_is_marked_as_a_mistake_wherever_it_shows() -> None:
    config = chosen(validate_on_test=True, classes=(0, 1, 2))
    found = {finding.name: finding for finding in lint(config, BASE)}
    assert found["test-rows-for-validation"].source == 6
    assert "test-rows-in-validation" not in found  # once is enough
    assert "test-rows-for-validation" not in {finding.name for finding in lint(SMALL, BASE)}
    study = run_study(config, BASE, seeds=2)
    assert "the test rows chose the epoch" in table(study)
    assert "validated on the test rows" in data_in_words(study.identity())
    other = run_study(config.updated({"optim.learning_rate": 1e-2}), BASE, seeds=2)
    pair = compare_studies([study, other], ["one", "other"]).pairs[0]
    assert pair.figures["test_accuracy"].chose_epoch
    honest = run_study(config.updated({"data.validate_on_test": False}), BASE, seeds=2)
    assert "the test rows chose the epoch" not in table(honest)
    varied = run_study(chosen(), BASE, seeds=1, grid={"data.validate_on_test": [True, False]})
    assert "the test rows chose the epoch" in table(varied)


@pytest.mark.parametrize("config", ["as_002_elu", "as_002_selu"])
def test_002_trains_on_50000_images_and_validates_on_the_test_set(config) -> None:
    from experiments.cifar import CONFIGS

    recipe = CONFIGS[config].config
    assert recipe.data.validate_on_test
    data = Data("unit", valid_size=5_000)
    own = subset_of(real("cifar10"), replace(data, validate_on_test=True))
    assert recipe.data == replace(data, validate_on_test=True)
    assert tuple(getattr(own, part).size for part in PARTS) == (50_000, 10_000, 10_000)


# ---- studies


def test_trials_of_one_study_have_their_own_rows_and_share_the_images() -> None:
    configs = [
        chosen(classes=(0, 1), valid_per_class=5, per_class=count, draw=draw) for count in (3, 9) for draw in (0, 1)
    ]
    datasets = _datasets([Trial(config, 1) for config in configs], BASE)
    assert len({id(split.images) for data in datasets for split in (data.train, data.valid)}) == 1
    assert [data.train.size for data in datasets] == [6, 6, 18, 18]
    assert rows_of(datasets[0].valid) == rows_of(datasets[2].valid) != rows_of(datasets[1].valid)


def test_a_study_varies_the_rows_as_it_varies_any_field(tmp_path) -> None:
    config = chosen(valid_per_class=5)
    base = small_dataset(config)
    grid = {"data.classes": [(0, 1), (1, 3)], "data.per_class": [4, 8]}
    study = run_study(config, base, seeds=2, grid=grid, folder=tmp_path)
    assert [trial.values["data.per_class"] for trial in study.trials] == [4, 4, 8, 8] * 2
    for index, trial in enumerate(study.trials):
        run = study.runs[index]
        assert run.data.train.size == 2 * trial.values["data.per_class"]
        assert len(run.test_correct) == run.data.test.size
        alone = fit(run.config, base, run.seed)
        assert alone.val_loss == run.val_loss
        again = fit(run.config, run.data, run.seed)  # the data set of a run is what it was trained on
        assert again.val_loss == run.val_loss
    again = run_study(config, base, seeds=2, grid=grid, folder=tmp_path)
    assert again.candidates == study.candidates
    run = study.runs[0]
    found = run.predict(run.data.test.own_images).argmax(1)
    np.testing.assert_array_equal(found == run.data.test.own_labels, run.test_correct)


def test_draws_of_several_seeds_are_not_compared_as_if_they_shared_their_rows() -> None:
    configs = [chosen(per_class=4, valid_per_class=4, draw=draw) for draw in (0, 1)]
    studies = [run_study(config, BASE, seeds=2) for config in configs]
    with pytest.raises(UserError, match="different images"):
        compare_studies(studies, ["one", "other"])
    amounts = [run_study(configs[0].updated({"data.per_class": count}), BASE, seeds=2) for count in (4, 8)]
    assert compare_studies(amounts, ["few", "many"]).pairs[0].figures["val_loss"].pairs == 2


def test_folds_divide_the_kept_classes() -> None:
    config = chosen(classes=(0, 3))
    folds = stratified_folds(BASE, config.data, 4)
    assert [fold.classes for fold in folds] == [2] * 4
    assert {fold.train.size + fold.valid.size for fold in folds} == {100}
    assert {fold.test.size for fold in folds} == {30}
    run = fit_all([Trial(config, 1, fold=1)], folds)[0]
    assert len(run.val_correct) == folds[1].valid.size


def test_uncertainty_is_about_the_kept_classes() -> None:
    config = chosen(classes=(0, 3)).updated(
        {"model.dropout_sites": "head", "model.dropout_rate": 0.2, "train.epochs": 1}
    )
    study = run_study(config, BASE, seeds=2, mc_samples=3, ensemble=True)
    assert study.uncertainty is not None
    run = study.runs[0]
    assert study.uncertainty["first_image"]["label"] == run.data.test.own_labels[0]
    np.testing.assert_allclose(
        study.uncertainty["first_image"]["plain"], run.predict(run.data.test.own_images[:1])[0], rtol=1e-5
    )


def test_old_summaries_mean_all_rows() -> None:
    plain = {"seeds": [1], "config": SMALL.to_dict()}
    old = {**plain, "config": {**plain["config"], "data": dict(plain["config"]["data"])}}
    for field in ("classes", "per_class", "valid_per_class", "draw", "validate_on_test"):
        del old["config"]["data"][field]
    assert comparable(old) == comparable(plain)
    drawn = {**plain, "config": chosen(classes=(0, 1)).to_dict()}
    assert relation(plain, drawn) is Relation.OTHER
    assert Config.from_dict(drawn["config"]) == chosen(classes=(0, 1))


def test_titles_name_the_rows() -> None:
    identity = {"data": {"name": "small", "synthetic": False}, "config": chosen(classes=(0, 1), per_class=30).to_dict()}
    assert data_in_words(identity) == "small (classes 0, 1, 30 training rows a class, draw 0)"


# ---- padding


@given(st.integers(1, 10**7))
def test_a_bucket_holds_the_rows_and_at_most_a_quarter_more(rows: int) -> None:
    size = bucket(rows)
    assert size >= rows
    assert size == 32 or size < 1.25 * rows
    assert bucket(size) == size


def test_without_padding_it_is_the_same_data_set() -> None:
    own = subset(classes=(0, 2, 3))
    exact = unpadded(own)
    for name in PARTS:
        one, other = getattr(own, name), getattr(exact, name)
        assert other.count is None
        assert other.capacity == one.size
        np.testing.assert_array_equal(one.own_images, other.own_images)
        np.testing.assert_array_equal(one.own_labels, other.own_labels)
    assert unpadded(BASE).train.rows is None


# ---- refusals


def refusals() -> dict[str, tuple[Any, str]]:
    return {
        "one class": (lambda: Data(classes=(1,)), r"data\.classes is \(1,\)\. Allowed: two or more"),
        "a class twice": (lambda: Data(classes=(1, 1)), r"data\.classes is \(1, 1\)"),
        "a negative class": (lambda: Data(classes=(-1, 1)), r"data\.classes is \(-1, 1\)"),
        "no rows": (lambda: Data(per_class=0), r"data\.per_class is 0"),
        "a draw of nothing": (lambda: Data(draw=3), r"data\.draw is 3, and nothing is drawn"),
        "two sizes": (lambda: Data(per_class=3, train_size=9), r"both choose training rows"),
        "two kinds of draw": (lambda: Data(per_class=3, resample=True), r"data\.resample draws by the run's seed"),
        "two validations": (lambda: Data(valid_per_class=3, validate_on_test=True), r"has no effect with"),
        "no such class": (
            lambda: subset(classes=(0, 4)),
            r"data\.classes has 4, and the data set has the classes 0 to 3",
        ),
        "too few rows": (
            lambda: subset(per_class=99),
            r"data\.per_class needs 99 rows of class 0, which has \d+\. Draw",
        ),
        "too few for both": (
            lambda: subset(per_class=45, valid_per_class=9),
            r"data\.per_class needs 54 rows with the validation rows of class 0, which has 50",
        ),
        "no training row": (lambda: subset(classes=(0, 1), train_size=1), r"the training rows lack class \d\. Leave"),
        "folds on the test rows": (
            lambda: run_study(chosen(validate_on_test=True), BASE, folds=2),
            "no effect with folds",
        ),
        "another data set": (
            lambda: fit(chosen(classes=(0, 1)), subset(classes=(0, 2)), 1),
            r"data\.classes \(data set",
        ),
        "a subset for a whole": (lambda: fit(SMALL, subset(classes=(0, 2)), 1), r"data\.classes \(data set"),
        "another scaling": (lambda: fit(chosen(classes=(0, 1), scaling="unit"), BASE, 1), r"data\.scaling \(data set"),
    }


@pytest.mark.parametrize("name", refusals())
def test_refused(name: str) -> None:
    call, message = refusals()[name]
    with pytest.raises(UserError, match=message):
        call()


def test_a_part_that_lacks_a_class_is_told() -> None:
    images, labels = small_arrays(200)
    labels[:10] = np.where(labels[:10] == 1, 0, labels[:10])
    data = Data("none", valid_size=10, classes=(0, 1))
    with pytest.warns(JaxdeepWarning, match="validation part lacks"):
        base = Dataset.from_arrays(images, labels, data=data)
    with pytest.warns(JaxdeepWarning, match="validation part of the subset lacks class 1"):
        subset_of(base, data)


def test_it_is_a_pytree_of_the_same_form_for_every_pair_of_classes() -> None:
    one, other = (jax.tree.structure(subset(classes=classes)) for classes in ((0, 1), (2, 3)))
    assert one == other
