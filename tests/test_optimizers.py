"""Optimizers against Keras 3, optax and recurrences in NumPy, in float64, on one stream of gradients."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any, get_args

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import optax
import pytest
from keras.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Ftrl, Nadam, RMSprop

from jaxdeep.config import Optim, choices
from jaxdeep.config.optim import USERS
from jaxdeep.errors import UserError
from jaxdeep.optim.ftrl import ftrl
from jaxdeep.optim.optimizers import optimizer
from jaxdeep.optim.schedules import Rates

pytestmark = pytest.mark.usefixtures("x64")

STEPS = 50
SHAPES = {"kernels": (2, 4, 3), "biases": (2, 4)}
"""Stacks of two layers, as `dnn` has them."""
OURS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamax", "nadam", "adamw", "ftrl")
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


CONSTANT = np.ones(STEPS)
SCHEDULED = np.concatenate([np.linspace(0.1, 1, 20), 0.3 * 0.9 ** np.arange(20), np.linspace(1, 1e-3, 10)])
"""Factors of the learning rate: it rises, jumps, falls step by step, jumps, and falls to a thousandth."""


def rates_of(optim: Optim, factors: np.ndarray = CONSTANT) -> Rates:
    """Of each step."""
    return Rates(jnp.asarray(optim.learning_rate * factors), jnp.full(STEPS, optim.beta_1))


def per_variable(tree: Any) -> Leaves:
    """Stacks [L, ...] as one variable per layer, which is what Keras and optax are given."""
    return {f"{name}/{layer}": value for name, stack in tree.items() for layer, value in enumerate(stack)}


@cache
def builder(optim: Optim) -> Callable[[Rates], optax.GradientTransformation]:
    """The same object for the same configuration, so that `walk` is compiled once for it."""
    return partial(optimizer, optim)


def trajectory(optim: Optim, rates: Rates) -> Leaves:
    return by_variable(walk(builder(optim), rates))


def by_variable(path: dict[str, jax.Array]) -> Leaves:
    """Stacks over steps, [steps, L, ...], as one variable per layer, [steps, ...]."""
    return per_variable({name: np.moveaxis(np.asarray(stack), 1, 0) for name, stack in path.items()})


@partial(jax.jit, static_argnums=0)
def walk(built: Callable[[Rates], optax.GradientTransformation], rates: Rates) -> dict[str, jax.Array]:
    """The weights after every step, [steps, L, ...]; the transformation is built anew for each, at its rates."""

    def step(carry: tuple, given: tuple[dict[str, jax.Array], Rates]) -> tuple:
        params, state = carry
        gradients, rates = given
        updates, state = built(rates).update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, start())
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *stream())
    first = jax.tree.map(lambda values: values[0], rates)
    return jax.lax.scan(step, (params, built(first).init(params)), (stacked, rates))[1]


class Listed(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of each step, from a list."""

    rates: Any = None

    def __call__(self, step: Any) -> Any:
        return self.rates[keras.ops.convert_to_tensor(step)]


def by_keras(keras_class: Callable[..., keras.optimizers.Optimizer], **fields: Any) -> Callable[[Any], Leaves]:
    """A learning rate for each step -> Keras's weights after every step, by variable."""
    schedule = Listed()
    variables = {name: jnp.asarray(value) for name, value in per_variable(start()).items()}
    state, apply = keras_oracle.optimize(keras_class(schedule, **fields), variables)

    def step(carry: tuple, gradients: Any) -> tuple:
        weights, state = carry
        weights, state = apply(state, gradients, weights)
        return (weights, state), weights

    @jax.jit
    def path(rates: jax.Array) -> Any:
        schedule.rates = rates
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(per_variable, stream()))
        return jax.lax.scan(step, (variables, state), stacked)[1]

    return lambda rates: {name: np.asarray(value) for name, value in path(rates).items()}


def by_step(ours: Leaves, theirs: Leaves) -> float:
    """The largest over all variables and steps of max|ours - theirs| / max|theirs|."""

    def split(path: Leaves) -> Leaves:
        return {f"{name} {step}": weights for name, steps in path.items() for step, weights in enumerate(steps)}

    return keras_oracle.difference(split(ours), split(theirs))


CANCELLED = 1e-11
"""FTRL's weights are what is left of two sums that grow, so that their rounding does; measured: 3e-12."""
MOMENTS: dict[str, Any] = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}


@pytest.mark.parametrize(
    ("name", "ours", "keras_class", "theirs"),
    [
        ("sgd", {}, SGD, {}),
        ("momentum", {}, SGD, {"momentum": 0.9}),
        ("momentum", {"beta_1": 0.5}, SGD, {"momentum": 0.5}),
        ("nesterov", {}, SGD, {"momentum": 0.9, "nesterov": True}),
        ("nesterov", {"beta_1": 0.99}, SGD, {"momentum": 0.99, "nesterov": True}),
        ("adagrad", {}, Adagrad, {}),
        (
            "adagrad",
            {"initial_accumulator": 0.0, "epsilon": 1e-3},
            Adagrad,
            {"initial_accumulator_value": 0.0, "epsilon": 1e-3},
        ),
        ("rmsprop", {}, RMSprop, {}),
        ("rmsprop", {"rho": 0.5, "epsilon": 1e-3}, RMSprop, {"rho": 0.5, "epsilon": 1e-3}),
        ("adam", {}, Adam, {}),
        ("adam", MOMENTS, Adam, MOMENTS),
        ("adamax", {}, Adamax, {}),
        ("adamax", MOMENTS, Adamax, MOMENTS),
        ("nadam", {}, Nadam, {}),
        ("nadam", MOMENTS, Nadam, MOMENTS),
        ("adamw", {}, AdamW, {}),
        ("adamw", MOMENTS | {"weight_decay": 0.5}, AdamW, MOMENTS | {"weight_decay": 0.5}),
        ("ftrl", {}, Ftrl, {}),
        (
            "ftrl",
            {"ftrl_l1": 0.3, "ftrl_l2": 0.2, "initial_accumulator": 0.5},
            Ftrl,
            {
                "l1_regularization_strength": 0.3,
                "l2_regularization_strength": 0.2,
                "initial_accumulator_value": 0.5,
            },
        ),
        ("adam", {"clip_value": 0.1}, Adam, {"clipvalue": 0.1}),
        ("sgd", {"clip_norm": 0.5}, SGD, {"clipnorm": 0.5}),
        ("sgd", {"clip_global_norm": 0.5}, SGD, {"global_clipnorm": 0.5}),
    ],
)
def test_every_step_is_that_of_keras_at_a_constant_rate_and_with_a_schedule(name, ours, keras_class, theirs):
    optim, reference = Optim(name, 1e-2, **ours), by_keras(keras_class, **theirs)
    for factors in (CONSTANT, SCHEDULED):
        rates = rates_of(optim, factors)
        found = by_step(trajectory(optim, rates), reference(rates.learning_rate))
        assert found < (CANCELLED if name == "ftrl" else 5e-15)  # measured: 2e-15 with adamw, else 2e-16


@pytest.mark.parametrize(
    "fields",
    [{"l2_shrinkage": 0.3}, {"beta": 0.5}, {"learning_rate_power": -0.7}, {"learning_rate_power": 0.0}, {"l1": 2.0}],
    ids=lambda fields: next(iter(fields)),
)
def test_ftrl_with_what_the_configuration_leaves_out_is_that_of_keras(fields):
    theirs = {"l2_shrinkage": "l2_shrinkage_regularization_strength", "l1": "l1_regularization_strength"}
    rates = rates_of(Optim(learning_rate=0.1), SCHEDULED)
    ours = by_variable(walk(lambda rates: ftrl(rates.learning_rate, **fields), rates))
    named = {theirs.get(name, name): value for name, value in fields.items()}
    reference = by_keras(Ftrl, **named)(rates.learning_rate)
    assert by_step(ours, reference) < CANCELLED
    zeros = [{name: weights == 0 for name, weights in path.items()} for path in (ours, reference)]
    assert all((zeros[0][name] == zeros[1][name]).all() for name in ours)


def test_ftrl_leaves_a_weight_alone_that_no_gradient_has_reached():
    """Its accumulator beginning at 0, with which the first weights are kept; Keras's weight is 0 / 0 then."""
    optim = Optim("ftrl", 0.1, initial_accumulator=0.0)
    rates = rates_of(optim, SCHEDULED)
    ours, theirs = trajectory(optim, rates), by_keras(Ftrl, initial_accumulator_value=0.0)(rates.learning_rate)
    for name, first in per_variable(start()).items():
        untouched = per_variable(stream()[0])[name] == 0
        np.testing.assert_array_equal(np.isnan(theirs[name]), np.broadcast_to(untouched, theirs[name].shape))
        np.testing.assert_array_equal(ours[name][0][untouched], first[untouched])
        theirs[name] = np.where(untouched, ours[name], theirs[name])
    assert by_step(ours, theirs) < CANCELLED


