"""Differences of two configurations or two runs."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jaxdeep.config.made import plain, text_of
from jaxdeep.errors import UserError

LONGEST_NAME: Final = 200
MOST_CHANGES: Final = 6
"""Number of changed fields that a title names. Of more, the others are counted."""
LONGEST_VALUE: Final = 40
"""Number of characters of a value in a title."""


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two nested dictionaries differ. Each dotted name has both values.

    Args:
        one: Nested values.
        other: Nested values.
        prefix: Beginning of each name, such as "train.".

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
    """Return dotted field names as a list. Too many fields of one part are counted.

    Args:
        fields: Names such as "model.units".
        most: Number of names above which they are counted by part. It is 1 or more.

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
    """Return a field's value as it stands in the name of a file or a column.

    Args:
        value: Value of a field, or its record in JSON.

    >>> short((100, 50)), short(0.001)
    ('100-50', '0.001')
    """
    if isinstance(value, list | tuple):
        return "-".join(map(str, value))
    return text_of(plain(value)) if callable(value) or isinstance(value, Mapping) else str(value)


def changes_in_words(changed: Mapping[str, Any]) -> str:
    """Return fields and their values as text: all, or the first few and the number of the others.

    Args:
        changed: JSON value of each field, by dotted name.

    >>> changes_in_words({"train.epochs": 5, "model.units": [100, 100, 100]})
    'train.epochs=5, model.units=3 x 100'
    >>> changes_in_words({})
    ''
    """
    texts = [f"{name}={value_in_words(value)}" for name, value in changed.items()]
    more = [f"{len(texts) - MOST_CHANGES} more fields"] if len(texts) > MOST_CHANGES + 1 else []
    return ", ".join([*texts[:MOST_CHANGES], *more] if more else texts)


def value_in_words(value: Any) -> str:
    """Return a field's value as text, in which equal items are counted and a long text is cut.

    Args:
        value: Value of a field.

    >>> value_in_words([100, 100, 100]), value_in_words([300, 100])
    ('3 x 100', '300-100')
    """
    if isinstance(value, list | tuple) and len(value) > 2 and len({repr(item) for item in value}) == 1:
        return f"{len(value)} x {value[0]}"
    text = short(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def shortened(name: str) -> str:
    """Return a name for a file or a folder. A digest replaces the end of a name that file systems may refuse.

    Args:
        name: A name of any length.
    """
    is_long = len(name) > LONGEST_NAME
    return f"{name[:LONGEST_NAME]}...{hashlib.sha256(name.encode()).hexdigest()[:8]}" if is_long else name


def refuse_other(folder: str, found: Mapping[str, Any], wanted: Mapping[str, Any], by: str = "") -> None:
    """Refuse a folder that holds another run.

    Args:
        folder: Name of the folder in messages.
        found: Run that the folder holds as nested JSON values.
        wanted: Run that is asked for as nested JSON values.
        by: Version that wrote the folder in messages, such as " (written by jaxdeep 0.1.0)".

    Raises:
        UserError: The runs differ. The message names the fields.
    """
    if differing := differences(found, wanted):
        fields = ", ".join(f"{name} (there {was!r}, here {now!r})" for name, (was, now) in differing.items())
        raise UserError(f"{folder} holds another run{by}: {fields}. Choose another folder, or --overwrite it.")
