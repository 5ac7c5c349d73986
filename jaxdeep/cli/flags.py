"""Dataclasses as flags. Tyro reads them, each value by the type of its field, each mistake as one line."""

import contextlib
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar, get_args, get_origin

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from jaxdeep.config import Config
from jaxdeep.config.fields import hints_of
from jaxdeep.config.parts import PARTS
from jaxdeep.config.words import perhaps, read_words, words_of
from jaxdeep.errors import UserError

PART_OF = {of: name for name, of in PARTS.items()}
"""Class of a configuration's part -> its name, such as "train"."""
OFF = "\0"
"""Word in place of a value behind a flag that `with_no` made, which takes no value. Nobody can type it."""
C = TypeVar("C")


class Flag(NamedTuple):
    """A field as a flag.

    Attributes:
        word: Flag, such as "--optim.learning-rate".
        field: Name of the field in its dataclass.
        owner: Dataclass of the field.
        hint: Type hint of the field. A field that takes names has a Literal of the names.
    """

    word: str
    field: str
    owner: type
    hint: Any


def flags_of(command: type, choices: Mapping[str, Collection[str]], without: Collection[str] = ()) -> list[Flag]:
    """Return all flags of a command, with the flags of its configuration last.

    Args:
        command: Dataclass with one field that is a Config.
        choices: Field of the command -> the names that it takes.
        without: Fields of the command that are no flags here.

    Returns:
        One flag for each field.
    """
    own = [
        Flag(_word(name, hint), name, command, _with_choices(hint, choices.get(name)))
        for name, hint in hints_of(command).items()
        if name not in without and not _is_config(hint)
    ]
    of_config = [
        Flag(f"--{part}.{name.replace('_', '-')}", name, of, hint)
        for part, of in PARTS.items()
        for name, hint in hints_of(of).items()
    ]
    return own + of_config


def read_flags(default: C, flags: Sequence[Flag], argv: Sequence[str], aliases: Collection[str] = ()) -> C:
    """Read a command line.

    Args:
        default: Command with the value of every flag that is not given.
        flags: All flags of the command.
        argv: Words of the command line.
        aliases: Short flags, which a misspelled flag may mean too.

    Returns:
        The command.

    Raises:
        UserError: A flag is unknown, its field does not take the value, or values do not go together.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(lambda info: _fields_of(info, flags))
    switched_off = {with_no(flag.word): f"{flag.word}={OFF}" for flag in flags if bool in get_args(flag.hint)}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            command, unknown = tyro.cli(
                type(default),
                default=default,
                args=[switched_off.get(word.replace("_", "-"), word) for word in argv],
                add_help=False,
                return_unknown_args=True,
                registry=registry,
            )
    except _Refused as refused:
        raise refused.error from None
    except SystemExit:
        raise UserError(_without_box(said.getvalue())) from None
    if unknown:
        _refuse_unknown(unknown[0], flags, aliases)
    return command


class _Refused(Exception):
    """An error that carries a UserError through tyro, which would put a ValueError in a box."""

    def __init__(self, error: UserError) -> None:
        super().__init__(str(error))
        self.error = error


def _fields_of(info: StructTypeInfo, flags: Sequence[Flag]) -> StructConstructorSpec | None:
    """Tell tyro the fields of the command, of its configuration and of the configuration's parts."""
    of = info.type
    if of is Config:
        parts = [StructFieldSpec(part, of_part, getattr(info.default, part)) for part, of_part in PARTS.items()]
        return StructConstructorSpec(_refusing(Config), tuple(parts))
    own = {flag.field: flag for flag in flags if flag.owner is of}
    if not own:
        return None
    given = {name: hint for name, hint in hints_of(of).items() if name in own or _is_config(hint)}
    fields = [
        StructFieldSpec(name, _typed(own[name], hint) if name in own else hint, getattr(info.default, name))
        for name, hint in given.items()
    ]
    fixed = {name: getattr(info.default, name) for name in hints_of(of) if name not in given}
    return StructConstructorSpec(_refusing(partial(of, **fixed)), tuple(fields))