def by_recurrence(optim: Optim) -> Leaves:
    """Nadam as TensorFlow 2 and PyTorch print it, one variable at a time."""

    def momentum(t: int) -> float:
        return optim.beta_1 * (1 - 0.5 * 0.96 ** (t * optim.momentum_decay))

    def path(name: str, value: np.ndarray) -> np.ndarray:
        w, m, v, product = value.copy(), np.zeros_like(value), np.zeros_like(value), 1.0
        steps = []
        for t, gradients in enumerate(stream(), start=1):
            g = per_variable(gradients)[name]
            product *= momentum(t)
            m = optim.beta_1 * m + (1 - optim.beta_1) * g
            v = optim.beta_2 * v + (1 - optim.beta_2) * g * g
            m_hat = momentum(t + 1) * m / (1 - product * momentum(t + 1)) + (1 - momentum(t)) * g / (1 - product)
            w = w - optim.learning_rate * m_hat / (np.sqrt(v / (1 - optim.beta_2**t)) + optim.epsilon)
            steps.append(w)
        return np.stack(steps)

    return {name: path(name, value) for name, value in per_variable(start()).items()}


@pytest.mark.parametrize("decay", [1.0, 0.004])
def test_nadam_is_its_recurrence_at_either_momentum_decay(decay):
    optim = Optim(learning_rate=1e-2, momentum_decay=decay)
    assert by_step(trajectory(optim, rates_of(optim)), by_recurrence(optim)) < 2e-15


def test_the_momentum_decay_matters():
    optims = [Optim(learning_rate=1e-2, momentum_decay=decay) for decay in (1.0, 0.004)]
    ours = [trajectory(optim, rates_of(optim)) for optim in optims]
    assert by_step(*ours) > 1e-3


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_a_momentum_that_changes_is_that_of_its_step(name):
    """Keras has no schedule for it: v = mu_t v - rate_t g; w += v, or for Nesterov w += mu_t v - rate_t g."""
    rates = rates_of(Optim(learning_rate=1e-2), SCHEDULED)
    rates = rates._replace(beta_1=0.95 - 0.1 * jnp.sin(jnp.linspace(0, 3, STEPS)))
    weights = per_variable(start())
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    path: dict[str, list[np.ndarray]] = {name: [] for name in weights}
    for gradients, rate, momentum in zip(stream(), *map(np.asarray, rates), strict=True):
        for variable, g in per_variable(gradients).items():
            velocity[variable] = momentum * velocity[variable] - rate * g
            ahead = momentum * velocity[variable] - rate * g
            weights[variable] = weights[variable] + (ahead if name == "nesterov" else velocity[variable])
            path[variable].append(weights[variable])
    found = by_step(trajectory(Optim(name), rates), {name: np.stack(steps) for name, steps in path.items()})
    assert found < 2e-15


@pytest.mark.parametrize("name", OURS)
def test_a_field_is_allowed_exactly_where_it_changes_the_steps(name):
    def two_steps(optim: Optim) -> list[np.ndarray]:
        found = few_steps(lambda rate: optimizer(optim, Rates(rate, optim.beta_1)), start(), stream(), [0.1, 0.1])
        return list(found.values())

    for field in USERS:
        other = Optim(name)
        object.__setattr__(other, field, 0.5)  # behind the checks
        changes = any((one != two).any() for one, two in zip(two_steps(other), two_steps(Optim(name)), strict=True))
        if changes:
            assert Optim(name, **{field: 0.5}) == other
        else:
            with pytest.raises(UserError, match=f"{field} is 0.5 and has no effect with {name}"):
                Optim(name, **{field: 0.5})


