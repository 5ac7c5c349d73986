"""Every initialiser, as the layers of a network draw from it, against Keras's layers; what a constant one leads to."""

from dataclasses import replace
from functools import partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import pytest
from scipy import stats
from small_data import QUICK, SMALL, small_dataset

from bench.peers import keras_mlp
from jaxdeep.config import Model
from jaxdeep.config.choices import BiasInitializer, InitDistribution, Initializer, InitMode
from jaxdeep.nn.dnn import dnn
from jaxdeep.train.fit import fit

pytestmark = pytest.mark.usefixtures("x64")

INPUTS, UNITS, CLASSES = 300, 200, 250
SCALES: dict[InitMode, float] = {"fan_in": 0.5, "fan_out": 2.0, "fan_avg": 3.0}
NOT_DRAWN = ("constant", "identity", "zeros", "ones")
NAMED = [name for name in get_args(Initializer) if name not in ("variance_scaling", *NOT_DRAWN)]
SPREAD = ("random_normal", "random_uniform", "truncated_normal")
DRAWN = [
    *({"kernel_init": name, "head_init": name, "init_scale": 3.0} for name in SPREAD),
    *(({"kernel_init": name, "head_init": name}) for name in NAMED),
    *(
        {
            "kernel_init": "variance_scaling",
            "head_init": "variance_scaling",
            "init_scale": scale,
            "init_mode": mode,
            "init_distribution": distribution,
        }
        for mode, scale in SCALES.items()
        for distribution in get_args(InitDistribution)
    ),
]

quick = partial(jax.jit, compiler_options=QUICK)


def kernels_of(model: Model, seed: int = 9) -> list[np.ndarray]:
    """[inputs, units] each."""
    params, _ = quick(dnn(model, INPUTS, CLASSES, "float64").init)(jax.random.key(seed))
    named = keras_oracle.per_layer(params)
    return [np.asarray(named[f"{layer}/dense/kernel"]) for layer in range(len(model.units) + 1)]


def kernels_in_keras(model: Model) -> list[np.ndarray]:
    keras.utils.set_random_seed(1)
    with keras_oracle.relaxed():
        layers = keras_mlp.network(model, INPUTS, CLASSES).layers
    return [np.asarray(layer.kernel) for layer in layers if isinstance(layer, keras.layers.Dense)]


@pytest.mark.parametrize("fields", DRAWN, ids=lambda fields: "-".join(str(value) for value in fields.values()))
def test_kernels_are_drawn_from_the_distribution_of_that_name_in_keras(fields):
    """By statistics, since the random numbers differ: standard deviation, bounds, and the whole distribution."""
    model = Model((UNITS,), "linear", **fields)
    for ours, theirs in zip(kernels_of(model), kernels_in_keras(model), strict=True):
        assert ours.shape == theirs.shape
        excess = stats.kurtosis(theirs, None, fisher=False) - 1  # a std of n values is known to sqrt(excess / 4 n)
        assert ours.std() == pytest.approx(theirs.std(), rel=5 * np.sqrt(2 * excess / 4 / ours.size))
        assert abs(ours.mean()) < 5 * ours.std() / np.sqrt(ours.size)
        if excess < 1.5:  # a bounded one: 50,000 values come that near the bound
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=5e-3)
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3


def test_an_orthogonal_kernel_is_gain_times_an_orthogonal_one_whichever_side_is_longer():
    model = Model((60, 60, 60, 90), kernel_init="orthogonal", head_init="orthogonal", init_scale=1.7)
    kernels = kernels_of(model)
    assert [kernel.shape for kernel in kernels] == [(300, 60), (60, 60), (60, 60), (60, 90), (90, 250)]
    for kernel in kernels:
        inputs, units = kernel.shape
        product = kernel.T @ kernel if units <= inputs else kernel @ kernel.T
        np.testing.assert_allclose(product, 1.7**2 * np.eye(min(inputs, units)), rtol=0, atol=1e-14)
    assert np.abs(kernels[1] - kernels[2]).max() > 0.1  # the layers of a stack are drawn apart


