"""The flag `--help`, which lists the flags in groups with the defaults of the chosen configuration.

The text is plain and fits any terminal.
"""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from jaxdeep.cli.command import Command
from jaxdeep.cli.flags import PART_OF, Flag, is_several, is_switch
from jaxdeep.cli.table_flags import TableFlags
from jaxdeep.config.parts import ALIASES, PARTS
from jaxdeep.config.words import words_of

COLUMN: Final = 22
"""Characters before the text of a flag."""
WIDEST: Final = 100
"""Characters of a line at most. Longer lines are hard to read."""
ALIASED: Final = {field: f"--{short}" for short, field in ALIASES.items()}
"""Field of the configuration -> its short flag."""
GROUPS: Final = {
    "a run": (
        "name",
        "list",
        "seed",
        "seeds",
        *ALIASED,
        "data",
        "data_dir",
        "workdir",
        "export",
        "export_onnx",
        "overwrite",
    ),
    "a table": (
        "target",
        "drop",
        "group",
        "test_size",
        "test_file",
        "no_test",
        "numbers",
        "weight",
        "class_weights",
        "split_seed",
    ),
    "a study": ("grid", "space", "samples", "halving", "folds"),
    "a comparison": ("compare", "smallest_effect", "tune", "tune_rates", "tune_seeds", "tune_epochs"),
    "several devices and processes": ("distributed", "coordinator", "num_processes", "process_id", "data_parallel"),
    "uncertainty": ("mc_samples", "ensemble"),
    "checks": ("summary", "find_lr", "strict", "profile"),
    "help": ("help", "help_all"),
}
"""Title of a group -> its flags. They are fields of the command, and fields of the configuration with a short flag."""


def help_text(
    usage: str, defaults: str, command: Command, flags: Sequence[Flag], width: int, *, everything: bool
) -> str:
    """Return the flags of a command in groups.

    Args:
        usage: Form of a command, such as "python -m experiments.cifar --config NAME".
        defaults: Sentence that names the configuration whose values are the defaults.
        command: Command whose values are the defaults.
        flags: All flags of the command.
        width: Characters of a line. At most WIDEST are used.
        everything: Whether to list the fields of the configuration too.

    Returns:
        Lines of text, joined by line breaks.
    """
    width = min(width, WIDEST)
    by_field = {_key(flag): flag for flag in flags}
    about = f"Train a network. The same command again continues what was interrupted. {defaults}"
    lines = [f"usage: {usage} [flags]", "", *textwrap.wrap(about, width)]
    groups = {title: tuple(by_field[name] for name in names if name in by_field) for title, names in GROUPS.items()}
    groups = {title: of_group for title, of_group in groups.items() if of_group}
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
def descriptions(owner: type) -> dict[str, str]:
    """Return the text below each field of a dataclass.

    Args:
        owner: Dataclass. Its source must be readable.

    Returns:
        Name of a field -> its text on one line.
    """
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    texts = {}
    for field, text in itertools.pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(described))):
                texts[name] = " ".join(described.split())
    return texts


def _key(flag: Flag) -> str:
    """Return the name of a flag's field, dotted if it belongs to the configuration."""
    return f"{PART_OF[flag.owner]}.{flag.field}" if flag.owner in PART_OF else flag.field


def _entry(flag: Flag, command: Command, width: int) -> Iterator[str]:
    """Yield the lines of a flag. A long flag has its text on the lines below it."""
    alias = ALIASED.get(_key(flag))
    word = f"{alias or flag.word} {_value(flag)}".rstrip()
    parts = [descriptions(flag.owner)[flag.field]]
    parts += [f"The same as {flag.word}."] if alias else []
    names = _names(flag.hint)
    parts += [f"One of {', '.join(names)}."] if names else []
    is_config = alias or flag.owner in PART_OF
    owner = getattr(command.config, PART_OF[flag.owner]) if is_config else command
    default = getattr(TableFlags() if flag.owner is TableFlags else owner, flag.field)
    parts += [f"[{' '.join(words_of(default))}]"] if default not in (None, False, (), "") else []
    text = textwrap.wrap(" ".join(parts), width - COLUMN, break_on_hyphens=False)
    begin = f"  {word}"
    if len(begin) < COLUMN:
        begin, text = begin.ljust(COLUMN) + text[0], text[1:]
    yield begin
    yield from (" " * COLUMN + line for line in text)


def _value(flag: Flag) -> str:
    """Return the letters that stand for a value of the flag."""
    hint, names = flag.hint, _names(flag.hint)
    if hint is bool:
        return ""
    if flag.field in ("grid", "space"):
        return "FIELD=..."
    if names:
        return "NAME ..." if is_several(hint) else "NAME"
    kinds = {bool: "[True|False", int: "N", float: "X", Path: "FOLDER", str: "..."}
    letters = next((kinds[leaf] for leaf in _leaves(hint) if leaf in kinds), "...")
    return f"{letters} ...{']' * is_switch(hint)}" if is_several(hint) else letters


def _names(hint: Any) -> tuple[str, ...]:
    """Return the names that a type allows."""
    return tuple(name for leaf in _leaves(hint) if get_origin(leaf) is Literal for name in get_args(leaf))


def _leaves(hint: Any) -> Iterator[Any]:
    """Yield the types inside a type."""
    if get_origin(hint) in (None, Literal):
        yield hint
    for inner in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from _leaves(inner)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
