"""Command of calls: refused by name where they have another type than the call takes."""

from collections.abc import Sequence
from typing import Any

from jaxdeep.config.choices import check
from jaxdeep.config.values import NotPlain, entries, scalar, shown, whole
from jaxdeep.errors import UserError


def check_type(name: str, value: Any, types: type | tuple[type, ...], allowed: str) -> None:
    """Refuse an argument of another type.

    Args:
        name: of the argument, for the message.
        value: any value.
        types: the types that the argument may have.
        allowed: the same in words, such as "a Config".

    Raises:
        UserError: the value has none of the types.

    >>> check_type("name", "cifar10", str, "a string")
    """
    check(name, value, isinstance(value, types), allowed)


def check_callable(name: str, value: Any, allowed: str) -> None:
    """Refuse an argument that cannot be called.

    Args:
        name: of the argument, for the message.
        value: any value.
        allowed: what it must be, such as "a function of the history".

    Raises:
        UserError: the value cannot be called.
    """
    check(name, value, callable(value), allowed)


def optional_whole(name: str, value: Any, least: int) -> int | None:
    """Return an argument as an int, not below a bound, and None as None.

    Args:
        name: of the argument, for the message.
        value: any value.
        least: the smallest value that is allowed.

    Raises:
        UserError: another type, a fraction, or a number out of the range.
    """
    return None if value is None else whole(name, value, least)


def plain_verbose(value: Any) -> bool | None:
    """Return the argument that says whether progress is shown.

    Args:
        value: Any value.

    Raises:
        UserError: It is not True, False or None.
    """
    value = scalar(value)
    check_type("verbose", value, (bool, type(None)), "True, False, or None: in a terminal or a notebook")
    return value


def several(name: str, value: Any, of: type, allowed: str) -> tuple[Any, ...]:
    """Return a sequence whose entries all have one type, as a tuple.

    Args:
        name: of the argument, for the message.
        value: a tuple, a list or another sequence.
        of: the type of each entry.
        allowed: what an entry is, such as "Trial".

    Raises:
        UserError: no sequence, or an entry of another type. It tells the entry's index.

    >>> several("units", [8, 4], int, "int")
    (8, 4)
    """
    try:
        found = entries(value)
    except NotPlain:
        raise UserError(f"{name} is {shown(value)}; allowed: a tuple or a list of {allowed}") from None
    for index, entry in enumerate(found):
        check_type(f"{name}[{index}]", entry, of, f"a {allowed}")
    return found


def first_twice(names: Sequence[Any]) -> tuple[int, int] | None:
    """Return the indices of the first two equal entries, or None where all differ.

    >>> first_twice("abcb"), first_twice("abc")
    ((1, 3), None)
    """
    seen: dict[Any, int] = {}
    for index, name in enumerate(names):
        if seen.setdefault(name, index) != index:
            return seen[name], index
    return None
