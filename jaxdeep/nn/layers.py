"""The dense layer, dropout and alpha dropout."""

from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxdeep.config import Dropout, DType
from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE


class Dense(nn.Module):
    """x W^T + b, its kernel W kept as [units, inputs].

    That is the transpose of Flax's: the kernel's gradient is then dy^T x, which takes XLA two thirds of the time of
    x^T dy on a CPU where the inputs are many (LOG.md).
    """

    units: int
    kernel_init: nn.initializers.Initializer
    dtype: DType

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", lambda key: self.kernel_init(key, (x.shape[1], self.units), self.dtype).T)
        bias = self.param("bias", nn.initializers.zeros, (self.units,), self.dtype)
        return jax.lax.dot_general(x, kernel, (((1,), (1,)), ((), ()))) + bias[None]


def dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Set a share of the values to zero and scale the others by 1 / (1 - rate).

    Args:
        key: the mask is a function of it alone.
        x: values, of any shape.
        rate: share that is dropped, in [0, 1); may be traced.

    Returns:
        An array like x.

    Source: Srivastava et al., "Dropout" (2014), in the inverted form that Keras has.
    """
    return jnp.where(_kept(key, x, rate), x / (1 - rate), 0)


def alpha_dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Set a share of the values to SELU's lower bound, then restore mean 0 and variance 1 by an affine map.

    With a' = -scale x alpha (SELU's value at minus infinity) and q the rate, the result is a (x or a') + b with
    a = ((1 - q)(1 + q a'^2))^(-1/2) and b = -a a' q.

    Args:
        key: the mask is a function of it alone.
        x: activations of mean 0 and variance 1, of any shape.
        rate: share that is dropped, in [0, 1); may be traced.

    Returns:
        An array like x.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), section "New Dropout Technique"; the constants
    are Keras's.
    """
    bound = -SELU_SCALE * SELU_ALPHA
    scale = ((1 - rate) * (1 + rate * bound**2)) ** -0.5
    return scale * jnp.where(_kept(key, x, rate), x, bound) - scale * bound * rate


def _kept(key: jax.Array, x: jax.Array, rate: jax.Array | float) -> jax.Array:
    return jax.random.uniform(key, x.shape, x.dtype) >= rate


DROPOUTS: Final[dict[Dropout, Callable[[jax.Array, jax.Array, jax.Array | float], jax.Array]]] = {
    "dropout": dropout,
    "alpha_dropout": alpha_dropout,
}
