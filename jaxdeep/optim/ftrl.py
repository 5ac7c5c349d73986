"""The FTRL-Proximal optimizer. optax does not have it."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class FtrlState(NamedTuple):
    """State that FTRL keeps between steps.

    Attributes:
        accumulator: Sums of squared gradients n in a tree like the parameters.
        linear: Linear terms z in a tree like the parameters.
    """

    accumulator: optax.Updates
    linear: optax.Updates


def ftrl(
    learning_rate: jax.Array | float,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    learning_rate_power: float = -0.5,
    initial_accumulator: float = 0.1,
) -> optax.GradientTransformation:
    r"""Return Keras's FTRL, whose l1 makes weights exactly 0.

    .. math::
        n' &= n + g^2, \quad z' = z + g + 2 s w - (n'^{-p} - n^{-p}) w / \eta \\
        w' &= \frac{\mathrm{clip}(z', -l_1, l_1) - z'}{n'^{-p} / \eta + 2 (l_2 + \beta / (2 \eta))}

    It shares two properties with Keras. The first steps all but erase the initial weights if n begins above 0. The
    weights fall when the learning rate falls because z holds them divided by it.

    It differs from Keras in two cases in which Keras divides 0 by 0. A step at a learning rate of 0 changes nothing,
    and a warm-up begins with such a step. A weight that has had no gradient does not change if n began at 0.

    Args:
        learning_rate: Learning rate eta. It may be traced and change from step to step.
        l1: Strength of the l1 penalty, 0 or more.
        l2: Strength of the l2 penalty, 0 or more.
        l2_shrinkage: Strength s of an l2 penalty on the gradient, 0 or more. The sum n does not see it.
        beta: Number 0 or more that adds beta / (2 eta) to l2.
        learning_rate_power: Power p, 0 or less.
        initial_accumulator: Sum n before the first step, 0 or more.

    Returns:
        A transformation from gradients and parameters to an update. Add its update to the parameters as it is.

    Source: McMahan et al., "Ad Click Prediction: a View from the Trenches" (2013), algorithm 1. Keras 3 has it as
    `keras.optimizers.Ftrl`.
    """

    def init(params: optax.Params) -> FtrlState:
        start = jax.tree.map(lambda w: jnp.full_like(w, initial_accumulator), params)
        return FtrlState(start, jax.tree.map(jnp.zeros_like, params))

    def update(
        updates: optax.Updates, state: FtrlState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, FtrlState]:
        power = -learning_rate_power
        is_step = learning_rate > 0
        rate = jnp.where(is_step, learning_rate, 1)
        new = jax.tree.map(lambda n, g: n + g**2, state.accumulator, updates)

        def next_linear(z: jax.Array, g: jax.Array, w: jax.Array, n: jax.Array, n_new: jax.Array) -> jax.Array:
            return z + g + 2 * l2_shrinkage * w - (n_new**power - n**power) / rate * w

        def step(z: jax.Array, n_new: jax.Array, w: jax.Array) -> jax.Array:
            quadratic = n_new**power / rate + 2 * (l2 + beta / (2 * rate))
            is_none = quadratic == 0
            return jnp.where(is_none, 0, (jnp.clip(z, -l1, l1) - z) / jnp.where(is_none, 1, quadratic) - w)

        linear = jax.tree.map(next_linear, state.linear, updates, params, state.accumulator, new)
        steps = jax.tree.map(step, linear, new, params)
        before = (jax.tree.map(jnp.zeros_like, steps), state)
        return jax.tree.map(partial(jnp.where, is_step), (steps, FtrlState(new, linear)), before)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]
