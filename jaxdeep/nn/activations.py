"""Activation functions by name. Activations with weights or random numbers stand in `layers`.

ELU and SELU are written with exp(x) - 1 in place of expm1. The difference is below float32's rounding of 1. With XLA's
expm1 SELU takes three times as long on a CPU. Their derivatives are computed from their values.
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
"""Scale that keeps mean 0 and variance 1 a fixed point of SELU together with SELU_ALPHA.

In this order of operations both round to the published digits.

Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), equation 14.
"""


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def exponential_linear(scale: float, alpha: float, x: jax.Array) -> jax.Array:
    """Return scale x above 0 and scale alpha (exp(x) - 1) below.

    Args:
        scale: Factor of the whole function.
        alpha: Minus the value at minus infinity before scaling.
        x: Values of any shape.

    Returns:
        An array like x.
    """
    return scale * jnp.where(x > 0, x, alpha * (jnp.exp(jnp.minimum(x, 0)) - 1))


@exponential_linear.defjvp
def _(scale: float, alpha: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (tangent,) = primals, tangents
    y = exponential_linear(scale, alpha, x)
    return y, tangent * jnp.where(x > 0, scale, y + scale * alpha)


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Return x above 0 and alpha (exp(x) - 1) below.

    Args:
        x: Values of any shape.
        alpha: Minus the value at minus infinity.

    Returns:
        An array like x.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2016), equation 15.
    """
    return exponential_linear(1.0, alpha, x)


def selu(x: jax.Array) -> jax.Array:
    """Return scale x above 0 and scale alpha (exp(x) - 1) below.

    The constants keep activations at mean 0 and variance 1.

    Args:
        x: Values of any shape.

    Returns:
        An array like x.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), equation 2.
    """
    return exponential_linear(SELU_SCALE, SELU_ALPHA, x)


def thresholded_relu(x: jax.Array, theta: float = 1.0) -> jax.Array:
    """Return x above a threshold and 0 elsewhere.

    Args:
        x: Values of any shape.
        theta: Threshold.

    Returns:
        An array like x.

    Source: Konda et al., "Zero-bias autoencoders and the benefits of co-adapting features" (2015), equation 5.
    """
    return jnp.where(x > theta, x, jnp.zeros((), x.dtype))


def glu(x: jax.Array) -> jax.Array:
    """Return the first half of the values times the sigmoid of the second half.

    Args:
        x: Values [..., 2 units].

    Returns:
        An array [..., units].

    Source: Dauphin et al., "Language modeling with gated convolutional networks" (2017), equation 1.
    """
    return jax.nn.glu(x, -1)


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
    "thresholded_relu": thresholded_relu,
    "glu": glu,
}
"""Functions x -> y that act on each element. softmax acts over the units, and glu halves them.

leaky_relu, elu and thresholded_relu take an alpha after x.
"""


@lru_cache
def activation(chosen: ActivationChoice, alpha: float | None) -> Callable[[jax.Array], jax.Array]:
    """Return an activation function without weights.

    Args:
        chosen: Name in ACTIVATIONS or the function itself.
        alpha: Slope below 0 of leaky_relu, alpha of elu or theta of thresholded_relu. None keeps the function's own.

    Returns:
        A function from x to y. Equal arguments return the same object.
    """
    function = ACTIVATIONS[chosen] if isinstance(chosen, str) else chosen
    return function if alpha is None else lambda x: function(x, alpha)
