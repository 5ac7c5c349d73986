"""Kernel initialisers by name. `jax.nn`'s are Keras's distributions exactly (truncated at 2 sigma, corrected)."""

from typing import Final

from jax.nn import initializers

from jaxdeep.config import Initializer

INITIALIZERS: Final[dict[Initializer, initializers.Initializer]] = {
    "glorot_uniform": initializers.glorot_uniform(),
    "glorot_normal": initializers.glorot_normal(),
    "he_uniform": initializers.he_uniform(),
    "he_normal": initializers.he_normal(),
    "lecun_uniform": initializers.lecun_uniform(),
    "lecun_normal": initializers.lecun_normal(),
}
