"""Activation functions by name."""

from collections.abc import Callable
from typing import Final

import jax

from jaxdeep.config import Activation

ACTIVATIONS: Final[dict[Activation, Callable[[jax.Array], jax.Array]]] = {
    "linear": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.nn.tanh,
    "relu": jax.nn.relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "swish": jax.nn.swish,
}
