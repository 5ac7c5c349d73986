"""A network in ONNX gives the run's probabilities in onnxruntime, for every activation, normalisation and head."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import a_users_own
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset
from small_runs import TRAINED, drawn_run, trained_run
from test_saved import NAMED, frame, named_dataset

from jaxdeep import Dataset, Run, UserError, fit
from jaxdeep.config.choices import Activation
from jaxdeep.train import exporting, onnx_graph
from jaxdeep.train.exported_file import NETWORK, ONNX, RECORD

WHY = "is not installed, and ONNX models are written and run with it"
pytest.importorskip("flatbuffers", reason=f"flatbuffers {WHY}")
onnx = pytest.importorskip("onnx", reason=f"onnx {WHY}")
onnxruntime = pytest.importorskip("onnxruntime", reason=f"onnxruntime {WHY}")

BN = TRAINED.updated({"model.batch_norm": True})
ROWS = small_arrays(40, seed=5)[0]


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def session_of(run: Run, folder: Path) -> Any:
    run.export(folder, platforms=("cpu",), onnx=True)
    onnx.checker.check_model(onnx.load(folder / ONNX), full_check=True)
    return onnxruntime.InferenceSession(folder / ONNX, providers=["CPUExecutionProvider"])


def assert_same_answers(run: Run, folder: Path, rows: np.ndarray = ROWS) -> Any:
    session, expected = session_of(run, folder), run.predict(rows)
    for count in (1, 2, len(rows)):
        (found,) = session.run(None, {"rows": rows[:count]})
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    assert expected.std(0).max() > 1e-3  # the rows are told apart
    return session


ALPHAS = [(name, 0.4) for name in ("leaky_relu", "prelu", "elu", "thresholded_relu")]


@pytest.mark.parametrize(("activation", "alpha"), [*((name, None) for name in get_args(Activation)), *ALPHAS])
def test_every_activation(activation, alpha, tmp_path) -> None:
    config = TRAINED.updated({"model.activation": activation, "model.alpha": alpha, "model.units": (9, 9)})
    run = drawn_run(config, 0.05 if activation == "exponential" else 0.2)  # it overflows with large weights
    assert_same_answers(run, tmp_path / "served")


PLACES = {
    "before": {},
    "after": {"model.batch_norm_place": "after"},
    "input": {"model.batch_norm_place": "input"},
    "the network's input": {"model.batch_norm_input": True},
    "skips, before": {"model.skip": True},
    "skips, after": {"model.skip": True, "model.batch_norm_place": "after"},
    "without biases": {"model.use_bias": False},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("folds", [True, False])
def test_every_place_of_batch_normalisation_folded_or_not(place, folds, tmp_path, monkeypatch) -> None:
    if not folds:
        monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    assert_same_answers(drawn_run(BN.updated(PLACES[place]), 0.2), tmp_path / "served")
    operators = {node.op_type for node in onnx.load(tmp_path / "served" / ONNX).graph.node}
    assert ("BatchNormalization" in operators) is (not folds or place == "skips, after")


HEADS_AND_SCALINGS = {
    "sigmoid": {"model.head": "sigmoid", "data.classes": (0, 1)},
    "no scaling": {"data.scaling": "none", "optim.learning_rate": 1e-4},
    "unit": {"data.scaling": "unit"},
    "standardize": {"data.scaling": "standardize"},
    "dropout": {"model.dropout_sites": "every", "model.dropout_rate": 0.4},
    "without biases": {"model.use_bias": False},
}


@pytest.mark.parametrize("name", HEADS_AND_SCALINGS)
def test_heads_and_scalings(name, tmp_path) -> None:
    config = SMALL.updated({"train.epochs": 1, **HEADS_AND_SCALINGS[name]})
    session = assert_same_answers(fit(config, small_dataset(config)), tmp_path / "served")
    (rows,), (answers,) = session.get_inputs(), session.get_outputs()
    assert (rows.type, rows.shape) == ("tensor(uint8)", ["batch", 6, 6, 1])
    assert (answers.name, answers.shape) == ("probabilities", ["batch", 2 if name == "sigmoid" else 4])


def test_rows_less_an_offset_are_given_in_float64_and_labels_are_kept(tmp_path) -> None:
    run = fit(NAMED, named_dataset(), seed=3)
    session = assert_same_answers(run, tmp_path / "served", frame(7).to_numpy())
    kept = session.get_modelmeta().custom_metadata_map
    assert json.loads(kept["labels"]) == json.loads(kept["class_names"]) == ["blue", "green", "red"]
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == [RECORD, ONNX, NETWORK]
    run.export(tmp_path / "served", platforms=("cpu",))
    assert not (tmp_path / "served" / ONNX).exists()


def test_other_floating_rows_are_given_in_float32(tmp_path) -> None:
    rows, labels = small_arrays(200)
    table = (rows.reshape(200, -1) / 255).astype(np.float32)
    run = fit(SMALL.updated({"train.epochs": 1}), Dataset.from_arrays(table, labels, data=SMALL.data))
    session = assert_same_answers(run, tmp_path / "served", table[:20])
    assert session.get_inputs()[0].type == "tensor(float)"


def test_what_onnx_cannot_express_is_one_line(tmp_path, monkeypatch) -> None:
    own = replace(trained_run(), config=TRAINED.updated({"model.activation": a_users_own.snake}))
    double = replace(trained_run(), config=TRAINED.updated({"train.dtype": "float64"}))
    refused = [(own, "a_users_own.snake, a function of your own, and ONNX has no operator for it. Export without onnx")]
    refused += [(double, "train.dtype is float64, and ONNX runtimes lack operators of that type. Export without onnx.")]
    for run, text in refused:
        with pytest.raises(UserError, match=rf"\A.*{re.escape(text)}.*\Z"):
            run.export(tmp_path / "served", onnx=True)
    monkeypatch.setattr(onnx_graph, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"\Aonnx=True needs the package onnx.*Install jaxdeep\[onnx\]\.\Z"):
        trained_run().export(tmp_path / "served", onnx=True)
    assert not (tmp_path / "served").exists()
