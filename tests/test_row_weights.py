"""Weights of rows and classes, and smoothed labels: what they do to the losses, and what they leave alone."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
from small_data import SMALL, lean_compilation, small_arrays

from jaxdeep.config import Config, Data, Model, Optim, Regularize, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import stratified_folds
from jaxdeep.errors import UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.objectives import losses
from jaxdeep.train.saved import load
from jaxdeep.train.step import epoch_batches, start

ROWS, VALID = 60, 20
PLAIN = Config(
    Data("none", valid_size=VALID),
    Model(units=(8,), activation="tanh", kernel_init="glorot_uniform"),
    Optim(optimizer="sgd", learning_rate=0.3),
    Train(batch_size=256, epochs=4, keep="last", dtype="float64"),
)
"""All training rows in each step, so that their order is only one of summation."""


@pytest.fixture(scope="module", autouse=True)
def lean():
    with jax.enable_x64(True), lean_compilation():
        yield


def rows_of(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 5)), np.arange(count) % 3


def same(one: Run, other: Run, tolerance: float) -> None:
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=0)
    for figure in ("train_loss", "val_loss", "test_loss"):
        assert getattr(one, figure) == pytest.approx(getattr(other, figure), abs=tolerance)


@pytest.mark.parametrize("classes", [2, 5])
def test_smoothed_losses_are_those_of_keras(classes) -> None:
    rng = np.random.default_rng(classes)
    logits, labels = rng.normal(0, 3, (50, classes)), rng.integers(0, classes, 50)
    config = replace(PLAIN, regularize=Regularize(label_smoothing=0.3))
    of_classes = Dataset.from_arrays(*rows_of(ROWS), data=config.data)
    found = losses(config.static(), config.hyper(), of_classes, jnp.asarray(logits), jnp.asarray(labels))
    of_keras = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3, reduction=None)
    np.testing.assert_allclose(found, of_keras(np.eye(classes)[labels], logits), rtol=1e-6)
    one_unit = np.stack([np.zeros(50), logits[:, 0]], 1)
    found = losses(config.static(), config.hyper(), of_classes, jnp.asarray(one_unit), jnp.asarray(labels % 2))
    of_keras = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.3, reduction=None)
    np.testing.assert_allclose(found, of_keras((labels % 2)[:, None].astype(float), logits[:, :1]), rtol=1e-6)


def test_a_row_of_weight_two_is_a_row_that_stands_there_twice() -> None:
    (x, y), tests = rows_of(ROWS), rows_of(9, 1)
    weights = np.ones(ROWS)
    weights[[3, 30, 47]] = 2.0
    twice = np.asarray([3, *range(ROWS), 30, 47])  # validation rows come first
    weighted = Dataset.from_arrays(x, y, *tests, data=PLAIN.data, row_weights=weights)
    config = PLAIN.updated({"data.valid_size": VALID + 1})
    repeated = Dataset.from_arrays(x[twice], y[twice], *tests, data=config.data)
    assert weighted.train.size == repeated.train.size - 2
    same(fit(PLAIN, weighted, seed=3), fit(config, repeated, seed=3), 1e-12)


def test_a_row_without_weight_may_be_anything() -> None:
    x, y = rows_of(ROWS)
    weights = np.ones(ROWS)
    weights[[1, 25, 59]] = 0.0
    other, swapped = x.copy(), y.copy()
    other[[1, 25, 59]] *= -2
    swapped[[1, 25, 59]] = (y[[1, 25, 59]] + 1) % 3
    config = PLAIN.updated({"train.batch_size": 16})
    one, two = (
        fit(config, Dataset.from_arrays(*rows, data=PLAIN.data, row_weights=weights), seed=1)
        for rows in ((x, y), (other, swapped))
    )
    same(one, two, 1e-12)
    plain = fit(config, Dataset.from_arrays(x, y, data=PLAIN.data), seed=1)
    assert plain.train_loss != one.train_loss


def test_equal_weights_change_nothing_whatever_their_size() -> None:
    x, y = rows_of(ROWS)
    plain = fit(PLAIN, Dataset.from_arrays(x, y, data=PLAIN.data), seed=2)
    weighted = Dataset.from_arrays(x, y, data=PLAIN.data, row_weights=np.full(ROWS, 7.5))
    same(plain, fit(PLAIN, weighted, seed=2), 1e-12)


def test_balanced_classes_have_the_weights_of_scikit_learn() -> None:
    x, y = rows_of(ROWS)
    y = np.where(y == 2, 0, y)
    names = np.array(["no", "yes"])[y]
    data = Dataset.from_arrays(x, names, data=PLAIN.data, class_weights="balanced")
    train = data.train.own_labels
    expected = compute_class_weight("balanced", classes=np.arange(2), y=train)
    for split in (data.train, data.valid, data.test):
        np.testing.assert_allclose(split.own_weights, expected[split.own_labels], rtol=1e-6)
    own = np.linspace(1, 2, ROWS)
    both = Dataset.from_arrays(x, names, data=PLAIN.data, row_weights=own, class_weights={"yes": 3})
    np.testing.assert_allclose(both.valid.own_weights, (own * np.where(names == "yes", 3, 1))[:VALID], rtol=1e-6)
    assert len({data.info.digest, both.info.digest, Dataset.from_arrays(x, names, data=PLAIN.data).info.digest}) == 3


@pytest.mark.parametrize("chosen", [{"data.resample": True}, {"data.classes": (0, 2)}, {"data.per_class": 7}])
def test_weights_go_with_their_rows_into_every_division(chosen) -> None:
    images, labels = small_arrays(120)
    weights = 1 + images.reshape(120, -1)[:, 0] / 255.0
    config = SMALL.updated({"data.valid_size": 30, "train.epochs": 2} | chosen)
    dataset = Dataset.from_arrays(images, labels, data=config.data, row_weights=weights)
    run = fit(config, dataset, seed=4)
    for split in (run.data.train, run.data.valid):
        np.testing.assert_allclose(split.own_weights, 1 + split.own_images[:, 0] / 255.0, rtol=1e-6)
    state = start(config.static(), config.hyper(), run.data, jax.random.key(0))
    batches, _ = epoch_batches(config.static(), state, run.data)
    counts = True if batches.mask is None else batches.mask
    assert float(batches.weights.mean(where=counts)) == pytest.approx(1, rel=1e-6)
    assert np.isfinite(run.test_loss)


def test_folds_keep_the_weights_of_their_rows() -> None:
    x, y = rows_of(ROWS)
    dataset = Dataset.from_arrays(x, y, data=PLAIN.data, row_weights=np.abs(x[:, 0]))
    for fold in stratified_folds(dataset, PLAIN.data, 3, 5):
        np.testing.assert_allclose(fold.valid.own_weights, np.abs(fold.valid.own_images[:, 0]), rtol=1e-6)


def test_a_saved_run_of_weighted_rows_predicts_as_before(tmp_path) -> None:
    x, y = rows_of(ROWS)
    run = fit(PLAIN, Dataset.from_arrays(x, y, data=PLAIN.data, row_weights=np.abs(x[:, 0])), seed=0)
    run.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(load(tmp_path / "run.npz").predict(x[20:24]), run.predict(x[20:24]))


def test_trials_whose_labels_are_smoothed_otherwise_share_a_program_and_weighted_rows() -> None:
    x, y = rows_of(ROWS)
    data = Dataset.from_arrays(x, y, data=PLAIN.data, row_weights=np.abs(x[:, 0]))
    configs = [PLAIN.updated({"regularize.label_smoothing": share}) for share in (0.1, 0.4)]
    assert len({config.static() for config in configs}) == 1 != len({PLAIN.static(), configs[0].static()})
    runs = fit_batched([Trial(config, 5) for config in configs], [data] * 2, [None] * 2)
    assert runs[0].train_loss != runs[1].train_loss
    for config, run in zip(configs, runs, strict=True):
        same(run, fit(config, data, seed=5), 1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"row_weights": np.ones(3)}, r"row_weights has the shape \(3,\)\. Give one weight for each row .*\(60,\)"),
        ({"row_weights": -np.ones(ROWS)}, r"row_weights holds -1\.0 at index 0\. Allowed: finite numbers of 0 or more"),
        ({"row_weights": np.full(ROWS, np.nan)}, "row_weights holds nan at index 0"),
        ({"row_weights": ["a"] * ROWS}, r"row_weights is .*\. Allowed: finite numbers"),
        ({"row_weights": np.r_[np.zeros(VALID), np.ones(ROWS - VALID)]}, "all validation rows have the weight 0"),
        ({"class_weights": {7: 1.0}}, r"class_weights has 7, and no row has this label\. Give some of \[0, 1, 2\]"),
        ({"class_weights": {1: np.inf}}, "class_weights holds inf"),
        ({"class_weights": "even"}, r'class_weights is .*even.*\. Give a mapping of labels to weights, "balanced"'),
        ({"class_weights": 3}, r"class_weights is 3\. Give a mapping"),
    ],
)
def test_weights_that_say_nothing_are_refused(given, message) -> None:
    with pytest.raises(UserError, match=message):
        Dataset.from_arrays(*rows_of(ROWS), data=PLAIN.data, **given)
