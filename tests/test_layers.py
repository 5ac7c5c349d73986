"""Dropout and alpha dropout."""

from functools import partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import pytest

from jaxdeep.config.choices import Dropout
from jaxdeep.nn.layers import DROPOUTS, SELU_ALPHA, SELU_SCALE, dropout_mask

pytestmark = pytest.mark.usefixtures("x64")

KERAS = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}
ROWS = (1_000, 1_000)


def normal(shape: tuple[int, ...] = ROWS) -> jax.Array:
    return jax.random.normal(jax.random.key(0), shape)


def dropped(name: str, key: jax.Array, x: jax.Array, rate: Any) -> jax.Array:
    return DROPOUTS[name](x, *dropout_mask(key, x.shape, x.dtype, rate))


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_formula_is_that_of_keras_for_the_same_uniform_numbers(name, rate):
    key, x = jax.random.key(1), normal((64, 20))
    with keras_oracle.relaxed(), keras_oracle.drawn([jax.random.uniform(key, x.shape)]):
        expected = KERAS[name](rate, seed=0)(x, training=True)
    np.testing.assert_allclose(dropped(name, key, x, rate), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(rate):
    y = np.asarray(dropped("alpha_dropout", jax.random.key(2), normal(), rate))
    squares = (y - y.mean()) ** 2
    assert abs(y.mean()) < 5 * y.std() / np.sqrt(y.size)  # five standard errors
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(y.size)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_keeps_the_mean(rate):
    y = np.asarray(dropped("dropout", jax.random.key(2), normal() + 1, rate))
    assert abs(y.mean() - 1) < 5 * y.std() / np.sqrt(y.size)


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(name, rate):
    x = normal()
    is_dropped = np.asarray(dropped(name, jax.random.key(3), x, rate) == dropped(name, jax.random.key(3), x + 10, rate))
    assert abs(is_dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)
    for axis in (0, 1):  # each value by itself: no row and no column is dropped as a whole
        assert np.abs(is_dropped.mean(axis) - rate).max() < 6 * np.sqrt(rate * (1 - rate) / ROWS[0])


@pytest.mark.parametrize("name", DROPOUTS)
def test_a_rate_of_0_changes_nothing(name):
    np.testing.assert_array_equal(dropped(name, jax.random.key(4), normal((50, 20)), 0.0), normal((50, 20)))


@pytest.mark.parametrize("name", DROPOUTS)
def test_the_mask_is_a_function_of_the_key_alone(name):
    x = normal((50, 20))
    once, again, other = (dropped(name, jax.random.key(seed), x, 0.5) for seed in (5, 5, 6))
    np.testing.assert_array_equal(once, again)
    assert np.mean(once != other) > 0.3


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_rate_may_be_traced_and_the_type_is_kept(name, dtype):
    x, key = normal((50, 20)).astype(dtype), jax.random.key(7)
    rates = jnp.asarray([0.1, 0.5], dtype)
    together = jax.vmap(partial(dropped, name, key, x))(rates)
    assert together.dtype == dtype
    for trial, rate in enumerate([0.1, 0.5]):
        eps = np.finfo(dtype).eps  # of sums of order 1, which may cancel
        np.testing.assert_allclose(together[trial], dropped(name, key, x, rate), rtol=4 * eps, atol=4 * eps)


def test_the_constants_are_those_of_selu():
    """Where dropped values are put is where SELU saturates."""
    np.testing.assert_allclose(jax.nn.selu(jnp.asarray(-1e3)), -SELU_SCALE * SELU_ALPHA, rtol=1e-15)
    np.testing.assert_allclose(jax.nn.selu(jnp.asarray(1.0)), SELU_SCALE, rtol=1e-15)


def test_every_choice_of_dropout_is_there():
    assert set(get_args(Dropout)) == set(DROPOUTS)
