"""Kernel initialisers by name. `jax.nn` has exactly Keras's distributions, truncated at 2 sigma and corrected."""

from functools import lru_cache
from typing import Final

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
}
"""Initialisers without parameters of their own."""


@lru_cache
def initializer(chosen: InitializerChoice, model: Model) -> Initializer:
    """Return a kernel initialiser.

    Args:
        chosen: Name of the initialiser or the function itself.
        model: Architecture that holds the parameters of variance_scaling, orthogonal and constant.

    Returns:
        A function from (key, [inputs, units], dtype) to a kernel. Equal arguments return the same object.
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
    return INITIALIZERS[chosen]
