"""Adam and AdaMax as Keras has them. optax adds epsilon in another place."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AdamState(NamedTuple):
    """State that Adam and AdaMax keep between steps.

    Attributes:
        count: Number of steps taken, int32.
        mu: First moments in a tree like the parameters.
        nu: Second moments for Adam. Decaying maxima of the gradients' absolute values for AdaMax. Both are trees like
            the parameters.
    """

    count: jax.Array  # pyright: ignore[reportIncompatibleMethodOverride]
    mu: optax.Updates
    nu: optax.Updates


def scale_by_adam(
    beta_1: jax.Array | float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformation:
    r"""Return Keras's Adam without its learning rate.

    Epsilon is added to the root of the second moment before the bias of that moment is corrected.

    .. math::
        \text{update} = \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \, m_t / (\sqrt{v_t} + \epsilon)

    Args:
        beta_1: Decay of the first moment, in [0, 1). It may be traced.
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: Number above 0 that keeps the denominator above 0.

    Returns:
        A transformation from gradients to updates. Scale its update by minus the learning rate.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), the form before section 2.1. Keras 3 has
    it as `keras.optimizers.Adam`.
    """

    def scaled(count: Any, mu: optax.Updates, nu: optax.Updates) -> optax.Updates:
        unbias = jnp.sqrt(1 - beta_2**count) / (1 - beta_1**count)
        return jax.tree.map(lambda m, v: unbias * m / (jnp.sqrt(v) + epsilon), mu, nu)

    return _moment_transformation(beta_1, lambda v, g: v + (1 - beta_2) * (g**2 - v), scaled)


def scale_by_adamax(
    beta_1: jax.Array | float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformation:
    r"""Return Keras's AdaMax without its learning rate.

    .. math::
        u_t = \max(\beta_2 u_{t-1}, |g_t|), \quad \text{update} = m_t / ((1 - \beta_1^t) (u_t + \epsilon))

    Args:
        beta_1: Decay of the first moment, in [0, 1). It may be traced.
        beta_2: Decay of the maxima, in [0, 1).
        epsilon: Number above 0 that keeps the denominator above 0.

    Returns:
        A transformation from gradients to updates. Scale its update by minus the learning rate.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 2. Keras 3 has it as
    `keras.optimizers.Adamax`.
    """

    def scaled(count: Any, mu: optax.Updates, nu: optax.Updates) -> optax.Updates:
        return jax.tree.map(lambda m, u: m / ((1 - beta_1**count) * (u + epsilon)), mu, nu)

    return _moment_transformation(beta_1, lambda u, g: jnp.maximum(beta_2 * u, jnp.abs(g)), scaled)


def _moment_transformation(beta_1: jax.Array | float, second: Any, scaled: Any) -> optax.GradientTransformation:
    """Return a transformation that follows Adam's first moment.

    Args:
        beta_1: Decay of the first moment, in [0, 1).
        second: Function from a leaf of the second moment and its gradient to the next second moment.
        scaled: Function from the step number t and both moments to the update.

    Returns:
        A transformation from gradients to updates.
    """

    def init(params: optax.Params) -> AdamState:
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return AdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(
        updates: optax.Updates, state: AdamState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AdamState]:
        del params
        mu = jax.tree.map(lambda m, g: m + (1 - beta_1) * (g - m), state.mu, updates)
        nu = jax.tree.map(second, state.nu, updates)
        count = state.count + 1
        return scaled(count.astype(jax.tree.leaves(updates)[0].dtype), mu, nu), AdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]
