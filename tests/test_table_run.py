"""A network trained on a table takes raw frames: as it is, saved, pickled, exported and from other entries."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from small_data import lean_compilation
from small_tables import DATA, small_frame

from jaxdeep import (
    Config,
    Dataset,
    Model,
    Optim,
    Run,
    Train,
    UserError,
    compare_studies,
    fit,
    load,
    load_exported,
    mc_predict,
    run_study,
    table,
)  # fmt: skip

MODEL = Model(units=(8,), dropout_sites="every", dropout_rate=0.2)
CONFIG = Config(DATA, MODEL, Optim(learning_rate=1e-2), Train(epochs=2))
NEW = small_frame(20, seed=3).drop(columns=["churn", "visitor"])


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with lean_compilation():
        dataset = Dataset.from_table(small_frame(), "churn", data=DATA, group="visitor", numbers="quantile")
        yield fit(CONFIG, dataset, seed=1)


def test_a_frame_in_any_order_with_other_columns_gives_the_same_probabilities(run, tmp_path) -> None:
    expected = run.predict(NEW)
    assert expected.shape == (20, 2)
    np.testing.assert_array_equal(run.predict(NEW[NEW.columns[::-1]].assign(more="x")), expected)
    np.testing.assert_array_equal(run.predict(pl.from_pandas(NEW)), expected)
    NEW.to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_allclose(run.predict(tmp_path / "new.csv"), expected, atol=1e-6)
    np.testing.assert_array_equal(run.predict(run.data.info.table.rows_of(NEW)), expected)
    assert np.ptp(expected[:, 0]) > 0.01
    by_masks = [mc_predict(run, rows, jax.random.key(0), samples=2) for rows in (NEW, run.data.info.table.rows_of(NEW))]
    np.testing.assert_array_equal(by_masks[0].mean, by_masks[1].mean)


def test_a_frame_without_a_column_is_refused(run) -> None:
    with pytest.raises(UserError, match="lacks the column town of the training rows"):
        run.predict(NEW.drop(columns="town"))


def test_saving_and_pickling_keep_the_columns(run, tmp_path) -> None:
    run.save(tmp_path / "run.npz")
    for again in (load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(run))):
        assert again.data.info.table == run.data.info.table
        np.testing.assert_array_equal(again.predict(NEW), run.predict(NEW))


SERVE = """
import sys
import pyarrow.parquet
from jaxdeep import load_exported

network = load_exported("served")
print(*network.predict(pyarrow.parquet.read_table("new.parquet")))
print(*sorted({"flax", "optax", "orbax", "matplotlib", "tyro", "jaxdeep.nn"} & set(sys.modules)))
"""


def test_an_exported_network_takes_frames_without_the_training_code(run, tmp_path) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed, and jax.export serialises with it")
    run.export(tmp_path / "served", platforms=("cpu",))
    network = load_exported(tmp_path / "served")
    np.testing.assert_allclose(network.probabilities(NEW), run.predict(NEW), atol=1e-6)
    rows = network.rows_of(NEW)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(network.probabilities(rows), run.predict(NEW), atol=1e-6)
    record = json.loads((tmp_path / "served" / "export.json").read_text())
    assert record["rows"]["table"] == json.loads(json.dumps(run.data.info.table.to_dict()))

    pl.from_pandas(NEW).write_parquet(tmp_path / "new.parquet")
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    labels, modules = done.stdout.split("\n")[:2]
    assert labels.split() == [("no", "yes")[index] for index in run.predict(NEW).argmax(1)]
    assert modules == ""


def test_the_onnx_graph_takes_the_rows_of_a_frame(run, tmp_path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    run.export(tmp_path / "served", platforms=("cpu",), onnx=True)
    session = runtime.InferenceSession(tmp_path / "served" / "model.onnx")
    rows = load_exported(tmp_path / "served").rows_of(NEW)
    (found,) = session.run(None, {session.get_inputs()[0].name: rows})
    np.testing.assert_allclose(found, run.predict(NEW), atol=1e-5)


def test_without_test_rows_all_test_figures_are_empty(tmp_path) -> None:
    dataset = Dataset.from_table(small_frame(), "churn", data=DATA, drop=("visitor",), test=None)
    assert [part.size for part in (dataset.train, dataset.valid, dataset.test)] == [240, 60, 0]
    with lean_compilation():
        result = run_study(CONFIG, dataset, seeds=2, folder=tmp_path / "study")
        other = run_study(CONFIG.updated({"optim.learning_rate": 1e-3}), dataset, seeds=2)
        classes = fit(CONFIG.updated({"data.classes": (1, 0)}), dataset, seed=0)
    for trial in result.trials:
        assert trial.val_accuracy is not None
        assert (trial.test_loss, trial.test_accuracy, trial.confusion) == (None, None, None)
    assert table(result).splitlines()[2].split()[5:7] == ["-", "-"]
    run = load(tmp_path / "study", seed=42)
    assert np.isnan([run.test_loss, run.test_accuracy]).all()
    assert run.predict(NEW).shape == (20, 2)
    assert np.isnan(classes.test_accuracy)
    (pair,) = compare_studies([result, other], ["one", "other"]).pairs
    assert pair.figures["test_accuracy"].verdict == "not compared"
    assert pair.figures["val_accuracy"].verdict != "not compared"
    with pytest.raises(UserError, match=r"data\.validate_on_test needs test rows"):
        fit(CONFIG.updated({"data.validate_on_test": True}), dataset)


def test_an_exported_network_of_arrays_has_no_table(tmp_path) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed, and jax.export serialises with it")
    rows = np.random.default_rng(0).normal(size=(200, 3))
    with lean_compilation():
        fit(CONFIG, Dataset.from_arrays(rows, rows[:, 0] > 0, data=DATA)).export(tmp_path / "served")
    network = load_exported(tmp_path / "served")
    assert network.table is None
    with pytest.raises(UserError, match="trained on arrays"):
        network.rows_of(NEW)
