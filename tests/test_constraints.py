"""Penalties and max-norm on chosen layers of a real network against Keras's, and clipping, in float64."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import optax
import pytest

from jaxdeep.config import Config, Hyper, Model, Optim, Regularize
from jaxdeep.config.choices import Layers
from jaxdeep.nn.dnn import Params, dnn
from jaxdeep.optim.constraints import chosen_kernels, clip_by_norm, penalty
from jaxdeep.optim.schedules import Rates
from jaxdeep.train.state import transformation

pytestmark = pytest.mark.usefixtures("x64")

MODEL = Model(units=(5, 5, 5))
STACKS = {"layer_0": [0], "layers_1_2": [1, 2], "layer_3": [3]}
LAYERS: list[tuple[Layers, set[int]]] = [
    ("every", {0, 1, 2, 3}),
    ("hidden", {0, 1, 2}),
    ("head", {3}),
    ((0,), {0}),
    ((3, 1), {1, 3}),
]
by_layers = pytest.mark.parametrize(("layers", "indices"), LAYERS, ids=[str(layers) for layers, _ in LAYERS])


def network(dtype: str = "float64") -> Any:
    return dnn(MODEL, inputs=6, classes=4, dtype=dtype)


def weights(dtype: str = "float64") -> Params:
    """Drawn ones, biases too; some weights are 0."""
    params, _ = jax.eval_shape(network(dtype).init, jax.random.key(0))
    assert params.keys() == STACKS.keys()
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=leaf.shape) * rng.choice([0, 1, 1, 1], leaf.shape) for leaf in leaves]
    return structure.unflatten([jnp.asarray(0.4 * leaf, dtype) for leaf in drawn])


def kernels_of(indices: set[int]) -> list[str]:
    return [f"{layer}/dense/kernel" for layer in sorted(indices)]


@by_layers
def test_the_chosen_kernels_are_marked_in_their_stacks(layers, indices):
    chosen = chosen_kernels(network(), layers)
    marked = {name: [layer in indices for layer in of_stack] for name, of_stack in STACKS.items()}
    assert {name: list(mask) for name, mask in chosen.items()} == {k: v for k, v in marked.items() if any(v)}


@pytest.mark.parametrize(
    ("l1", "l2", "reference"),
    [
        (0.03, 0.0, lambda: keras.regularizers.L1(0.03)),
        (0.0, 0.01, lambda: keras.regularizers.L2(0.01)),
        (0.03, 0.01, lambda: keras.regularizers.L1L2(0.03, 0.01)),
    ],
    ids=["l1", "l2", "l1_l2"],
)
@by_layers
def test_penalty_and_its_gradient_are_those_of_keras(layers, indices, l1, l2, reference):
    regularize, params = Regularize(l1, l2, penalized=layers), weights()

    def ours(params: Params) -> jax.Array:
        return penalty(regularize, Config(model=MODEL, regularize=regularize).hyper(), network(), params)

    def theirs(named: dict[str, Any]) -> Any:
        return sum(reference()(named[name]) for name in kernels_of(indices))

    found, gradients = jax.value_and_grad(ours)(params)
    with keras_oracle.relaxed():
        expected, by_name = jax.value_and_grad(theirs)(keras_oracle.per_layer(params))
    assert abs(float(found) / float(expected) - 1) < 1e-15
    assert keras_oracle.difference(keras_oracle.per_layer(gradients), by_name) < 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_strengths_are_traced(dtype):
    regularize, params = Regularize(l1=1.0, l2=1.0, penalized=(3, 1)), weights(dtype)
    compiled = jax.jit(lambda hyper: penalty(regularize, hyper, network(dtype), params))
    kernels = [keras_oracle.per_layer(params)[name].astype(float) for name in kernels_of({1, 3})]
    for l1, l2 in [(0.1, 0.2), (0.0, 0.5), (3.0, 0.0)]:
        found = compiled(hyper_of(l1=jnp.asarray(l1, dtype), l2=jnp.asarray(l2, dtype)))
        assert found.dtype == dtype
        expected = sum(l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum() for kernel in kernels)
        np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps)
    assert compiled._cache_size() == 1


def hyper_of(**fields: Any) -> Hyper:
    return Config().hyper()._replace(**fields)


STEPS = 8
RATES = Rates(0.1, 0.9)


def stream(params: Params) -> list[Params]:
    """Gradients that do not depend on the weights."""
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    return [structure.unflatten([jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves]) for _ in range(STEPS)]


@partial(jax.jit, static_argnums=0)
def walk(config: Config, limit: jax.Array | float) -> Params:
    """The weights after each step, stacked."""
    chain = transformation(config, network(), hyper_of(max_norm=limit), RATES)

    def step(carry: tuple, gradients: Params) -> tuple:
        params, state = carry
        updates, state = chain.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *stream(weights()))
    return jax.lax.scan(step, (weights(), chain.init(weights())), stacked)[1]


def at(path: Params, step: int) -> dict[str, Any]:
    return keras_oracle.per_layer(jax.tree.map(lambda leaf: leaf[step], path))


def by_keras(optimizer: keras.optimizers.Optimizer, limit: float, indices: set[int]) -> list[dict[str, Any]]:
    named = keras_oracle.per_layer(weights())
    variables = {name: keras.Variable(value) for name, value in named.items()}
    for name in kernels_of(indices):
        variables[name].constraint = keras.constraints.MaxNorm(limit, axis=0)  # [inputs, units]
    path = []
    with keras_oracle.relaxed():
        for gradients in stream(weights()):
            by_name = keras_oracle.per_layer(gradients)
            optimizer.apply([jnp.asarray(by_name[name]) for name in variables], list(variables.values()))
            path.append({name: jnp.asarray(variable.value) for name, variable in variables.items()})
    return path


@pytest.mark.parametrize(
    ("optim", "reference"),
    [
        (Optim("momentum"), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
        pytest.param(Optim("nadam"), lambda: keras.optimizers.Nadam(0.1), marks=pytest.mark.slow),
    ],
    ids=["momentum", "nadam"],
)
@by_layers
def test_max_norm_is_that_of_keras_after_each_step_and_of_the_chosen_layers_only(layers, indices, optim, reference):
    constrained = walk(Config(model=MODEL, optim=optim, regularize=Regularize(max_norm=1.0, constrained=layers)), 1.0)
    free = walk(Config(model=MODEL, optim=optim), 1.0)
    for step, theirs in enumerate(by_keras(reference(), 1.0, indices)):
        ours, without = at(constrained, step), at(free, step)
        assert keras_oracle.difference(ours, theirs) < 2e-15
        assert {name for name in ours if (ours[name] != without[name]).any()} == set(kernels_of(indices))
        assert all((np.sqrt((ours[name] ** 2).sum(0)) < 1).all() for name in kernels_of(indices))


def test_weights_within_the_limit_are_left_as_they_are_but_for_keras_s_epsilon():
    optim = Optim("sgd")
    constrained = walk(Config(model=MODEL, optim=optim, regularize=Regularize(max_norm=100.0)), 100.0)
    free = walk(Config(model=MODEL, optim=optim), 100.0)
    found = keras_oracle.difference(at(constrained, 0), at(free, 0))
    assert 0 < found < 1e-6  # 1.2e-7


def test_limits_are_traced_and_a_vmap_over_them_is_separate_runs():
    config = Config(model=MODEL, optim=Optim("momentum"), regularize=Regularize(max_norm=1.0))
    limits = jnp.asarray([0.5, 1.0, 2.0])
    before = walk._cache_size()
    separate = [walk(config, limit) for limit in limits]
    assert walk._cache_size() == before + 1
    together = jax.vmap(partial(walk, config))(limits)
    for trial, alone in enumerate(separate):
        last = at(alone, -1)
        of_trial = at(jax.tree.map(lambda leaf, trial=trial: leaf[trial], together), -1)
        assert keras_oracle.difference(of_trial, last) < 1e-15
        norms = np.sqrt((last["2/dense/kernel"] ** 2).sum(0))
        np.testing.assert_allclose(norms.max(), limits[trial], rtol=1e-6)


def test_clipping_by_norm_shortens_the_layers_that_are_too_long_and_leaves_the_others():
    """A layer's gradient stays as it is, to the bit, up to the limit; above it, it is as long and points as before."""
    lengths = np.array([0.0, 0.5, 1.0, 1.000001, 30.0])
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(5, 3, 4))
    directions /= np.sqrt((directions**2).sum((1, 2), keepdims=True))
    directions[2] = np.eye(3, 4) * np.array([1.0, 0.0, 0.0])[:, None]  # of a length of 1 without rounding
    given = {"kernel": lengths[:, None, None] * directions, "bias": lengths[:, None] * np.eye(5)}
    clip = clip_by_norm(1.0)
    found, _ = clip.update(jax.tree.map(jnp.asarray, given), clip.init(given))
    for name, gradients in given.items():
        np.testing.assert_array_equal(found[name][:3], gradients[:3])
    np.testing.assert_allclose(found["kernel"][3:], directions[3:], rtol=2e-15)
    np.testing.assert_allclose(found["bias"][3:], np.eye(5)[3:], rtol=2e-15)