@pytest.mark.parametrize("name", OURS)
def test_rates_and_momenta_are_traced_and_a_vmap_over_them_is_separate_runs(name):
    built = builder(Optim(name, 0.5))
    scales = [(1e-3, 0.9), (1e-2, 0.5), (3e-2, 0.0)]
    each = [Rates(jnp.full(STEPS, rate), jnp.full(STEPS, beta_1)) for rate, beta_1 in scales]
    before = walk._cache_size()
    separate = [walk(built, rates) for rates in each]
    assert walk._cache_size() == before + 1
    together = jax.vmap(partial(walk, built))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *each))
    for trial, alone in enumerate(separate):
        of_trial = {leaf: values[trial] for leaf, values in together.items()}
        assert by_step(by_variable(of_trial), by_variable(alone)) < 3e-15
    for one, other in pairwise(separate):
        assert by_step(by_variable(one), by_variable(other)) > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", get_args(choices.Optimizer))
def test_moments_and_updates_have_the_type_of_the_parameters(name, dtype):
    params = {"w": jnp.ones((2, 3), dtype)}
    rates = Rates(jnp.asarray(0.1, dtype), jnp.asarray(0.9, dtype))
    optim = Optim(name)
    with jax.numpy_dtype_promotion("standard" if name.startswith("optax.") else "strict"):
        state = optimizer(optim, rates).init(params)
        updates, after = optimizer(optim, rates).update(params, state, params)
    assert updates["w"].dtype == dtype
    types = [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(after)]
    assert types == [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after)} <= {"int32", "bool", dtype}


@pytest.mark.parametrize("name", get_args(choices.Optimizer))
def test_a_step_at_a_rate_of_0_with_which_a_warm_up_begins_changes_nothing(name):
    optim = Optim(name)
    params = jax.tree.map(jnp.asarray, start())
    with jax.numpy_dtype_promotion("standard"):
        state = optimizer(optim, Rates(jnp.asarray(0.0), 0.9)).init(params)
        updates, _ = optimizer(optim, Rates(jnp.asarray(0.0), 0.9)).update(stream()[0], state, params)
    assert all((update == 0).all() for update in updates.values())


def trusting(learning_rate: Any) -> optax.GradientTransformation:
    """A user's own: the step of a variable is as long as it is, times the rate."""
    return optax.chain(optax.trace(0.5), optax.scale_by_trust_ratio(), optax.scale_by_learning_rate(learning_rate))


WHOLE_VARIABLES = {
    *("optax.adafactor", "optax.fromage", "optax.lamb", "optax.lars", "optax.novograd", "optax.sm3"),
    trusting,
}
"""Optimizers that look at a variable as a whole: for them a stack of layers must not be one."""
OPTAX = [name for name in get_args(choices.Optimizer) if name.startswith("optax.")]


@pytest.mark.parametrize("chosen", [*OPTAX, trusting])
def test_an_optimizer_of_optax_sees_each_layer_by_itself(chosen):
    """At rates that change, which its own schedule gives it; those that take no schedule get a constant rate."""
    function = chosen if callable(chosen) else getattr(optax, chosen.removeprefix("optax."))
    takes_schedule = chosen not in ("optax.fromage", "optax.rprop", "optax.sm3")
    rates = 0.1 * (SCHEDULED if takes_schedule else CONSTANT)[:5]
    scheduled = function((lambda count: jnp.asarray(rates)[count]) if takes_schedule else 0.1)
    paths = [
        few_steps(lambda rate: optimizer(Optim(chosen), Rates(rate, 0.9)), start(), stream(), rates),
        few_steps(lambda _: scheduled, per_variable(start()), [per_variable(g) for g in stream()], rates),
        few_steps(lambda _: scheduled, start(), stream(), rates),
    ]
    ours, by_optax, stacked = per_variable(paths[0]), paths[1], per_variable(paths[2])
    assert keras_oracle.difference(ours, by_optax) < 1e-15  # measured: 0
    assert (keras_oracle.difference(stacked, by_optax) > 1e-5) == (chosen in WHOLE_VARIABLES)


def few_steps(built: Callable, params: Any, gradients: Sequence[Any], rates: np.ndarray) -> Any:
    """The weights after a step at each rate, with the transformation that it gives."""
    params = jax.tree.map(jnp.asarray, params)
    with jax.numpy_dtype_promotion("standard"):
        state = built(rates[0]).init(params)
        for rate, given in zip(rates, gradients, strict=False):
            updates, state = built(rate).update(jax.tree.map(jnp.asarray, given), state, params)
            params = optax.apply_updates(params, updates)
    return params
