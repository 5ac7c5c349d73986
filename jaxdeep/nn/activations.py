"""Activation functions by name.

ELU and SELU are written with exp(x) - 1 in place of expm1: the difference is below float32's rounding of 1, and
with XLA's expm1 SELU takes three times as long on a CPU. Their derivatives are computed from their values.
"""

from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Activation

SELU_ALPHA: Final = 1.6732632423543772
SELU_SCALE: Final = 1.0507009873554805


@jax.custom_jvp
def elu(x: jax.Array) -> jax.Array:
    """x above 0, exp(x) - 1 below.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2016), equation 15.
    """
    return jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1)


elu.defjvps(lambda tangent, y, x: tangent * jnp.where(x > 0, 1, y + 1))


@jax.custom_jvp
def selu(x: jax.Array) -> jax.Array:
    """scale x above 0, scale alpha (exp(x) - 1) below: keeps activations at mean 0 and variance 1.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), equation 2.
    """
    return SELU_SCALE * jnp.where(x > 0, x, SELU_ALPHA * (jnp.exp(jnp.minimum(x, 0)) - 1))


selu.defjvps(lambda tangent, y, x: tangent * jnp.where(x > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA))

ACTIVATIONS: Final[dict[Activation, Callable[[jax.Array], jax.Array]]] = {
    "linear": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.nn.tanh,
    "relu": jax.nn.relu,
    "elu": elu,
    "selu": selu,
    "swish": jax.nn.swish,
}
