"""A function with the arguments that it was made with, as a value that can be compared, hashed and recorded."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, repr=False)
class Made:
    """A function that another one made: `functools.partial`, or a library's maker such as `he_normal()`.

    Two are equal if they were made by the same function with the same arguments.

    Attributes:
        key: The record as nested tuples, in which 20 and 20.0 are equal. Optax's schedules change one into the other
            when they are called.
        named: Functions that the record names. A function that is defined anew under its old name is another one.
        record: Names of functions and their arguments, as JSON text.
        function: The function itself.
    """

    key: Any
    named: tuple[Callable[..., Any], ...]
    record: str = field(compare=False)
    function: Callable[..., Any] = field(compare=False)

    @classmethod
    def of(cls, record: Mapping[str, Any], named: Sequence[Callable[..., Any]], function: Callable[..., Any]) -> "Made":
        """Return a function with its record.

        Args:
            record: Names of functions and their arguments, as JSON values.
            named: Functions that the record names.
            function: The function itself.
        """
        return cls(_frozen(record), tuple(named), json.dumps(record, sort_keys=True), function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return text_of(self.to_json())

    def __reduce__(self) -> Any:
        from jaxdeep.config.recording import function_of, recorded  # which import this file

        if self.to_json().get("partial"):
            return recorded, ("function", self.function)
        return function_of, ("function", self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return its record: names of functions, and arguments as JSON values."""
        return json.loads(self.record)


def _frozen(record: Any) -> Any:
    if isinstance(record, Mapping):
        return tuple((key, _frozen(record[key])) for key in sorted(record))
    return tuple(map(_frozen, record)) if isinstance(record, list) else (isinstance(record, bool), record)


def text_of(record: Any) -> str:
    """Return the record of a function as its call.

    Args:
        record: JSON values.

    >>> text_of({"function": "optax.adamw", "arguments": {"weight_decay": 0.02}, "partial": True})
    'optax.adamw(weight_decay=0.02)'
    """
    if isinstance(record, list):
        return f"[{','.join(map(text_of, record))}]"
    if not isinstance(record, Mapping):
        return str(record)
    if "function" not in record:
        return ",".join(text_of(value) for value in record.values())
    if "arguments" not in record:
        return record["function"]
    given = [text_of(value) for value in record.get("positional", [])]
    given += [f"{name}={text_of(value)}" for name, value in record["arguments"].items()]
    return f"{record['function']}({','.join(given)})"


def qualified_name(function: Callable[..., Any]) -> str:
    """Return `module.name` of a function, by which a run records it, or the call that made it.

    Args:
        function: A function with a name of its own, or one that was made.

    >>> qualified_name(text_of)
    'jaxdeep.config.made.text_of'
    """
    return repr(function) if isinstance(function, Made) else f"{function.__module__}.{function.__qualname__}"


def plain(value: Any) -> Any:
    """Return a field's value for JSON: tuples as lists, a function by its name or by its maker and arguments.

    Args:
        value: Value of a field.
    """
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Made):
        return value.to_json()
    return qualified_name(value) if callable(value) else value
