"""Every activation, as a layer of the network has it, against Keras and against its definition; SELU's constants."""

from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import pytest
from scipy import integrate, special, stats

from bench.peers import keras_mlp
from jaxdeep.config import Model
from jaxdeep.config.choices import Activation
from jaxdeep.config.model import ALPHAS
from jaxdeep.nn import activations
from jaxdeep.nn.dnn import dnn

pytestmark = pytest.mark.usefixtures("x64")

NAMES = get_args(Activation)
UNITS = 100
SELU = (1.0507009873554804934193349852946, 1.6732632423543772848170429916717)  # as printed by Klambauer et al.


def slope_below_0(slope: float) -> Callable:
    return lambda x: np.where(x > 0, x, slope * x)


DEFINITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "sigmoid": special.expit,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "softmax": lambda x: special.softmax(x, -1),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
    "relu": slope_below_0(0),
    "leaky_relu": slope_below_0(0.01),
    "rrelu": slope_below_0((1 / 8 + 1 / 3) / 2),
    "prelu": slope_below_0(0.25),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * np.expm1(x)),
    "swish": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.ndtr(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "thresholded_relu": lambda x: np.where(x > 1, x, 0),
    "glu": lambda x: x[:, : UNITS // 2] * special.expit(x[:, UNITS // 2 :]),
}


@cache
def network(activation: Any, alpha: float | None = None, layers: int = 1, rate: float = 0.0) -> tuple[Callable, dict]:
    """`apply`, compiled, of layers that do nothing but drop and bend: their kernels are the identity; its weights.

    GLU has half as many units as inputs.
    """
    model = Model(
        (UNITS // 2 if activation == "glu" else UNITS,) * layers,
        activation,
        kernel_init="constant",
        head_init="constant",
        alpha=alpha,
        dropout_sites="every" if rate else "none",
        dropout_rate=rate,
    )
    net = dnn(model, UNITS, UNITS, "float64")
    params, batch_stats = jax.jit(net.init)(jax.random.key(0))
    for stack in params.values():
        shape = stack["dense"]["kernel"].shape
        stack["dense"]["kernel"] = jnp.broadcast_to(jnp.eye(*shape[1:]), shape)

    def apply(params: dict, x: jax.Array, key: jax.Array | None = None, start: int = 0, stop: int = 1) -> jax.Array:
        y, _ = net.apply(params, batch_stats, x, key=key, dropout_rate=rate, start=start, stop=stop)
        return y

    return jax.jit(apply, static_argnames=("start", "stop")), params


def in_keras(name: str, alpha: float | None) -> keras.layers.Layer:
    match name:
        case "leaky_relu":
            return keras.layers.LeakyReLU(0.01 if alpha is None else alpha)
        case "rrelu":
            return keras.layers.LeakyReLU(11 / 48)
        case "prelu":
            return keras.layers.PReLU(keras.initializers.Constant(0.25 if alpha is None else alpha))
        case "elu" if alpha is not None:
            return keras.layers.ELU(alpha)
        case "thresholded_relu":
            return keras_mlp.ThresholdedReLU(1.0 if alpha is None else alpha)
        case "glu":
            return keras_mlp.GLU()
    return keras.layers.Activation(name)


def some_values() -> jax.Array:
    """[4, units], most of them near 0 and none at a kink."""
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(4, UNITS)) * np.asarray([[0.1], [1.0], [5.0], [50.0]]))


def gradients(function: Callable, *arguments: Any) -> tuple:
    """Of a sum of the outputs, each with a weight of its own."""

    def total(*arguments: Any) -> jax.Array:
        y = function(*arguments)
        return (y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)).sum()

    return jax.grad(total, tuple(range(len(arguments))))(*arguments)


@pytest.mark.parametrize(
    ("name", "alpha"),
    [*((name, None) for name in NAMES), ("leaky_relu", 0.3), ("prelu", 0.1), ("elu", 0.5), ("thresholded_relu", 0.1)],
)
def test_an_activation_and_its_gradient_are_those_of_keras(name, alpha):
    apply, params = network(name, alpha)
    reference, x = in_keras(name, alpha), some_values()
    with keras_oracle.relaxed():
        expected = reference(x)
        (expected_gradient,) = gradients(reference, x)
    (gradient,) = gradients(lambda x: apply(params, x), x)
    np.testing.assert_allclose(apply(params, x), expected, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_is_its_definition(name):
    apply, params = network(name)
    x = some_values()
    np.testing.assert_allclose(apply(params, x), DEFINITIONS[name](np.asarray(x)), rtol=2e-15, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "exponential"])
