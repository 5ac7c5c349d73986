"""Performance scheduling, which lowers the learning rate when the validation loss stops falling."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep import config


class Plateau(NamedTuple):
    """State that performance scheduling keeps between epochs.

    Attributes:
        factor: Factor of the learning rate so far, a scalar.
        best: Validation loss of the last epoch that improved, in nats. An epoch improves if its loss is lower by more
            than min_delta.
        wait: Number of epochs in a row that did not improve, int32.
    """

    factor: jax.Array
    best: jax.Array
    wait: jax.Array


def first_plateau(dtype: str) -> Plateau:
    """Return the state before the first epoch.

    Args:
        dtype: Floating type of the factor and of the best loss.

    Returns:
        A state with factor 1, an infinite best loss and no wait.
    """
    return Plateau(jnp.ones((), dtype), jnp.full((), jnp.inf, dtype), jnp.zeros((), jnp.int32))


def next_plateau(
    schedule: config.Schedule, plateau: Plateau, val_loss: jax.Array, factor: jax.Array | float
) -> Plateau:
    """Return the state after an epoch.

    It follows Keras's ReduceLROnPlateau without a cooldown and without a lowest rate.

    Args:
        schedule: Schedule that holds patience_epochs and min_delta.
        plateau: State before the epoch.
        val_loss: Validation loss of the epoch in nats.
        factor: Number that the learning rate is multiplied by at a plateau. It may be traced.

    Returns:
        The state after the epoch. All its leaves are scalars.
    """
    better = val_loss + schedule.min_delta < plateau.best  # this order of operations rounds as Keras does
    wait = jnp.where(better, 0, plateau.wait + 1)
    falls = wait >= schedule.patience_epochs
    return Plateau(
        factor=jnp.where(falls, plateau.factor * factor, plateau.factor),
        best=jnp.where(better, val_loss, plateau.best),
        wait=jnp.where(falls, 0, wait),
    )
