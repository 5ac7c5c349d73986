"""Record a function that has no name of its own by its maker and its arguments. Make it again.

A `functools.partial` shows its arguments. The arguments of a maker such as `he_normal()` in JAX stand
in the closure of the function that it made. They are believed if the maker makes the same function again with them:
the same code over equal values.
"""

import functools
import importlib
import inspect
import math
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from jaxdeep.config.made import Made
from jaxdeep.config.values import NotPlain, scalar, shown
from jaxdeep.errors import UserError

LIBRARIES: Final = ("jax", "flax", "optax")
"""Packages whose makers are called to make a function again. Others could do anything when they are called."""
RECOVERED: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "optax.piecewise_interpolate_schedule": lambda cells: {
        "interpolate_type": cells["interpolate_fn"].__name__.split("_")[1],
        "init_value": cells["init_value"],
        "boundaries_and_scales": dict(zip(cells["boundaries"], cells["scales"], strict=True)),
    }
}
"""Functions that find the arguments of a closure that holds them in another form, such as Optax's 1cycle schedules."""
EMPTY: Final = object()
"""Stands for a variable of a closure that has no value."""
MEND: Final = "Define it by `def` at the top of a module, or give functools.partial of such a function"


def recorded(name: str, value: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that a run can record: the function itself if its name leads back to it, else a `Made`.

    Args:
        name: Field in messages.
        value: Any callable.

    Raises:
        UserError: It is a class or a lambda or an object. Or its arguments cannot be recorded.
    """
    if isinstance(value, Made) or _is_named(value):
        return value
    named: list[Callable[..., Any]] = []
    try:
        record = _record(value, named)
    except NotPlain as reason:
        raise UserError(f"{name} is {shown(value)}, which cannot be recorded: {reason}. {MEND}") from None
    return Made.of(record, named, value)


def function_of(name: str, record: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function of a record, made again.

    Args:
        name: Field in messages.
        record: Names and arguments, as `Made.to_json` returns them.

    Raises:
        UserError: It is no such record or names a function of another package.
    """
    try:
        made = recorded(name, _value(record))
        if not isinstance(made, Made) or made.to_json() != record:
            raise NotPlain("what it makes is another function")
        return made
    except UserError:
        raise
    except Exception as error:  # makers can raise anything
        raise UserError(
            f"{name} is {shown(record)}, which cannot be made again: {error}. Give the function itself"
        ) from None


def _record(value: Any, named: list[Callable[..., Any]]) -> Any:
    value = scalar(value)
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotPlain(f"it has {value} as an argument")
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_record(inner, named) for inner in value]
    if isinstance(value, Mapping):
        return {"pairs": [[_record(key, named), _record(inner, named)] for key, inner in value.items()]}
    dtype = value if isinstance(value, np.dtype) else getattr(value, "dtype", None)
    if isinstance(dtype, np.dtype) and (dtype is value or callable(value)):  # jax.numpy.float32 has one
        return {"dtype": dtype.name}
    if callable(value):
        return _record_of_function(value, named)
    raise NotPlain(f"it has a value of type {type(value).__name__} as an argument")


def _record_of_function(value: Callable[..., Any], named: list[Callable[..., Any]]) -> dict[str, Any]:
    if isinstance(value, Made):
        named.extend(value.named)
        return value.to_json()
    if _is_named(value):
        named.append(value)
        return {"function": _public_name(value)}
    if isinstance(value, functools.partial):
        if not _is_named(value.func):
            raise NotPlain("what it is a partial of has no name at the top of a module")
        named.append(value.func)
        positional = {"positional": _record(value.args, named)} if value.args else {}
        arguments = {key: _record(inner, named) for key, inner in value.keywords.items()}
        return {"function": _public_name(value.func), "arguments": arguments, **positional, "partial": True}
    maker = _maker_of(value)
    arguments = _arguments_of(value, maker)
    named.append(maker)
    return {
        "function": _public_name(maker),
        "arguments": {key: _record(inner, named) for key, inner in arguments.items()},
    }


def _maker_of(value: Any) -> Any:
    """Return the function of a library that made a function."""
    if isinstance(value, type):
        raise NotPlain("it is a class")
    if not isinstance(value, types.FunctionType):
        raise NotPlain("it has no name at the top of a module")
    outer, _, inner = value.__qualname__.partition(".<locals>")
    maker = getattr(sys.modules.get(value.__module__), outer, None)
    if not inner or value.__module__.split(".")[0] not in LIBRARIES or not isinstance(maker, types.FunctionType):
        raise NotPlain("it has no name at the top of a module")
    return maker


def _arguments_of(value: Any, maker: Any) -> dict[str, Any]:
    """Return the arguments with which a maker makes a function, after a check that it does."""
    cells = _cells(value)
    parameters = inspect.signature(maker).parameters
    recover = RECOVERED.get(_public_name(maker))
    own = {name: of.default for name, of in inspect.signature(value).parameters.items() if of.default is not of.empty}
    found = recover(cells) if recover else {name: {**own, **cells}[name] for name in parameters if name in own | cells}
    try:
        again = maker(**found)
    except TypeError:
        again = None
    if again is None or not _same(value, again):
        raise NotPlain(f"the arguments of {_public_name(maker)} cannot be found again")
    return found


def _cells(function: Any) -> dict[str, Any]:
    def content(cell: Any) -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return EMPTY

    return dict(zip(function.__code__.co_freevars, map(content, function.__closure__ or ()), strict=True))


def _same(one: Any, other: Any) -> bool:
    """Say whether two values, or the functions of two closures, are the same."""
    if one is other:
        return True
    if isinstance(one, types.FunctionType) and isinstance(other, types.FunctionType):
        same_code = one.__code__ is other.__code__ and one.__defaults__ == other.__defaults__
        return same_code and one.__kwdefaults__ == other.__kwdefaults__ and _same(_cells(one), _cells(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    try:
        return type(one) is type(other) and bool(np.all(one == other))
    except (TypeError, ValueError):
        return False


def _is_named(value: Any) -> bool:
    """Say whether a function stands where it says that it is defined."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(value, type) or not isinstance(module, str) or not isinstance(name, str):
        return False
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _public_name(function: Any) -> str:
    """Return the shortest name under which a package offers a function, such as optax.adamw."""
    module, name = function.__module__, function.__qualname__
    public = [part for part in module.split(".") if not part.startswith("_")]
    for count in range(1, len(public) + 1):
        path = ".".join(public[:count])
        if getattr(sys.modules.get(path), name, None) is function:
            return f"{path}.{name}"
    return f"{module}.{name}"


def _value(record: Any) -> Any:
    """Return the value of a record."""
    if isinstance(record, list):
        return tuple(map(_value, record))
    if not isinstance(record, Mapping):
        return record
    if "pairs" in record:
        return {_value(key): _value(inner) for key, inner in record["pairs"]}
    if "dtype" in record:
        return np.dtype(record["dtype"])
    function = _imported(record["function"])
    if "arguments" not in record:
        return function
    arguments = {key: _value(inner) for key, inner in record["arguments"].items()}
    if record.get("partial"):
        return functools.partial(function, *_value(record.get("positional", [])), **arguments)
    return function(**arguments)


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    if name.split(".")[0] not in LIBRARIES:
        raise NotPlain(f"{name} is not of {', '.join(LIBRARIES)}")
    found = getattr(importlib.import_module(module), attribute)
    if not callable(found) or isinstance(found, type) or found.__module__.split(".")[0] not in LIBRARIES:
        raise NotPlain(f"{name} is no function of {', '.join(LIBRARIES)}")
    return found
