"""A value from anywhere, such as a NumPy scalar or a parsed file, as the plain Python value that a run records."""

import math
from collections.abc import Sequence
from typing import Any, Final

from jaxdeep.errors import UserError

LONGEST_SHOWN: Final = 200
"""Characters of a refused value in a message."""
LARGEST_INT: Final = 2**31 - 1
"""What an int32 holds: the compiled programs count in it."""
LARGEST_FLOAT: Final = (2 - 2**-23) * 2.0**127
"""What a float32 holds."""


class NotPlain(Exception):
    """The value does not have the wanted type; the message says what is allowed."""


def scalar(value: Any) -> Any:
    """Return a scalar of NumPy, JAX or another array library as Python's own; anything else as it is.

    Args:
        value: any value. Masked numbers, dates, durations and objects in a NumPy array stay as they are.

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
    """Return a whole number as an int; floats without a fraction are whole numbers.

    Args:
        value: any value.
        largest: the largest absolute value; None: there is none.

    Raises:
        NotPlain: another type, True or False, a fraction, NaN, infinity, or a number too large.

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
    """Return an argument as an int, not below a bound and within an int32.

    Args:
        name: of the argument, for the message.
        value: any value.
        least: the smallest value that is allowed.

    Raises:
        UserError: another type, a fraction, or out of the range.

    >>> whole("epochs", 5.0, 1)
    5
    """
    try:
        found = integer(value)
    except NotPlain as allowed:
        raise UserError(f"{name} is {shown(value)}; allowed: {allowed}, {least} or more") from None
    if found < least:
        raise UserError(f"{name} is {shown(value)}; allowed: {least} or more")
    return found


def number(value: Any) -> float:
    """Return an int or a float as a float; the sign of zero goes.

    Args:
        value: any value; NaN and infinity pass, as each field has a range of its own.

    Raises:
        NotPlain: another type, True or False, or a finite number that a float32 does not hold.

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
    """Return True or False.

    Raises:
        NotPlain: any other value, 0 and 1 among them.
    """
    value = scalar(value)
    if not isinstance(value, bool):
        raise NotPlain("True or False")
    return value


def text(value: Any) -> Any:
    """Return a string as Python's own; anything else as it is."""
    value = scalar(value)
    return str.__str__(value) if isinstance(value, str) else value


def entries(value: Any) -> tuple[Any, ...]:
    """Return the entries of a list, a tuple or an array [N].

    Raises:
        NotPlain: a string, an array of another rank, or no sequence.
    """
    if getattr(value, "ndim", None) == 1 and hasattr(value, "tolist"):
        return tuple(value.tolist())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        raise NotPlain("a tuple")
    return tuple(value)


def shown(value: Any) -> str:
    """Return a value as a message shows it: one line, of a limited length.

    >>> shown([1, 2])
    '[1, 2]'
    """
    try:
        line = " ".join(repr(value).split())
    except Exception:  # repr is the value's own, and of an int of thousands of digits it fails
        line = f"a value of type {type(value).__name__}"
    return cut(line, LONGEST_SHOWN)


def cut(text: str, most: int) -> str:
    """Return a text, or its beginning and "..." if it is longer than `most` characters.

    >>> cut("optim.learning_rate", 5)
    'optim...'
    """
    return text if len(text) <= most else f"{text[:most]}..."