def test_gradients_are_finite_at_0_and_far_from_it(name):
    apply, params = network(name)
    x = jnp.tile(jnp.asarray([-1e4, -3.0, 0.0, 3.0, 1e4]), UNITS // 5)[None]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients(apply, params, x)))


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_keeps_float32(name):
    net = dnn(Model((8,), name), 8, 2, "float32")
    variables = jax.eval_shape(net.init, jax.random.key(0))
    y, _ = jax.eval_shape(net.apply, *variables, jax.ShapeDtypeStruct((4, 8), "float32"), key=jax.random.key(1))
    assert {leaf.dtype.name for leaf in jax.tree.leaves((variables, y))} == {"float32"}


def cubed(x: jax.Array) -> jax.Array:
    return x**3


def test_a_function_of_the_users_own_is_an_activation():
    apply, params = network(cubed)
    np.testing.assert_allclose(apply(params, some_values()), np.asarray(some_values()) ** 3, rtol=1e-15)


@pytest.mark.parametrize("alpha", [None, 0.1])
def test_every_unit_of_prelu_has_a_slope_that_begins_at_alpha_and_learns_as_in_keras(alpha):
    apply, params = network("prelu", alpha)
    start = params["layer_0"]["prelu"]["slope"]
    np.testing.assert_array_equal(start, np.full((1, UNITS), ALPHAS["prelu"] if alpha is None else alpha))

    slopes, x = jnp.linspace(-0.5, 1, UNITS), some_values()
    params = {**params, "layer_0": {**params["layer_0"], "prelu": {"slope": slopes[None]}}}
    weights, gradient = gradients(apply, params, x)
    with keras_oracle.relaxed():
        reference = keras.layers.PReLU()
        reference.build(x.shape)
        expected = gradients(lambda slopes, x: reference.stateless_call([slopes], [], x)[0], slopes, x)
    np.testing.assert_allclose(weights["layer_0"]["prelu"]["slope"][0], expected[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-14)


def rrelu_slopes(layer: int, rate: float = 0.0, seed: int = 1) -> np.ndarray:
    """[1000, units]: what layer 0 or 1 multiplies -1 by in training; 0 where that was dropped."""
    apply, params = network("rrelu", layers=2, rate=rate)
    x = jnp.full((1_000, UNITS), -1.0)
    return -np.asarray(apply(params, x, jax.random.key(seed), start=layer, stop=layer + 1)) * (1 - rate)


def test_slopes_of_rrelu_are_uniform_and_each_values_own():
    slopes = rrelu_slopes(0)
    assert slopes.min() >= 1 / 8
    assert slopes.max() <= 1 / 3
    assert stats.kstest(slopes.ravel(), stats.uniform(1 / 8, 1 / 3 - 1 / 8).cdf).pvalue > 1e-3
    spread = (1 / 3 - 1 / 8) / np.sqrt(12)
    for axis in (0, 1):  # as means of independent values are: no row and no unit shares slopes
        means = (slopes.mean(axis) - 11 / 48) / (spread / np.sqrt(slopes.shape[axis]))
        assert stats.kstest(means, stats.norm.cdf).pvalue > 1e-3
    others = (rrelu_slopes(1), rrelu_slopes(0, seed=2), np.roll(slopes, 1, 0), np.roll(slopes, 1, 1))
    for other in others:
        assert abs(np.corrcoef(slopes.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(slopes.size)


def test_slopes_of_rrelu_do_not_depend_on_the_dropout_mask():
    slopes = rrelu_slopes(0, rate=0.5)
    kept = slopes[slopes > 0]
    assert 0.49 < kept.size / slopes.size < 0.51
    assert stats.kstest(kept, stats.uniform(1 / 8, 1 / 3 - 1 / 8).cdf).pvalue > 1e-3


def test_rrelu_leaves_what_is_above_0_alone():
    apply, params = network("rrelu")
    x = some_values()
    y = apply(params, x, jax.random.key(3))
    np.testing.assert_array_equal(np.where(x > 0, y, 0), np.where(x > 0, x, 0))
    assert np.all((y < 0) == (x < 0))


def test_selus_constants_are_the_published_ones_to_the_last_bit():
    assert (activations.SELU_SCALE, activations.SELU_ALPHA) == SELU


def test_mean_0_and_variance_1_are_a_fixed_point_of_selu():
    selu = jax.jit(activations.selu)

    def moment(power: int) -> float:
        def integrand(x: float) -> float:
            return float(selu(x)) ** power * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

        return sum(integrate.quad(integrand, *ends, epsabs=1e-14)[0] for ends in ((-40, 0), (0, 40)))

    assert abs(moment(1)) < 1e-12
    assert abs(moment(2) - 1) < 1e-12


PAIRS = [(activations.elu, jax.nn.elu), (activations.selu, jax.nn.selu)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_value_and_derivatives_of_elu_and_selu_are_jaxs(ours, theirs, order):
    x = jnp.asarray([-800.0, -30.0, -1.0, -1e-3, -1e-12, 0.0, 1e-12, 0.5, 7.0, 800.0])
    for _ in range(order):
        ours, theirs = jax.grad(ours), jax.grad(theirs)
    np.testing.assert_allclose(jax.vmap(ours)(x), jax.vmap(theirs)(x), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_in_float32_elu_and_selu_differ_from_jaxs_by_the_rounding_of_1(ours, theirs):
    x = jnp.linspace(-10, 10, 20_001, dtype=jnp.float32)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-7, atol=2.0**-22)
