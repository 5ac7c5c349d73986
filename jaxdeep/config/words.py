"""Words of a command line from the value of a field, and back."""

import difflib
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from jaxdeep.config.values import shown
from jaxdeep.errors import UserError


def read_words(name: str, hint: Any, words: Sequence[str]) -> Any:
    """Read a field's value. Its range is checked where the field's dataclass is made.

    Args:
        name: Field or flag for the message, such as "train.epochs".
        hint: Type hint of the field.
        words: Words of the value. A tuple takes any number. Every other type takes one.

    Returns:
        The value in the type that the hint says.

    Raises:
        UserError: The words are no such value. The message has the nearest name if a name is misspelled.

    >>> read_words("model.units", tuple[int, ...], ["8", "8"]), read_words("optim.clip_norm", float | None, ["None"])
    ((8, 8), None)
    """
    hint = _without_notes(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return tuple(_read(name, _without_notes(arguments[0]), word) for word in words)
    if arguments == (int, float) and len(words) == 1:
        return _read(name, int if words[0].lstrip("+-").isdecimal() else float, words[0])
    if arguments and arguments[0] in (bool, float) and types.NoneType not in arguments:  # one value, or one a layer
        hint = arguments[0]
        if len(words) > 1:
            return tuple(_read(name, hint, word) for word in words)
    elif origin in (Union, types.UnionType) and types.NoneType not in arguments:  # names, or indices
        names, indices = arguments
        is_name = len(words) == 1 and not words[0].lstrip("-").isdecimal()
        return _read(name, names, words[0], ", or indices such as 0 1") if is_name else read_words(name, indices, words)
    if len(words) != 1:
        found = f"is {shown(' '.join(words))}" if words else "has no value"
        raise UserError(f"{name} {found}. Allowed: one value.")
    if types.NoneType not in arguments:
        return _read(name, hint, words[0])
    return None if words[0] == "None" else _read(name, _without_notes(arguments[0]), words[0], ", or None")


def words_of(value: Any) -> list[str]:
    """Return the words that `read_words` reads as a value.

    Args:
        value: Value of a field.

    >>> words_of((8, 8)), words_of(None), words_of(1e-3)
    (['8', '8'], ['None'], ['0.001'])
    """
    return list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]


def perhaps(given: str, allowed: Iterable[str]) -> str:
    """Return a last sentence with the name nearest to a misspelled one, or nothing if none is near.

    Args:
        given: The misspelled name.
        allowed: Names that there are.

    >>> perhaps("selv", ["elu", "selu"]), perhaps("x", ["elu", "selu"])
    (' Perhaps you mean selu.', '')
    """
    nearest = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f" Perhaps you mean {nearest[0]}." if nearest else ""


def _read(name: str, hint: Any, word: str, more: str = "") -> Any:
    if get_origin(hint) is Literal:
        if word not in get_args(hint):
            nearest = perhaps(word, get_args(hint))
            raise UserError(f"{name} is {shown(word)}. Allowed: {', '.join(get_args(hint))}{more}.{nearest}")
        return word
    if hint is bool:
        if word not in ("True", "False"):
            raise UserError(f"{name} is {shown(word)}. Allowed: True, False{more}.")
        return word == "True"
    if hint is Path:
        return Path(word)
    try:
        return hint(word)
    except ValueError:
        allowed = {int: "a whole number", float: "a number"}[hint]
        raise UserError(f"{name} is {shown(word)}. Allowed: {allowed}{more}.") from None


def _without_notes(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint
