"""The stack's gradients are those of a plain scan."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras_oracle
import numpy as np
import pytest

from jaxdeep.nn.stack import run_stack

pytestmark = pytest.mark.usefixtures("x64")

LAYERS, UNITS, ROWS = 5, 7, 6
HIGHEST = jax.lax.Precision.HIGHEST


def layer(x: Any, kernel: Any, other: Any, fixed: Any, shared: Any, perturb: Any) -> tuple:
    """Drops inputs, scales and shifts the product, bends it; reports its mean."""
    dropped = jnp.where(jax.random.bernoulli(jax.random.fold_in(shared, fixed), 0.8, x.shape), x, 0)
    product = dropped @ kernel.T
    if perturb is not None:
        product = perturb(product)
    y = jnp.tanh(product * other["scale"][None] + other["bias"][None]) + x
    return y, dropped, y.mean(0)


def by_plain_scan(kernels: Any, others: Any, fixed: Any, shared: Any, x: Any) -> tuple:
    def body(x: Any, inputs: Any) -> tuple:
        y, _, extra = layer(x, *inputs, shared, None)
        return y, extra

    return jax.lax.scan(body, x, (kernels, others, fixed))


def arguments(seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    draw = partial(rng.normal, 0, 0.5)
    others = {name: jnp.asarray(draw(size=(LAYERS, UNITS))) for name in ("scale", "bias")}
    kernels, x = jnp.asarray(draw(size=(LAYERS, UNITS, UNITS))), jnp.asarray(draw(size=(ROWS, UNITS)))
    return kernels, others, jnp.arange(LAYERS), jax.random.key(seed), x


def test_outputs_are_the_plain_scans():
    for one, other in zip(run_stack(layer, HIGHEST, *arguments()), by_plain_scan(*arguments()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradients_are_the_plain_scans_in_every_argument_and_of_the_extras_too():
    def total(run: Any, kernels: Any, others: Any, x: Any) -> jax.Array:
        _, _, fixed, shared, _ = arguments()
        y, extras = run(kernels, others, fixed, shared, x)
        return (y**2).sum() + (extras**3).sum()

    kernels, others, _, _, x = arguments()
    ours, theirs = (
        jax.grad(partial(total, run), argnums=(0, 1, 2))(kernels, others, x)
        for run in (partial(run_stack, layer, HIGHEST), by_plain_scan)
    )
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert keras_oracle.difference({"": one}, {"": other}) < 1e-13


def test_members_under_vmap_are_what_they_are_alone():
    trials = [arguments(seed) for seed in range(3)]

    def gradient(kernels: Any, others: Any, fixed: Any, shared: Any, x: Any) -> jax.Array:
        return jax.grad(lambda kernels: run_stack(layer, HIGHEST, kernels, others, fixed, shared, x)[0].sum())(kernels)

    together = jax.vmap(gradient)(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *trials))
    for one, trial in zip(together, trials, strict=True):
        np.testing.assert_allclose(one, gradient(*trial), rtol=1e-12)
