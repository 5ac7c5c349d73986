"""`--help`: the flags in groups, with the defaults of the chosen configuration. Plain text, on any terminal."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from jaxdeep.cli.command import ALIASES, Command
from jaxdeep.cli.flags import PART_OF, Flag, is_several
from jaxdeep.config.config import PARTS
from jaxdeep.config.words import words_of

COLUMN: Final = 22
"""Characters before the text of a flag."""
WIDEST: Final = 100
"""Characters of a line at most: longer ones are hard to read."""
ALIASED: Final = {field: f"--{short}" for short, field in ALIASES.items()}
GROUPS: Final = {
    "a run": ("name", "list", "seed", "seeds", *ALIASED, "data", "data_dir", "workdir", "overwrite"),
    "a study": ("grid", "space", "samples", "halving", "folds", "compare"),
    "uncertainty": ("mc_samples", "ensemble"),
    "checks": ("summary", "find_lr", "strict", "profile"),
    "help": ("help", "help_all"),
}
"""Title of a group -> its flags: fields of the command, and those of the configuration that have a short flag."""


def help_text(
    usage: str, defaults: str, command: Command, flags: Sequence[Flag], width: int, *, everything: bool
) -> str:
    """Return the flags of a command in groups.

    Args:
        usage: How a command is written, such as "python -m experiments.cifar --config NAME".
        defaults: A sentence that says whose values are the defaults.
        command: The command whose values are the defaults.
        flags: The flags that there are.
        width: Characters of a line.
        everything: Whether to list the fields of the configuration too.
    """
    width = min(width, WIDEST)
    by_field = {_key(flag): flag for flag in flags}
    about = f"Train a network. The same command again continues what was interrupted. {defaults}"
    lines = [f"usage: {usage} [flags]", "", *textwrap.wrap(about, width)]
    groups = {title: tuple(by_field[name] for name in names if name in by_field) for title, names in GROUPS.items()}
    if everything:
        for part, of in PARTS.items():
            groups[f"--{part}: {_lower(inspect.getdoc(of) or '')}"] = tuple(flag for flag in flags if flag.owner is of)
    for title, of_group in groups.items():
        lines += ["", *textwrap.wrap(title, width)]
        for flag in of_group:
            lines += _entry(flag, command, width)
    if not everything:
        more = "--help-all lists the flags of the configuration: --model.units, --optim.optimizer and 60 others."
        lines += ["", *textwrap.wrap(more.replace("60", str(sum(flag.owner in PART_OF for flag in flags) - 2)), width)]
    return "\n".join(lines)


@cache
def descriptions(of: type) -> dict[str, str]:
    """Return the text below each field of a dataclass.

    Args:
        of: The dataclass, whose source can be read.
    """
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    found = {}
    for field, text in itertools.pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = " ".join(said.split())
    return found


def _key(flag: Flag) -> str:
    return f"{PART_OF[flag.owner]}.{flag.field}" if flag.owner in PART_OF else flag.field


def _entry(flag: Flag, command: Command, width: int) -> Iterator[str]:
    """Yield a flag with its value, and beside it, or below where it is long, what it is."""
    alias = ALIASED.get(_key(flag))
    word = f"{alias or flag.word} {_value(flag)}".rstrip()
    parts = [descriptions(flag.owner)[flag.field]]
    parts += [f"The same as {flag.word}."] if alias else []
    names = _names(flag.hint)
    parts += [f"One of {', '.join(names)}."] if names else []
    default = getattr(
        getattr(command.config, PART_OF[flag.owner]) if alias or flag.owner in PART_OF else command, flag.field
    )
    parts += [f"[{' '.join(words_of(default))}]"] if default not in (None, False, (), "") else []
    text = textwrap.wrap(" ".join(parts), width - COLUMN, break_on_hyphens=False)
    begin = f"  {word}"
    if len(begin) < COLUMN:
        begin, text = begin.ljust(COLUMN) + text[0], text[1:]
    yield begin
    yield from (" " * COLUMN + line for line in text)


def _value(flag: Flag) -> str:
    """Return the letters that stand for a value."""
    hint, names = flag.hint, _names(flag.hint)
    if hint is bool:
        return ""
    if flag.field in ("grid", "space"):
        return "FIELD=..."
    if names:
        return "NAME ..." if is_several(hint) else "NAME"
    kinds = {int: "N", float: "X", Path: "FOLDER", str: "..."}
    found = next((kinds[of] for of in _leaves(hint) if of in kinds), "...")
    return f"{found} ..." if is_several(hint) else found


def _names(hint: Any) -> tuple[str, ...]:
    return tuple(name for of in _leaves(hint) if get_origin(of) is Literal for name in get_args(of))


def _leaves(hint: Any) -> Iterator[Any]:
    """Yield the types that a type is made of."""
    if get_origin(hint) in (None, Literal):
        yield hint
    for of in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from _leaves(of)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
