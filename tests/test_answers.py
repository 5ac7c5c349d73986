"""Logits, figures of further rows, calibration, and the network as a pure function."""

from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from sklearn.metrics import log_loss
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep.analysis.calibration import temperature
from jaxdeep.config import Config, Data
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.saved import load

OVERFITTED = SMALL.updated(
    {
        "train.epochs": 40,
        "train.keep": "last",
        "lr": 2e-2,
        "model.batch_norm": True,
        "regularize.l2": 1e-4,
        "data.valid_size": 50,
    }
)
ROWS, LABELS = small_arrays(60, seed=1)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Its labels are names, and a fifth of them is wrong, so that the network is too sure."""
    with lean_compilation():
        images, labels = small_arrays(200)
        noisy = np.where(np.arange(200) % 5 == 0, (labels + 1) % 4, labels)
        names = np.array(["ant", "bee", "cat", "dog"])
        data = Dataset.from_arrays(images, names[noisy], ROWS, names[LABELS], data=OVERFITTED.data)
        yield fit(OVERFITTED, data, seed=0)


def test_the_softmax_of_the_logits_is_what_predict_returns(run) -> None:
    np.testing.assert_allclose(special.softmax(run.logits(ROWS), 1), run.predict(ROWS), atol=1e-6)
    one_unit = Config(Data(valid_size=9)).updated({"model.head": "sigmoid", "model.units": (4,), "train.epochs": 1})
    two = fit(one_unit, Dataset.from_arrays(*(part[LABELS < 2] for part in (ROWS, LABELS)), data=Data(valid_size=9)))
    assert not two.logits(ROWS[:3])[:, 0].any()


def test_apply_is_pure_and_what_logits_returns(run) -> None:
    found = jax.jit(run.apply)(run.params, jnp.asarray(ROWS))
    np.testing.assert_allclose(found, run.logits(ROWS), atol=1e-4)
    gradients = jax.grad(lambda params: run.apply(params, ROWS).sum())(run.params)
    assert jax.tree.structure(gradients) == jax.tree.structure(run.params)
    per_row = jax.vmap(lambda row: run.apply(run.params, row[None])[0])(jnp.asarray(ROWS))
    np.testing.assert_allclose(per_row, found, atol=1e-4)
    halved = jax.tree.map(lambda leaf: leaf / 2, run.params)
    assert not np.allclose(run.apply(halved, ROWS), found)


def test_apply_takes_rows_as_they_were_given_where_columns_have_an_offset() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3)) + np.asarray([1e6, 0, 0])
    config = Config(Data(valid_size=40)).updated({"model.units": (4,), "train.epochs": 2})
    of_offset = fit(config, Dataset.from_arrays(x, (x[:, 1] > 0).astype(int), data=config.data))
    assert of_offset.data.info.columns.offset is not None
    with jax.enable_x64(True):
        np.testing.assert_allclose(of_offset.apply(of_offset.params, x[50:60]), of_offset.logits(x[50:60]), atol=1e-4)


def test_the_figures_of_the_test_rows_are_those_of_the_run(run) -> None:
    names = np.array(run.data.info.class_names)[LABELS]
    loss, accuracy, correct, _ = run.evaluate(ROWS, names)
    assert loss == pytest.approx(run.test_loss, rel=1e-5)
    assert accuracy == pytest.approx(run.test_accuracy)
    np.testing.assert_array_equal(correct, run.test_correct)
    half = run.evaluate(ROWS[:31], names[:31].tolist())
    np.testing.assert_array_equal(half.correct, run.test_correct[:31])
    assert half.accuracy == pytest.approx(run.test_correct[:31].mean())


def test_a_calibrated_run_has_the_lowest_cross_entropy_and_the_same_classes(run, tmp_path) -> None:
    names = np.array(run.data.info.class_names)[LABELS]
    found = run.calibrated(ROWS, names)
    by = temperature(run.logits(ROWS), LABELS.astype(int))
    assert by > 1.2
    np.testing.assert_allclose(found.logits(ROWS), run.logits(ROWS) / by, atol=1e-4)
    np.testing.assert_array_equal(found.test_correct, run.test_correct)
    losses = [log_loss(LABELS, of.predict(ROWS)) for of in (run, found)]
    assert losses[1] < losses[0]
    for factor in (0.9, 1.1):
        other = special.softmax(run.logits(ROWS) / (by * factor), 1)
        assert log_loss(LABELS, other) > losses[1]
    found.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(load(tmp_path / "run.npz").predict(ROWS), found.predict(ROWS))


def test_without_rows_the_validation_rows_calibrate_and_a_loaded_run_needs_rows(run, tmp_path) -> None:
    found = run.calibrated()
    values = found.logits(run.data.valid.own_images)
    assert temperature(values, run.data.valid.own_labels) == pytest.approx(1, abs=1e-3)
    assert found.val_loss < run.val_loss
    run.save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    with pytest.raises(UserError, match="has no rows"):
        loaded.calibrated()
    again = loaded.calibrated(ROWS, np.array(run.data.info.class_names)[LABELS])
    assert np.isnan(again.test_loss)
    assert again.test_accuracy == run.test_accuracy
    assert np.isfinite(again.predict(ROWS)).all()


def test_labels_that_do_not_fit_are_refused(run) -> None:
    for ask in (run.evaluate, run.calibrated):
        with pytest.raises(UserError, match=r"labels has \['eel'\], and the run's labels are \['ant', 'bee'"):
            ask(ROWS, np.array(["eel"] * 60))
        with pytest.raises(UserError, match="there are 60 rows and 2 labels"):
            ask(ROWS, ["ant", "bee"])
    with pytest.raises(UserError, match="go together"):
        run.calibrated(ROWS)
    untrained = replace(run, best_epoch=0)
    for ask in (untrained.logits, lambda rows: untrained.evaluate(rows, LABELS), untrained.calibrated):
        with pytest.raises(UserError, match="untrained"):
            ask(ROWS)


def test_numbers_are_the_labels_of_a_data_set_of_numbers() -> None:
    config = SMALL.updated({"train.epochs": 1})
    run = fit(config, small_dataset(config))
    assert run.evaluate(ROWS, LABELS).loss == pytest.approx(run.test_loss, rel=1e-5)
