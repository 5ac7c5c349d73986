"""Optimizers of optax that work element by element update whole stacks, and no other one does."""

import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_data import QUICK, SMALL

from jaxdeep.config.choices import Optimizer
from jaxdeep.optim import optimizers
from jaxdeep.optim.elementwise import is_elementwise
from jaxdeep.optim.optimizers import MOST_APART, of_layers, optimizer, per_layer
from jaxdeep.optim.schedules import Rates

LAYERS = MOST_APART + 1
TREE = jax.tree.structure({"first": {"bias": 0, "kernel": 0}, "hidden": {"bias": 0, "kernel": 0}})
SHAPES = ((1, 4), (1, 4, 3), (LAYERS, 4), (LAYERS, 4, 4))
WHOLE_VARIABLES = {
    "optax.adafactor", "optax.fromage", "optax.lamb", "optax.lars", "optax.novograd", "optax.sm3",
}  # fmt: skip
"""Names of the optimizers that look at a variable as a whole."""
OF_OPTAX = [name for name in get_args(Optimizer) if name.startswith("optax.")]


def named(name: str) -> Any:
    return getattr(optax, name.removeprefix("optax."))


def weights(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return TREE.unflatten([jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in SHAPES])


@pytest.mark.parametrize("name", OF_OPTAX)
def test_each_optimizer_of_optax_is_told_by_its_operations(name) -> None:
    assert is_elementwise(named(name), TREE, SHAPES, "float32") == (name not in WHOLE_VARIABLES)


def adamw_of_matrices(rate: Any) -> Any:
    return optax.adamw(rate, mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params))


def clipped(rate: Any) -> Any:
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


def slower_last_layer(rate: Any) -> Any:
    def labels(params: Any) -> Any:
        last = jax.tree_util.SequenceKey(LAYERS - 1)
        return jax.tree_util.tree_map_with_path(lambda path, _: "slow" if path[-1] == last else "fast", params)

    return optax.multi_transform({"slow": optax.sgd(0.1 * rate), "fast": optax.sgd(rate)}, labels)


def by_length(rate: Any) -> Any:
    return optax.stateless(lambda updates, _: jax.tree.map(lambda leaf: -rate / len(leaf) * leaf, updates))


def noisy(rate: Any) -> Any:
    return optax.noisy_sgd(rate)


def late_norm(rate: Any) -> Any:
    """Its state alone looks at a variable as a whole in the first steps."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        del params
        return jax.tree.map(lambda leaf: -rate * leaf, updates), jax.tree.map(optax.safe_norm, updates, state)

    def init(params: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype), params)

    return optax.GradientTransformation(init, update)


def fails(rate: Any) -> Any:
    raise ValueError(rate)


@pytest.mark.parametrize("make", [adamw_of_matrices, clipped, slower_last_layer, by_length, noisy, late_norm, fails])
def test_what_looks_at_shapes_at_layers_or_at_all_numbers_is_not_elementwise(make) -> None:
    assert not is_elementwise(make, TREE, SHAPES, "float32")


def scheduled(rate: Any) -> Any:
    decay = optax.cosine_decay_schedule(1.0, 100)
    return optax.chain(optax.clip(0.5), optax.adam(lambda count: rate * decay(count)))


@pytest.mark.parametrize("make", [scheduled, functools.partial(optax.adamw, weight_decay=0.1), named("optax.radam")])
def test_stacks_get_the_updates_of_their_layers(make) -> None:
    @functools.partial(jax.jit, static_argnums=0, compiler_options=QUICK)
    def walk(transformation: Any, params: Any) -> Any:
        state = transformation.init(params)
        for seed in range(3):
            updates, state = transformation.update(weights(seed + 1), state, params)
            params = optax.apply_updates(params, updates)
        return params, len(jax.tree.leaves(state))

    assert is_elementwise(make, TREE, SHAPES, "float32")
    (whole, few), (apart, many) = walk(of_layers(make, 0.1), weights(0)), walk(per_layer(make(0.1)), weights(0))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), whole, apart)
    assert few < LAYERS < many


def test_few_layers_are_updated_apart_so_that_their_runs_keep_their_bits(monkeypatch) -> None:
    optim = SMALL.updated({"optim.optimizer": "optax.adam"}).optim

    def leaves(layers: int) -> int:
        params = {"hidden": {"kernel": jnp.zeros((layers, 2, 2))}}
        return len(jax.tree.leaves(optimizer(optim, Rates(0.1, 0.9)).init(params)))

    assert leaves(MOST_APART) == 1 + 2 * MOST_APART
    assert leaves(MOST_APART + 1) == 1 + 2
    monkeypatch.setattr(optimizers, "MOST_APART", 1)
    assert leaves(2) == 3
