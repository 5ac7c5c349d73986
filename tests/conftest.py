"""JAX as strict as it goes, on the CPU; warnings are errors (pyproject.toml)."""

import os
from collections.abc import Iterator

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["KERAS_BACKEND"] = "jax"

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module")
def x64() -> Iterator[None]:
    """float64, in JAX and in Keras, for the tests of a module."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    with jax.enable_x64(True):
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        yield
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