def _typed(flag: Flag, hint: Any) -> Any:
    """Return the type of a flag for tyro, with our own reading of its value."""
    if flag.hint is bool:
        return bool if flag.owner in PART_OF else Annotated[bool, tyro.conf.FlagCreatePairsOff]
    if tyro.conf.UseAppendAction in getattr(hint, "__metadata__", ()):
        return hint
    name = f"{PART_OF[flag.owner]}.{flag.field}" if flag.owner in PART_OF else flag.word

    def read(words: list[str]) -> Any:
        if words and words[0] == OFF:
            return _refusing(_refuse_stray)(words[1]) if len(words) > 1 else False
        return _refusing(read_words)(name, flag.hint, words or ["True"] * is_switch(flag.hint))

    spec = PrimitiveConstructorSpec(
        nargs="*",  # read_words checks the number of words
        metavar="VALUE",
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=words_of,
    )
    return Annotated[hint, spec]


def is_several(hint: Any) -> bool:
    """Say whether a flag takes any number of words.

    Args:
        hint: Type hint of the flag's field.

    Returns:
        True if the type is a tuple, or one of its alternatives is.
    """
    return get_origin(hint) is tuple or any(get_origin(inner) is tuple for inner in get_args(hint))


def is_switch(hint: Any) -> bool:
    """Say whether a flag means True if it has no value.

    Args:
        hint: Type hint of the flag's field.

    Returns:
        True if the type is bool, or one of its alternatives is.
    """
    return hint is bool or bool in get_args(hint)


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its UserError as _Refused, which passes through tyro."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise _Refused(error) from error

    return call


def _refuse_unknown(word: str, flags: Sequence[Flag], aliases: Collection[str]) -> None:
    """Raise UserError for a word that is no flag, with the nearest flag in the message."""
    given = word.partition("=")[0]
    if not given.startswith("-"):
        _refuse_stray(given)
    words = [*aliases, *(flag.word for flag in flags)]
    words += [with_no(flag.word) for flag in flags if flag.owner in PART_OF and is_switch(flag.hint)]
    near = perhaps(given.replace("_", "-"), words)
    raise UserError(f"there is no flag {given}.{near} --help and --help-all list the flags.")


def _refuse_stray(word: str) -> NoReturn:
    raise UserError(f"{word!r} belongs to no flag. Give flags and their values, such as --seed 42.")


def with_no(word: str) -> str:
    """Return the flag that sets a bool of the configuration to False.

    Args:
        word: Flag that sets it to True.

    Returns:
        The flag with "no-" before the field's name.

    >>> with_no("--model.use-bias")
    '--model.no-use-bias'
    """
    part, _, name = word.rpartition(".")
    return f"{part}.no-{name}"


def _word(name: str, hint: Any) -> str:
    """Return the flag of a field of the command."""
    renamed = [note.name for note in getattr(hint, "__metadata__", ()) if getattr(note, "name", None)]
    return f"--{(renamed or [name])[0].replace('_', '-')}"


def _with_choices(hint: Any, choices: Collection[str] | None) -> Any:
    """Return the type hint with the allowed names in place of any string."""
    if choices is None:
        return hint
    names = Literal[tuple(choices)]  # pyright: ignore[reportInvalidTypeForm]
    return tuple[names, ...] if is_several(hint) else names


def _is_config(hint: Any) -> bool:
    """Say whether a type hint is Config, annotated or not."""
    return hint is Config or (get_origin(hint) is Annotated and get_args(hint)[0] is Config)


def _without_box(text: str) -> str:
    """Return the text of tyro's box as one line."""
    return " ".join(re.sub(r"[╭╮╰╯│─|+]|-{3,}", " ", text).split())
