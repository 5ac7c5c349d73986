"""How two configurations, or two runs, differ."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jaxdeep.errors import UserError

LONGEST_NAME: Final = 200


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The fields in which two nested dictionaries differ, by dotted name, with both values.

    >>> differences({"train": {"epochs": 2, "patience": 20}}, {"train": {"epochs": 5, "patience": 20}})
    {'train.epochs': (2, 5)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found |= differences(left, right, f"{prefix}{key}.")
        elif left != right:
            found[f"{prefix}{key}"] = (left, right)
    return found


def in_words(fields: Sequence[str], most: int = 6) -> str:
    """Return dotted field names as a list, in which the many fields of one part are counted if there are too many.

    Args:
        fields: names such as "model.units".
        most: number of names above which they are counted by part, 1 or more.

    >>> in_words(["model.activation", "optim.rho"])
    'model.activation, optim.rho'
    >>> in_words(["model.activation", "model.units", "optim.rho"], most=2)
    '2 fields of model, optim.rho'
    """
    if len(fields) <= most:
        return ", ".join(fields)
    by_part: dict[str, list[str]] = {}
    for name in fields:
        by_part.setdefault(name.partition(".")[0], []).append(name)
    return ", ".join(f"{len(of)} fields of {part}" if len(of) > 1 else of[0] for part, of in by_part.items())


def short(value: Any) -> str:
    """A field's value in the name of a file or a column.

    >>> short((100, 50)), short(0.001)
    ('100-50', '0.001')
    """
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def shortened(name: str) -> str:
    """A name for a file or a folder: file systems allow 255 characters, so a digest stands for what is too long."""
    is_long = len(name) > LONGEST_NAME
    return f"{name[:LONGEST_NAME]}...{hashlib.sha256(name.encode()).hexdigest()[:8]}" if is_long else name


def refuse_other(folder: str, found: Mapping[str, Any], wanted: Mapping[str, Any], by: str = "") -> None:
    """Stop where a folder holds another run than the one that is wanted.

    Args:
        folder: for the message.
        found: what the folder holds, as nested JSON values.
        wanted: what is asked for, as nested JSON values.
        by: which version wrote the folder, for the message, such as " (written by jaxdeep 0.1.0)".

    Raises:
        UserError: names the fields that differ.
    """
    if differing := differences(found, wanted):
        fields = ", ".join(f"{name} (there {was!r}, here {now!r})" for name, (was, now) in differing.items())
        raise UserError(f"{folder} holds another run{by}: {fields}; choose another folder, or --overwrite it")
