"""Parts of schedules whose number of steps may be an argument of a compiled program.

Optax's schedules look at the number of steps while they are traced. Python numbers go to optax. Traced ones get the
same formulas here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

Factor = Callable[[jax.Array], Any]
"""Optax schedule from the steps done before a step to a factor of the learning rate or to a momentum."""


def linear(start: float, end: float, steps: int) -> Factor:
    """Return a line from start to end that is constant behind its end.

    Args:
        start: Value at the count 0.
        end: Value at the count `steps`.
        steps: Number of steps, which may be traced.

    Returns:
        A schedule from a count to a value.
    """
    if not isinstance(steps, jax.Array):
        return optax.linear_schedule(start, end, steps)

    def at(count: jax.Array) -> jax.Array:
        whole = in_type_of(count, steps)
        return (start - end) * (1 - jnp.clip(count, 0, whole) / whole) + end

    return at


def joined(schedules: Sequence[Factor], boundaries: Sequence[int]) -> Factor:
    """Return schedules one after the other. Each of them counts from its boundary.

    Args:
        schedules: Schedules in their order.
        boundaries: Count at which each schedule but the first begins. All of them may be traced.

    Returns:
        A schedule from a count to a value.
    """
    if not isinstance(boundaries[0], jax.Array):
        return optax.join_schedules(schedules, list(boundaries))  # pyright: ignore[reportArgumentType]

    def at(count: jax.Array) -> jax.Array:
        value = schedules[0](count)
        for boundary, schedule in zip(boundaries, schedules[1:], strict=True):
            begin = in_type_of(count, boundary)
            value = jnp.where(count < begin, value, schedule(count - begin))
        return value

    return at


def half_cosine(steps: int) -> Factor:
    """Return the schedule (1 + cos(pi count / steps)) / 2.

    Args:
        steps: Number of steps until the value is 0, which may be traced.

    Returns:
        A schedule from a count to a value.
    """
    if not isinstance(steps, jax.Array):
        return optax.cosine_decay_schedule(1.0, steps)

    def at(count: jax.Array) -> jax.Array:
        whole = in_type_of(count, steps)
        return 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(count, whole) / whole))

    return at


def in_type_of(count: jax.Array, number: Any) -> Any:
    """Return a traced number in the type of the counts, and a Python number as it is.

    Args:
        count: Counts of a floating type.
        number: Python number or traced number.
    """
    return number.astype(count.dtype) if isinstance(number, jax.Array) else number
