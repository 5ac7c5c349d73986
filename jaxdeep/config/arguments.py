"""Checks of a call's arguments, which are refused by their name."""

from collections.abc import Sequence
from typing import Any

from jaxdeep.config.choices import check
from jaxdeep.config.values import NotPlain, entries, scalar, shown, whole
from jaxdeep.errors import UserError


def check_type(name: str, value: Any, types: type | tuple[type, ...], allowed: str) -> None:
    """Refuse an argument of another type.

    Args:
        name: Name of the argument in messages.
        value: Any value.
        types: Types that the argument may have.
        allowed: The types in words, such as "a Config".

    Raises:
        UserError: The value has none of the types.

    >>> check_type("name", "cifar10", str, "a string")
    """
    check(name, value, isinstance(value, types), allowed)


def check_callable(name: str, value: Any, allowed: str) -> None:
    """Refuse an argument that cannot be called.

    Args:
        name: Name of the argument in messages.
        value: Any value.
        allowed: What it must be, such as "a function of the history".

    Raises:
        UserError: The value cannot be called.
    """
    check(name, value, callable(value), allowed)


def optional_whole(name: str, value: Any, least: int) -> int | None:
    """Return an argument as an int that is not below a bound, or None.

    Args:
        name: Name of the argument in messages.
        value: Any value.
        least: Smallest value that is allowed.

    Raises:
        UserError: The value is no whole number or is too small.
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


def several(name: str, value: Any, kind: type, allowed: str) -> tuple[Any, ...]:
    """Return a sequence as a tuple if all entries have one type.

    Args:
        name: Name of the argument in messages.
        value: A sequence such as a tuple.
        kind: Type of each entry.
        allowed: The type of an entry in words, such as "Trial".

    Raises:
        UserError: The value is no sequence or an entry has another type. The message has the entry's index.

    >>> several("units", [8, 4], int, "int")
    (8, 4)
    """
    try:
        found = entries(value)
    except NotPlain:
        raise UserError(f"{name} is {shown(value)}. Allowed: a tuple or a list of {allowed}.") from None
    for index, entry in enumerate(found):
        check_type(f"{name}[{index}]", entry, kind, f"a {allowed}")
    return found


def first_twice(names: Sequence[Any]) -> tuple[int, int] | None:
    """Return the indices of the first two equal entries, or None if all differ.

    Args:
        names: Entries that can be hashed.

    >>> first_twice("abcb"), first_twice("abc")
    ((1, 3), None)
    """
    seen: dict[Any, int] = {}
    for index, name in enumerate(names):
        if seen.setdefault(name, index) != index:
            return seen[name], index
    return None