def test_a_constant_kernel_is_the_value_everywhere_and_the_head_has_an_initialiser_of_its_own():
    *hidden, head = kernels_of(Model((60, 60), kernel_init="constant", init_scale=-0.25, head_init="orthogonal"))
    assert all(np.all(kernel == -0.25) for kernel in hidden)
    np.testing.assert_allclose(head @ head.T, 0.25**2 * np.eye(60), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("zeros", 1.0, np.zeros),
        ("ones", 1.0, np.ones),
        ("identity", 1.5, lambda shape: 1.5 * np.eye(*shape)),
    ],
)
def test_a_kernel_that_is_not_drawn_is_that_of_keras(name, scale, expected):
    model = Model((60, 60), kernel_init=name, head_init=name, init_scale=scale)
    for ours, theirs in zip(kernels_of(model), kernels_in_keras(model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, expected(ours.shape))


@pytest.mark.parametrize("name", get_args(BiasInitializer))
def test_biases_of_all_layers_are_drawn_from_the_distribution_of_that_name_in_keras(name):
    scale = 1.0 if name in ("zeros", "ones") else 2.0
    model = Model((2_000, 2_000), "linear", bias_init=name, init_scale=scale, kernel_init="zeros")
    params, _ = quick(dnn(model, 3, 2_000, "float64").init)(jax.random.key(9))
    named = keras_oracle.per_layer(params)
    keras.utils.set_random_seed(1)
    with keras_oracle.relaxed():
        layers = [layer for layer in keras_mlp.network(model, 3, 2_000).layers if hasattr(layer, "bias")]
    biases = [np.asarray(named[f"{layer}/dense/bias"]) for layer in range(3)]
    for ours, layer in zip(biases, layers, strict=True):
        theirs = np.asarray(layer.bias)
        assert ours.shape == theirs.shape == (2_000,)
        if name in ("zeros", "ones", "constant"):
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert (np.abs(biases[0] - biases[1]).max() > 0) == (name in SPREAD)  # the layers are drawn apart


def test_without_biases_in_the_hidden_layers_the_head_has_its_own():
    params, _ = quick(dnn(Model((5, 5), use_bias=False, bias_init="ones"), 3, 4).init)(jax.random.key(0))
    biases = {name: value for name, value in keras_oracle.per_layer(params).items() if name.endswith("bias")}
    assert list(biases) == ["2/dense/bias"]
    np.testing.assert_array_equal(biases["2/dense/bias"], np.ones(4))


def rising(key: jax.Array, shape: Any, dtype: Any) -> jax.Array:
    """0, 1, ... and a number of the key's own."""
    return jnp.arange(shape[0] * shape[1], dtype=dtype).reshape(shape) + jax.random.uniform(key, (), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_users_own_initialiser_gives_a_kernel_of_inputs_and_units_for_each_layer(dtype):
    model = Model((7, 5, 5, 5), kernel_init=rising, head_init=rising)
    net = dnn(model, 3, 4, dtype)
    params, _ = quick(net.init)(jax.random.key(0))
    kernels = [kernel for stack in net.stacks for kernel in np.asarray(params[stack.name]["dense"]["kernel"])]
    for kernel, (inputs, units) in zip(kernels, [(3, 7), (7, 5), (5, 5), (5, 5), (5, 4)], strict=True):
        assert kernel.dtype == dtype
        expected = np.arange(inputs * units).reshape(inputs, units).T
        np.testing.assert_array_equal(np.floor(kernel), expected)  # kept transposed
    assert len({float(kernel[0, 0]) for kernel in kernels}) == 5


def test_the_same_value_for_all_weights_never_breaks_the_symmetry_of_a_layers_units():
    constant = replace(SMALL.model, kernel_init="constant", head_init="constant", init_scale=0.05)
    config = replace(SMALL, model=constant, optim=replace(SMALL.optim, learning_rate=1e-2))
    run = fit(config, small_dataset(config))
    assert run.history[-1].train_loss < 0.99 * run.history[0].train_loss
    named = keras_oracle.per_layer(run.params)
    kernels, biases = ([named[f"{layer}/dense/{leaf}"] for layer in range(4)] for leaf in ("kernel", "bias"))
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):  # [inputs, units]
        np.testing.assert_array_equal(kernel, np.broadcast_to(kernel[:, :1], kernel.shape))
        np.testing.assert_array_equal(bias, np.broadcast_to(bias[:1], bias.shape))
    for kernel in kernels[1:]:  # nor do the inputs from equal units differ
        np.testing.assert_array_equal(kernel, np.broadcast_to(kernel[:1], kernel.shape))
    assert all(np.ptp(kernel) > 0 for kernel in (kernels[0], kernels[-1]))
