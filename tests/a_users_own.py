"""What a user may bring from Python, of each kind two: found by name, as a run records them."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn


def snake(x: jax.Array) -> jax.Array:
    """An activation: x + sin(x)^2."""
    return x + jnp.sin(x) ** 2


def snail(x: jax.Array) -> jax.Array:
    """Another: x + sin(x)^2 / 2."""
    return x + jnp.sin(x) ** 2 / 2


def flat(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    """An initialiser: uniform in plus or minus 0.4."""
    return jax.random.uniform(key, shape, dtype, -0.4, 0.4)


def flatter(key: jax.Array, shape: tuple[int, ...], dtype: str) -> jax.Array:
    """Another: in plus or minus 0.2."""
    return jax.random.uniform(key, shape, dtype, -0.2, 0.2)


def heavy_ball(learning_rate: jax.Array | float) -> optax.GradientTransformation:
    """An optimizer: SGD with momentum, its gradients in units of their norm where that is above 1."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(learning_rate, momentum=0.9))


def light_ball(learning_rate: jax.Array | float) -> optax.GradientTransformation:
    """Another: less momentum."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(learning_rate, momentum=0.5))


def sawtooth(count: jax.Array) -> jax.Array:
    """A schedule: from 1 down to 0.55 in 10 steps, again and again."""
    return 1 - 0.05 * (count % 10)


def sharper_sawtooth(count: jax.Array) -> jax.Array:
    """Another: down to 0.19."""
    return 1 - 0.09 * (count % 10)


def focal(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """A loss of classes: the cross-entropy times 1 less the label's probability."""
    of_labels = jnp.take_along_axis(jax.nn.log_softmax(outputs), targets[:, None], 1)[:, 0]
    return -(1 - jnp.exp(of_labels)) * of_labels


def squared_focal(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Another: times the square of that."""
    of_labels = jnp.take_along_axis(jax.nn.log_softmax(outputs), targets[:, None], 1)[:, 0]
    return -((1 - jnp.exp(of_labels)) ** 2) * of_labels


class Residual(nn.Module):
    """A residual network whose layers have batch normalisation and dropout, in the type of its rows."""

    outputs: int
    units: int = 24

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        def dense(units: int) -> Any:
            return nn.Dense(units, dtype=x.dtype, param_dtype=x.dtype)

        x = dense(self.units)(x)
        for _ in range(2):
            norm = nn.BatchNorm(
                use_running_average=not train,
                momentum=0.9,
                dtype=x.dtype,
                param_dtype=x.dtype,
                force_float32_reductions=False,
            )
            y = nn.Dropout(0.1, deterministic=not train)(nn.relu(norm(x)))
            x = x + dense(self.units)(y)
        return dense(self.outputs)(x)


def residual(outputs: int) -> nn.Module:
    """A network for a number of outputs."""
    return Residual(outputs)


def narrow_residual(outputs: int) -> nn.Module:
    """Another: narrower."""
    return Residual(outputs, units=12)
