"""What counts as a seed."""

import operator
from typing import Any, Final

from jaxdeep.errors import UserError

LARGEST_SEED: Final = 2**32 - 1
"""A larger seed would be cut to 32 bits, and so be another one."""


def check_seed(seed: Any, name: str = "seed") -> int:
    """Return a seed as Python's int, and refuse what is none.

    Args:
        seed: an integer in 0 .. 2^32 - 1, Python's or NumPy's.
        name: what the message calls it.

    Raises:
        UserError: it is not an integer, or out of its range.

    >>> import numpy as np
    >>> check_seed(np.int64(3))
    3
    """
    allowed = f"an integer in 0 .. {LARGEST_SEED}"
    try:
        if isinstance(seed, bool):
            raise TypeError
        plain = operator.index(seed)
    except TypeError as error:
        raise UserError(f"{name} is {seed!r}, which is not an integer. Give {allowed}") from error
    if not 0 <= plain <= LARGEST_SEED:
        raise UserError(f"{name} is {plain}, which is out of range. Give {allowed}")
    return plain
