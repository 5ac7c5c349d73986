"""Activation functions by name; those with weights or random numbers are modules of `layers`.

ELU and SELU are written with exp(x) - 1 in place of expm1: the difference is below float32's rounding of 1, and
with XLA's expm1 SELU takes three times as long on a CPU. Their derivatives are computed from their values.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

import jax
import jax.numpy as jnp

from jaxdeep.config.choices import ActivationChoice

_TAIL: Final = math.erfc(math.sqrt(1 / 2)) * math.exp(1 / 2)
_FAR_TAIL: Final = math.erfc(math.sqrt(2)) * math.exp(2)
SELU_ALPHA: Final = math.sqrt(2) / (math.sqrt(math.pi) * (1 - _TAIL))
SELU_SCALE: Final = (
    (1 - _TAIL)
    * math.sqrt(2 * math.pi)
    / math.sqrt(2 * _FAR_TAIL + math.pi * _TAIL**2 - 2 * (2 + math.pi) * _TAIL + math.pi + 2)
)
"""The scale and alpha with which mean 0 and variance 1 are a fixed point of SELU (Klambauer et al., equation 14).

In this order of operations they round to the published digits.
"""


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def exponential_linear(scale: float, alpha: float, x: jax.Array) -> jax.Array:
    """scale x above 0, scale alpha (exp(x) - 1) below; any shape."""
    return scale * jnp.where(x > 0, x, alpha * (jnp.exp(jnp.minimum(x, 0)) - 1))


@exponential_linear.defjvp
def _(scale: float, alpha: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (tangent,) = primals, tangents
    y = exponential_linear(scale, alpha, x)
    return y, tangent * jnp.where(x > 0, scale, y + scale * alpha)


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """x above 0, alpha (exp(x) - 1) below.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2016), equation 15.
    """
    return exponential_linear(1.0, alpha, x)


def selu(x: jax.Array) -> jax.Array:
    """scale x above 0, scale alpha (exp(x) - 1) below: keeps activations at mean 0 and variance 1.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), equation 2.
    """
    return exponential_linear(SELU_SCALE, SELU_ALPHA, x)


ACTIVATIONS: Final[dict[str, Callable[..., jax.Array]]] = {
    "linear": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "tanh": jax.nn.tanh,
    "softmax": jax.nn.softmax,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "exponential": jnp.exp,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": elu,
    "selu": selu,
    "swish": jax.nn.swish,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "mish": jax.nn.mish,
}
"""x -> y, element by element (softmax: over the units); leaky_relu and elu take an alpha after x."""


@lru_cache
def activation(chosen: ActivationChoice, alpha: float | None) -> Callable[[jax.Array], jax.Array]:
    """An activation function without weights, with its alpha.

    Args:
        chosen: a name of ACTIVATIONS, or the function itself.
        alpha: of leaky_relu (slope below 0) or elu.

    Returns:
        x -> y; the same object for the same arguments.
    """
    function = ACTIVATIONS[chosen] if isinstance(chosen, str) else chosen
    return function if alpha is None else lambda x: function(x, alpha)
