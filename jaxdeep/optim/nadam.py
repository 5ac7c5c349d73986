"""Nadam as Keras has it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class NadamState(NamedTuple):
    """What Nadam keeps between steps.

    Attributes:
        count: steps taken, int32.
        momentum_product: u_1 x ... x u_t.
        mu: first moments, like the parameters.
        nu: second moments, like the parameters.
    """

    count: jax.Array  # pyright: ignore[reportIncompatibleMethodOverride]
    momentum_product: jax.Array
    mu: optax.Updates
    nu: optax.Updates


def scale_by_nadam(
    beta_1: jax.Array | float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    momentum_decay: float = 1.0,
) -> optax.GradientTransformation:
    r"""Keras's Nadam, which is not `optax.nadam`: the momentum follows a schedule.

    .. math::
        u_t &= \beta_1 (1 - \tfrac12 \, 0.96^{d t}), \quad U_t = u_1 \cdots u_t \\
        m_t &= m_{t-1} + (1 - \beta_1)(g_t - m_{t-1}), \quad v_t = v_{t-1} + (1 - \beta_2)(g_t^2 - v_{t-1}) \\
        \text{update} &= \left(\frac{u_{t+1} m_t}{1 - U_t u_{t+1}} + \frac{(1 - u_t) g_t}{1 - U_t}\right)
            \Big/ \left(\sqrt{v_t / (1 - \beta_2^t)} + \epsilon\right)

    Args:
        beta_1: decay of the first moment, in [0, 1); may be traced.
        beta_2: decay of the second moment, in [0, 1).
        epsilon: added to the root of the second moment.
        momentum_decay: d; 1 in Keras 3, .004 in TensorFlow 2 and PyTorch.

    Returns:
        A transformation whose update is to be scaled by minus the learning rate.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam" (2016), algorithm 2; Keras 3, `keras.optimizers.Nadam`.
    """

    def init(params: optax.Params) -> NadamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        product = jnp.ones((), jax.tree.leaves(params)[0].dtype)
        return NadamState(jnp.zeros((), jnp.int32), product, zeros, jax.tree.map(jnp.zeros_like, params))

    def update(
        updates: optax.Updates, state: NadamState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NadamState]:
        del params
        count = state.count + 1
        t = count.astype(state.momentum_product.dtype)
        momentum = beta_1 * (1 - 0.5 * 0.96 ** (momentum_decay * t))
        next_momentum = beta_1 * (1 - 0.5 * 0.96 ** (momentum_decay * (t + 1)))
        product = state.momentum_product * momentum
        mu = jax.tree.map(lambda m, g: m + (1 - beta_1) * (g - m), state.mu, updates)
        nu = jax.tree.map(lambda v, g: v + (1 - beta_2) * (g**2 - v), state.nu, updates)
        of_moment = next_momentum / (1 - product * next_momentum)
        of_gradient = (1 - momentum) / (1 - product)
        unbias = 1 / (1 - beta_2**t)
        scaled = jax.tree.map(
            lambda m, v, g: (of_moment * m + of_gradient * g) / (jnp.sqrt(v * unbias) + epsilon), mu, nu, updates
        )
        return scaled, NadamState(count, product, mu, nu)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]
