"""Initialisers of kernels and biases by name.

`jax.nn` has exactly Keras's distributions. A truncated one of scaled variance is cut at 2 sigma and corrected.
"""

from functools import lru_cache
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.nn import initializers
from jax.nn.initializers import Initializer

from jaxdeep.config.choices import InitializerChoice
from jaxdeep.config.model import Model

INITIALIZERS: Final[dict[str, Initializer]] = {
    "glorot_uniform": initializers.glorot_uniform(),
    "glorot_normal": initializers.glorot_normal(),
    "he_uniform": initializers.he_uniform(),
    "he_normal": initializers.he_normal(),
    "lecun_uniform": initializers.lecun_uniform(),
    "lecun_normal": initializers.lecun_normal(),
    "zeros": initializers.zeros,
    "ones": initializers.ones,
}
"""Initialisers without parameters of their own."""
SPREAD: Final = 0.05
"""Standard deviation of random_normal and truncated_normal, and limit of random_uniform, as in Keras."""


@lru_cache
def initializer(chosen: InitializerChoice, model: Model) -> Initializer:
    """Return an initialiser of kernels. If the name is a `BiasInitializer` it initialises biases too.

    Args:
        chosen: Name of the initialiser or the function itself.
        model: Architecture that holds the parameters of the initialisers, such as the value of constant.

    Returns:
        A function from (key, [inputs, units] or [units], dtype) to weights of that shape. Equal arguments return the
        same object.
    """
    if not isinstance(chosen, str):
        return chosen
    match chosen:
        case "variance_scaling":
            return initializers.variance_scaling(model.init_scale, model.init_mode, model.init_distribution)
        case "orthogonal":
            return initializers.orthogonal(model.init_scale)
        case "constant":
            return initializers.constant(model.init_scale)
        case "identity":
            return _identity(model.init_scale)
        case "random_normal":
            return initializers.normal(SPREAD * model.init_scale)
        case "random_uniform":
            return _symmetric_uniform(SPREAD * model.init_scale)
        case "truncated_normal":
            return initializers.truncated_normal(SPREAD * model.init_scale)  # the variance is not corrected
    return INITIALIZERS[chosen]


def _identity(gain: float) -> Initializer:
    """Return an initialiser with the gain on the diagonal. A kernel need not be square."""

    def init(key: Any, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
        del key, out_sharding
        return gain * jnp.eye(*shape, dtype=dtype)

    return init


def _symmetric_uniform(limit: float) -> Initializer:
    """Return an initialiser that draws from the uniform distribution U(-limit, limit)."""

    def init(key: Any, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
        del out_sharding
        return jax.random.uniform(key, shape, dtype, -limit, limit)

    return init
