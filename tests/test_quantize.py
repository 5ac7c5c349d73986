"""Weights of 16 and 8 bits against NumPy's own rounding."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_oracle import per_layer
from small_data import lean_compilation
from small_runs import TRAINED, drawn_run, trained_run

from jaxdeep.compress import Kind, npz_bytes, quantize, weight_bytes
from jaxdeep.compress.quantizing import server
from jaxdeep.errors import UserError

KINDS: list[Kind] = ["bfloat16", "float16", "int8"]


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def elu_network(weights: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Logits of the small network, in float64."""
    x = rows
    for layer in range(4):
        x = x @ weights[f"{layer}/dense/kernel"].astype(float) + weights[f"{layer}/dense/bias"].astype(float)
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0))) if layer < 3 else x
    return x


@pytest.mark.parametrize(("kind", "tolerance"), [("bfloat16", 0.03), ("float16", 0.003), ("int8", 3e-6)])
def test_logits_are_those_of_the_rounded_weights(kind, tolerance):
    run = trained_run()
    network, weights = quantize(run, kind), per_layer(run.params)
    if kind == "int8":
        for name in [name for name in weights if name.endswith("kernel")]:  # [inputs, units]
            scale = np.abs(weights[name]).max(0) / 127
            integers = np.round(weights[name] / scale)
            assert (np.abs(integers).max(0) == 127).all()
            np.testing.assert_array_equal(integers, per_layer(network.weights.params)[name])
            weights[name] = integers * scale
    else:
        weights = {name: np.asarray(jnp.asarray(of, kind), np.float32) for name, of in weights.items()}
    rows = np.asarray(run.data.test.images)
    standard = (rows - np.asarray(run.data.mean)) * np.asarray(run.data.scale)
    ours, theirs = np.asarray(server(network, len(rows))(jnp.asarray(rows)), float), elu_network(weights, standard)
    assert 0 < np.abs(ours - theirs).max() < tolerance * np.abs(theirs).max()
    dtype = "float32" if kind == "int8" else kind
    assert server(network, 2)(jnp.asarray(rows[:2])).dtype == dtype


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_and_figures_are_of_the_same_network(kind):
    run = trained_run()
    network = quantize(run, kind)
    found = network.predict(np.asarray(run.data.test.images))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    correct = found.argmax(1) == np.asarray(run.data.test.labels)
    np.testing.assert_array_equal(network.test_correct, correct)
    assert network.test_accuracy == correct.mean()
    assert abs(network.val_accuracy - run.val_accuracy) <= 0.04  # two rows of 50
    assert np.abs(found - run.predict(np.asarray(run.data.test.images))).max() < 0.03


def test_sizes_are_those_of_the_types_and_of_the_file(tmp_path):
    run = trained_run()
    floats = weight_bytes(run.params)
    units = sum(of.shape[0] * of.shape[1] for of in (params["dense"]["kernel"] for params in run.params.values()))
    assert quantize(run, "bfloat16").nbytes == quantize(run, "float16").nbytes == floats // 2
    kernels = (floats - 4 * units) // 4
    assert quantize(run, "int8").nbytes == kernels + 4 * units + 4 * units
    for kind in KINDS:
        network = quantize(run, kind)
        network.save(tmp_path / f"{kind}.npz")
        with np.load(tmp_path / f"{kind}.npz") as stored:
            found: dict[str, Any] = dict(stored)
        kernel = found["params/layer_0/dense/kernel"]
        if kind == "bfloat16":
            kernel = kernel.view(jnp.bfloat16)
        np.testing.assert_array_equal(kernel, network.weights.params["layer_0"]["dense"]["kernel"])
        assert network.saved_bytes == npz_bytes(network.weights)
        assert network.nbytes < network.saved_bytes < (tmp_path / f"{kind}.npz").stat().st_size


def test_batch_normalisation_is_rounded_too():
    run = drawn_run(TRAINED.updated({"model.batch_norm": True}))
    network = quantize(run, "bfloat16")
    assert {leaf.dtype.name for leaf in jax.tree.leaves(network.weights)} == {"bfloat16"}
    rows = np.asarray(run.data.test.images)
    assert np.abs(network.predict(rows) - run.predict(rows)).mean() < 0.03


def test_a_unit_without_weights_is_no_division_by_0():
    run = trained_run()
    empty = jax.tree.map(jnp.zeros_like, run.params)
    rows = np.asarray(run.data.test.images)
    np.testing.assert_array_equal(quantize(replace(run, params=empty), "int8").predict(rows), 0.25)


def test_another_type_is_refused():
    kind: Any = "int4"
    with pytest.raises(UserError, match=r"kind is 'int4'. Allowed: bfloat16, float16, int8"):
        quantize(trained_run(), kind)
