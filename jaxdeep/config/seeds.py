"""Seeds: whole numbers that JAX's keys tell apart."""

from collections.abc import Iterable
from typing import Any, Final

from jaxdeep.config.values import scalar, shown
from jaxdeep.errors import UserError

LARGEST_SEED: Final = 2**32 - 1
"""Largest seed. A key is made of 32 bits of its seed, so that 2^32 would be the key of 0."""


def plain_seed(seed: Any, name: str = "seed") -> int:
    """Return a seed as an int.

    Args:
        seed: A whole number in 0 .. 2^32 - 1 of Python or an array library.
        name: Name of the argument in messages.

    Raises:
        UserError: The value is no number in that range. True and False are none.

    >>> import numpy as np
    >>> plain_seed(np.int64(42))
    42
    """
    value = scalar(seed)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_SEED:
        raise UserError(f"{name} is {shown(seed)}. Allowed: a whole number in 0 .. {LARGEST_SEED}.")
    return int(value)


def plain_seeds(seeds: Iterable[Any], name: str = "seeds") -> tuple[int, ...]:
    """Return one or more different seeds as ints.

    Args:
        seeds: S seeds in a sequence or an array [S].
        name: Name of the argument in messages.

    Raises:
        UserError: There is no seed or `plain_seed` refuses one. Or a seed is given twice.

    >>> plain_seeds(range(3))
    (0, 1, 2)
    """
    if isinstance(seeds, str | bytes | dict) or not hasattr(seeds, "__iter__"):
        raise UserError(f"{name} is {shown(seeds)}. Allowed: one or more seeds, such as (42, 43).")
    try:
        found = tuple(plain_seed(seed, name) for seed in seeds)
    except TypeError:  # such as an array [], which says that it has __iter__
        raise UserError(f"{name} is {shown(seeds)}. Allowed: one or more seeds, such as (42, 43).") from None
    if not found or len(set(found)) < len(found):
        raise UserError(f"{name} is {shown(seeds)}. Allowed: one or more different seeds.")
    return found
