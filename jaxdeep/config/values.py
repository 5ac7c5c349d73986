"""Plain Python values as a run records them, from NumPy scalars and parsed files."""

import math
from collections.abc import Sequence
from typing import Any, Final

from jaxdeep.errors import UserError

LONGEST_SHOWN: Final = 200
"""Largest number of characters of a refused value in a message."""
LARGEST_INT: Final = 2**31 - 1
"""Largest int32, in which the compiled programs count."""
LARGEST_FLOAT: Final = (2 - 2**-23) * 2.0**127
"""Largest float32."""


class NotPlain(Exception):
    """The value does not have the wanted type. The message says what is allowed."""


def scalar(value: Any) -> Any:
    """Return a scalar of an array library as Python's own and anything else as it is.

    Args:
        value: Any value. Masked numbers and objects in a NumPy array stay as they are. So do dates.

    >>> import numpy as np
    >>> scalar(np.int64(5)), scalar(np.array(0.5)), scalar(np.str_("selu")), scalar((8, 8))
    (5, 0.5, 'selu', (8, 8))
    """
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    kind = getattr(value.dtype, "kind", None) if hasattr(value, "dtype") else None
    if kind in ("m", "M", "O") or getattr(value, "mask", False):
        return value
    try:
        found = value.item()
        return float(found) if kind == "f" else found  # a long double stays what it is in `item`
    except (TypeError, ValueError, RuntimeError):  # such as a traced value of JAX
        return value


def integer(value: Any, largest: int | None = LARGEST_INT) -> int:
    """Return a whole number as an int. Floats without a fraction are whole numbers.

    Args:
        value: Any value.
        largest: Largest absolute value, or None without a limit.

    Raises:
        NotPlain: The value is no whole number or is too large.

    >>> import numpy as np
    >>> integer(np.int8(5)), integer(5.0)
    (5, 5)
    """
    value = scalar(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotPlain("a whole number")
    if largest is not None and abs(value) > largest:
        raise NotPlain(f"a whole number within {largest} either way")
    return int(value)


def whole(name: str, value: Any, least: int) -> int:
    """Return an argument as an int that is not below a bound and within an int32.

    Args:
        name: Name of the argument in messages.
        value: Any value.
        least: Smallest value that is allowed.

    Raises:
        UserError: The value is no whole number in that range.

    >>> whole("epochs", 5.0, 1)
    5
    """
    try:
        found = integer(value)
    except NotPlain as allowed:
        raise UserError(f"{name} is {shown(value)}. Allowed: {allowed}, {least} or more.") from None
    if found < least:
        raise UserError(f"{name} is {shown(value)}. Allowed: {least} or more.")
    return found


def number(value: Any) -> float:
    """Return an int or a float as a float. Minus zero becomes zero.

    Args:
        value: Any value. NaN and infinity pass because each field has a range of its own.

    Raises:
        NotPlain: The value is no number or does not fit a float32.

    >>> import numpy as np
    >>> number(np.float32(0.5)), number(1), number(-0.0)
    (0.5, 1.0, 0.0)
    """
    value = scalar(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotPlain("a number")
    if (isinstance(value, int) or math.isfinite(value)) and abs(value) > LARGEST_FLOAT:
        raise NotPlain(f"a number within {LARGEST_FLOAT:.4g} either way, which a float32 holds")
    return float(value) + 0.0


def truth(value: Any) -> bool:
    """Return a truth as True or False.

    Args:
        value: Any value.

    Raises:
        NotPlain: It is no truth. 0 and 1 are none.
    """
    value = scalar(value)
    if not isinstance(value, bool):
        raise NotPlain("True or False")
    return value


def text(value: Any) -> Any:
    """Return a string as Python's own and anything else as it is.

    Args:
        value: Any value.
    """
    value = scalar(value)
    return str.__str__(value) if isinstance(value, str) else value


def entries(value: Any) -> tuple[Any, ...]:
    """Return the entries of a list, a tuple or an array [N].

    Args:
        value: Any value.

    Raises:
        NotPlain: The value is a string or no sequence. Or it is an array of another rank.
    """
    if getattr(value, "ndim", None) == 1 and hasattr(value, "tolist"):
        return tuple(value.tolist())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        raise NotPlain("a tuple")
    return tuple(value)


def shown(value: Any) -> str:
    """Return a value as a message shows it: one line of limited length.

    Args:
        value: Any value.

    >>> shown([1, 2])
    '[1, 2]'
    """
    try:
        line = " ".join(repr(value).split())
    except Exception:  # repr is the value's own, and of an int of thousands of digits it fails
        line = f"a value of type {type(value).__name__}"
    return cut(line, LONGEST_SHOWN)


def cut(text: str, most: int) -> str:
    """Return a text, or its beginning and "..." if it is longer.

    Args:
        text: Any text.
        most: Largest number of characters.

    >>> cut("optim.learning_rate", 5)
    'optim...'
    """
    return text if len(text) <= most else f"{text[:most]}..."
