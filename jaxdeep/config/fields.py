"""Fields of a configuration's parts as plain values, checked by their type hints."""

import os
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from jaxdeep.config.choices import FUNCTION
from jaxdeep.config.recording import function_of, recorded
from jaxdeep.config.values import NotPlain, entries, integer, number, scalar, shown, text, truth
from jaxdeep.errors import UserError

BOUNDED_BY_MEMORY = ("model.units",)
"""Whole numbers whose largest value depends on the machine. All others fit an int32."""

MAY_BE_SCHEDULES = ("optim.learning_rate",)
"""Numbers in whose place a schedule may be given. A Config puts it where schedules stand."""


TUPLES: Final = {
    int: "a tuple of whole numbers, such as (8, 8)",
    float: "a tuple of numbers, such as (1.0, 0.1)",
    bool: "a tuple such as (True, False)",
}
"""Tuples in words, by the type of their entries."""


def make_plain(part: str, values: Any) -> None:
    """Make each field of a frozen part a plain Python value of the type that its hint says.

    A whole number may come as a float without a fraction. A float may come as a whole number. A tuple may come as a
    list or an array [N]. Scalars of NumPy and JAX become Python's.

    Args:
        part: Name of the part in messages.
        values: The part: a dataclass. It is changed in place before anything sees it.

    Raises:
        UserError: A field has another type or is none of the names that its hint allows.
    """
    for name in hints_of(type(values)):
        object.__setattr__(values, name, plain_field(part, type(values), name, getattr(values, name)))


def plain_field(part: str, kind: type, name: str, value: Any) -> Any:
    """Return a field's value as a plain Python value of the type that its hint says.

    Args:
        part: Name of the part, such as "train".
        kind: Class of the part.
        name: Field, such as "epochs".
        value: Any value.

    Raises:
        UserError: The value has another type or is a name that is not allowed.
    """
    try:
        return _plain(f"{part}.{name}", hints_of(kind)[name], value)
    except NotPlain as allowed:
        raise UserError(f"{part}.{name} is {shown(value)}. Allowed: {allowed}.") from None


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """Return the type hint of each field of a dataclass, by name.

    Args:
        kind: The dataclass.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _plain(name: str, hint: Any, value: Any) -> Any:
    if hint is bool:
        return truth(value)
    if hint is str:
        return _string(value)
    if hint is int:
        return integer(value) if name not in BOUNDED_BY_MEMORY else integer(value, None)
    if hint is float:
        return recorded(name, value) if callable(value) and name in MAY_BE_SCHEDULES else number(value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _choice(value, arguments, "")
    if origin is Annotated and FUNCTION in arguments:
        if callable(value):
            return recorded(name, value)
        if isinstance(value, Mapping) and "function" in value:
            return function_of(name, value)
        return _choice(value, get_args(arguments[0]), ", or a function from Python")
    if origin is tuple:
        return _tuple(name, arguments[0], value)
    if origin in (Union, types.UnionType):
        is_each_or_all = arguments[0] in (bool, float) and types.NoneType not in arguments
        return (_each_or_all if is_each_or_all else _one_of)(name, arguments, value)
    raise TypeError(f"{name}: no rule for the type {hint}")


def _string(value: Any) -> str:
    """Return a string, or a path as a string."""
    value = text(os.fspath(value) if isinstance(value, os.PathLike) else value)
    if not isinstance(value, str):
        raise NotPlain("a string")
    return value


def _choice(value: Any, choices: tuple[str, ...], more: str) -> str:
    value = text(value)
    if not isinstance(value, str) or value not in choices:
        raise NotPlain(f"{', '.join(choices)}{more}")
    return value


def _tuple(name: str, of: Any, value: Any) -> tuple[Any, ...]:
    try:
        return tuple(_plain(name, of, entry) for entry in entries(value))
    except NotPlain:
        raise NotPlain(TUPLES[of]) from None


def _count_or_share(value: Any) -> int | float:
    """Return a whole number, or a share between 0 and 1."""
    if isinstance(value, float) and 0 < value < 1:
        return value
    try:
        return integer(value)
    except NotPlain as allowed:
        raise NotPlain(f"{allowed}, or a share above 0 and below 1") from None


def _each_or_all(name: str, hints: tuple[Any, ...], value: Any) -> Any:
    """Return one value for all layers, or a tuple with a value for each. A tuple of one entry is the entry."""
    one, other = hints
    try:
        given = entries(value)
    except NotPlain:
        given = (value,)
    try:
        return _plain(name, one, given[0]) if len(given) == 1 else _plain(name, other, given)
    except NotPlain as allowed:
        raise NotPlain(f"{'True or False' if one is bool else 'a number'}, or {TUPLES[one]}") from allowed


def _one_of(name: str, hints: tuple[Any, ...], value: Any) -> Any:
    """Return a value of one of several types: None or a number, or a name or a tuple."""
    value = scalar(value)
    if value is None and types.NoneType in hints:
        return None
    first, other = hints
    if hints == (int, float):
        return _count_or_share(value)
    try:
        if other is types.NoneType:
            return _plain(name, first, value)
        return _plain(name, first if isinstance(value, str) else other, value)
    except NotPlain as allowed:
        if other is types.NoneType:
            raise NotPlain(f"{allowed}, or None") from None
        raise NotPlain(f"{', '.join(get_args(first))}, or indices such as (0, 1)") from None
