"""Performance scheduling: the learning rate falls when the validation loss no longer does."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep import config


class Plateau(NamedTuple):
    """What performance scheduling keeps between epochs; a part of the run's state.

    Attributes:
        factor: of the learning rate, so far.
        best: val_loss that the next one must be below by min_delta.
        wait: epochs in a row in which it was not, int32.
    """

    factor: jax.Array
    best: jax.Array
    wait: jax.Array


def first_plateau(dtype: str) -> Plateau:
    """Before the first epoch."""
    return Plateau(jnp.ones((), dtype), jnp.full((), jnp.inf, dtype), jnp.zeros((), jnp.int32))


def next_plateau(
    schedule: config.Schedule, plateau: Plateau, val_loss: jax.Array, factor: jax.Array | float
) -> Plateau:
    """After an epoch: Keras's ReduceLROnPlateau, without cooldown and without a lowest rate.

    Args:
        schedule: patience_epochs and min_delta.
        plateau: before it.
        val_loss: of the epoch.
        factor: of the learning rate at a plateau; may be traced.
    """
    better = val_loss + schedule.min_delta < plateau.best  # rounded as Keras rounds it
    wait = jnp.where(better, 0, plateau.wait + 1)
    falls = wait >= schedule.patience_epochs
    return Plateau(
        factor=jnp.where(falls, plateau.factor * factor, plateau.factor),
        best=jnp.where(better, val_loss, plateau.best),
        wait=jnp.where(falls, 0, wait),
    )
