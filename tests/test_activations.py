"""Our ELU and SELU are JAX's, values and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdeep.nn import activations

pytestmark = pytest.mark.usefixtures("x64")

PAIRS = [(activations.elu, jax.nn.elu), (activations.selu, jax.nn.selu)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_value_and_derivatives_are_jaxs(ours, theirs, order):
    x = jnp.asarray([-800.0, -30.0, -1.0, -1e-3, -1e-12, 0.0, 1e-12, 0.5, 7.0, 800.0])
    for _ in range(order):
        ours, theirs = jax.grad(ours), jax.grad(theirs)
    np.testing.assert_allclose(jax.vmap(ours)(x), jax.vmap(theirs)(x), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_in_float32_they_differ_by_the_rounding_of_1(ours, theirs):
    x = jnp.linspace(-10, 10, 20_001, dtype=jnp.float32)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-7, atol=2.0**-22)
