"""The Nadam optimizer as Keras has it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class NadamState(NamedTuple):
    """State that Nadam keeps between steps.

    Attributes:
        count: Number of steps taken, int32.
        momentum_product: Product u_1 x ... x u_t of the momenta so far, a scalar.
        mu: First moments in a tree like the parameters.
        nu: Second moments in a tree like the parameters.
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
    r"""Return Keras's Nadam without its learning rate.

    Its momentum follows a schedule. That of `optax.nadam` does not.

    .. math::
        u_t &= \beta_1 (1 - \tfrac12 \, 0.96^{d t}), \quad U_t = u_1 \cdots u_t \\
        m_t &= m_{t-1} + (1 - \beta_1)(g_t - m_{t-1}), \quad v_t = v_{t-1} + (1 - \beta_2)(g_t^2 - v_{t-1}) \\
        \text{update} &= \left(\frac{u_{t+1} m_t}{1 - U_t u_{t+1}} + \frac{(1 - u_t) g_t}{1 - U_t}\right)
            \Big/ \left(\sqrt{v_t / (1 - \beta_2^t)} + \epsilon\right)

    Args:
        beta_1: Decay of the first moment, in [0, 1). It may be traced.
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: Number that is added to the root of the second moment.
        momentum_decay: Speed d of the momentum's schedule. Keras 3 has 1. TensorFlow 2 and PyTorch have 0.004.

    Returns:
        A transformation from gradients to updates. Scale its update by minus the learning rate.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam" (2016), algorithm 2. Keras 3 has it as
    `keras.optimizers.Nadam`.
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
        moment_weight = next_momentum / (1 - product * next_momentum)
        gradient_weight = (1 - momentum) / (1 - product)
        unbias = 1 / (1 - beta_2**t)
        scaled = jax.tree.map(
            lambda m, v, g: (moment_weight * m + gradient_weight * g) / (jnp.sqrt(v * unbias) + epsilon),
            mu,
            nu,
            updates,
        )
        return scaled, NadamState(count, product, mu, nu)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]
