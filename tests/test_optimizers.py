"""Optimizers against Keras 3 and against recurrences in NumPy, in float64, on one stream of gradients."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import optax
import pytest

from jaxdeep.config import Hyper, Optim
from jaxdeep.optim.optimizers import optimizer

pytestmark = pytest.mark.usefixtures("x64")

STEPS = 50
SHAPES = {"kernel": (3, 4, 2), "row": (7,), "square": (4, 4), "one": ()}
Leaves = dict[str, np.ndarray]


def start() -> Leaves:
    rng = np.random.default_rng(0)
    return {name: np.asarray(rng.normal(size=shape)) for name, shape in SHAPES.items()}


def stream() -> list[Leaves]:
    """Gradients of every size from 1e-6 to 10, of either sign, and some that are 0."""
    rng = np.random.default_rng(1)

    def draw(shape: Sequence[int]) -> np.ndarray:
        sizes = 10.0 ** rng.uniform(-6, 1, shape)
        return np.asarray(sizes * rng.choice([-1, 1, 1, -1, 0], shape))

    return [{name: draw(shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]


def trajectory(optim: Optim, hyper: Hyper) -> Leaves:
    """Our weights after every step: [steps, ...] each."""
    found = jax.jit(walk, static_argnums=0)(optim, hyper)
    return {name: np.asarray(values) for name, values in found.items()}


def walk(optim: Optim, hyper: Hyper) -> dict[str, jax.Array]:
    def step(carry: tuple, gradients: dict[str, jax.Array]) -> tuple:
        params, state = carry
        updates, state = optimizer(optim, hyper).update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, start())
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *stream())
    return jax.lax.scan(step, (params, optimizer(optim, hyper).init(params)), stacked)[1]


def by_keras(reference: keras.optimizers.Optimizer) -> Leaves:
    weights = {name: jnp.asarray(value) for name, value in start().items()}
    state, apply = keras_oracle.optimize(reference, weights)
    path = []
    for gradients in stream():
        weights, state = apply(state, gradients, weights)
        path.append(weights)
    return {name: np.stack([weights[name] for weights in path]) for name in SHAPES}


def hyper_of(optim: Optim) -> Hyper:
    return Hyper(optim.learning_rate, optim.beta_1, 0.0)


@pytest.mark.parametrize(
    ("optim", "reference"),
    [  # measured: 2e-16 at the most
        (Optim(learning_rate=1e-2), lambda: keras.optimizers.Nadam(1e-2)),
        (
            Optim(learning_rate=1e-3, beta_1=0.8, beta_2=0.99, epsilon=1e-3),
            lambda: keras.optimizers.Nadam(1e-3, beta_1=0.8, beta_2=0.99, epsilon=1e-3),
        ),
        (Optim("sgd", learning_rate=1e-2), lambda: keras.optimizers.SGD(1e-2)),
        (Optim("momentum", learning_rate=1e-2), lambda: keras.optimizers.SGD(1e-2, momentum=0.9)),
        (Optim("momentum", learning_rate=1e-2, beta_1=0.5), lambda: keras.optimizers.SGD(1e-2, momentum=0.5)),
    ],
)
def test_every_step_is_that_of_keras(optim: Optim, reference: Callable):
    assert keras_oracle.difference(trajectory(optim, hyper_of(optim)), by_keras(reference())) < 1e-12


def by_recurrence(optim: Optim) -> Leaves:
    """Nadam as TensorFlow 2 and PyTorch print it, one leaf at a time."""

    def momentum(t: int) -> float:
        return optim.beta_1 * (1 - 0.5 * 0.96 ** (t * optim.momentum_decay))

    path = {}
    for name, value in start().items():
        w, m, v, product = value.copy(), np.zeros_like(value), np.zeros_like(value), 1.0
        steps = []
        for t, gradients in enumerate(stream(), start=1):
            g = gradients[name]
            product *= momentum(t)
            m = optim.beta_1 * m + (1 - optim.beta_1) * g
            v = optim.beta_2 * v + (1 - optim.beta_2) * g * g
            m_hat = momentum(t + 1) * m / (1 - product * momentum(t + 1)) + (1 - momentum(t)) * g / (1 - product)
            w = w - optim.learning_rate * m_hat / (np.sqrt(v / (1 - optim.beta_2**t)) + optim.epsilon)
            steps.append(w)
        path[name] = np.stack(steps)
    return path


@pytest.mark.parametrize("decay", [1.0, 0.004])
def test_nadam_is_its_recurrence_at_either_momentum_decay(decay):
    optim = Optim(learning_rate=1e-2, momentum_decay=decay)
    assert keras_oracle.difference(trajectory(optim, hyper_of(optim)), by_recurrence(optim)) < 1e-12


def test_the_momentum_decay_matters():
    ours = [
        trajectory(Optim(learning_rate=1e-2, momentum_decay=decay), Hyper(1e-2, 0.9, 0.0)) for decay in (1.0, 0.004)
    ]
    assert keras_oracle.difference(*ours) > 1e-3


@pytest.mark.parametrize("name", ["nadam", "momentum", "sgd"])
def test_rates_and_momenta_are_traced_and_a_vmap_over_them_is_separate_runs(name):
    compiled = jax.jit(walk, static_argnums=0)
    before = compiled._cache_size()
    optim = Optim(name)
    hypers = [(1e-3, 0.9), (1e-2, 0.5), (3e-2, 0.0)]
    separate = [compiled(optim, Hyper(*map(jnp.asarray, (rate, beta_1, 0.0)))) for rate, beta_1 in hypers]
    assert compiled._cache_size() == before + 1
    rates, betas = (jnp.asarray(values) for values in zip(*hypers, strict=True))
    together = jax.vmap(lambda rate, beta_1: walk(optim, Hyper(rate, beta_1, 0.0)))(rates, betas)
    for member, alone in enumerate(separate):
        of_member = {leaf: values[member] for leaf, values in together.items()}
        assert keras_oracle.difference(of_member, alone) < 1e-12
    assert keras_oracle.difference(separate[0], separate[1]) > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_updates_have_the_type_of_the_parameters(dtype):
    optim = Optim()
    params = {"w": jnp.ones((3,), dtype)}
    state = optimizer(optim, hyper_of(optim)).init(params)
    updates, after = optimizer(optim, hyper_of(optim)).update(params, state, params)
    assert updates["w"].dtype == dtype
    assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [leaf.dtype for leaf in jax.tree.leaves(state)]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after)} == {"int32", dtype}
