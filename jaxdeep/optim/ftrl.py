"""FTRL-Proximal, which optax does not have."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class FtrlState(NamedTuple):
    """What FTRL keeps between steps.

    Attributes:
        accumulator: n, sums of squared gradients, like the parameters.
        linear: z, likewise.
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
    r"""Keras's FTRL, whose l1 makes weights exactly 0.

    .. math::
        n' &= n + g^2, \quad z' = z + g + 2 s w - (n'^{-p} - n^{-p}) w / \eta \\
        w' &= \frac{\mathrm{clip}(z', -l_1, l_1) - z'}{n'^{-p} / \eta + 2 (l_2 + \beta / (2 \eta))}

    As with Keras, the first steps all but erase the initial weights where n begins above 0, and the weights fall with
    the rate where that falls, since z holds them divided by it.

    Two things change nothing for which Keras divides 0 by 0: a step at a rate of 0, with which a warm-up begins, and no
    gradient yet where n began at 0.

    Args:
        learning_rate: eta; may be traced, and change from step to step.
        l1: strength of l1, 0 or more.
        l2: strength of l2, 0 or more.
        l2_shrinkage: s, 0 or more; an l2 on the gradient, without the g^2 of it.
        beta: 0 or more.
        learning_rate_power: p, 0 or less.
        initial_accumulator: n before the first step, 0 or more.

    Returns:
        A transformation whose update is added to the parameters, which it needs.

    Source: McMahan et al., "Ad Click Prediction: a View from the Trenches" (2013), algorithm 1; Keras 3,
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
