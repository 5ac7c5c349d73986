"""`abuse`: bad command lines and calls that must be refused before anything is trained or written.

A command line must end with exit status 2 and one line on stderr, or with the box of the reader of flags. A call must
raise UserError with one line. Its working folder must stay empty. Many attempts are made from the fields of the
configuration, so that a new field adds its own. An accepted attempt, a traceback and a hang are not refusals.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.attempts import Attempt, outcome
from bench.options import Options, say
from jaxdeep.report.layout import fitted

QUESTION: Final = "abuse"
HEADERS: Final = ("kind", "attempts", "refused", "not refused")


def run(options: Options) -> None:
    """Make every attempt, keep the counts and what was not refused, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        entry = {"rounds": 1, **counted(attempts(Path(folder)))}
    options.keep(QUESTION, "all", (), entry)
    listed = [f"not refused: {of['kind']}: {of['name']}: {of['happened']}" for of in entry["not_refused"]]
    print("\n".join((title(entry), *fitted(table(entry)), *listed, "")), flush=True)


def attempts(inputs: Path) -> list[Attempt]:
    """Return all attempts.

    Args:
        inputs: an empty folder for the files that some of them read.
    """
    from bench.bad_calls import bad_calls  # imports JAX
    from bench.bad_commands import bad_commands
    from bench.bad_data import bad_data
    from bench.bad_files import bad_files

    return [*bad_commands(inputs), *bad_calls(inputs), *bad_data(), *bad_files(inputs)]


def counted(made: Iterable[Attempt]) -> dict[str, Any]:
    """Make attempts and count their outcomes.

    Returns:
        JSON values. `kinds` counts the attempts and the refused ones of each kind. `not_refused` lists the others, with
        what happened.
    """
    kinds: dict[str, dict[str, int]] = {}
    not_refused = []
    for attempt in made:
        if attempt.kind not in kinds:
            say(attempt.kind)
        of_kind = kinds.setdefault(attempt.kind, {"attempts": 0, "refused": 0})
        of_kind["attempts"] += 1
        if happened := outcome(attempt):
            not_refused.append({"kind": attempt.kind, "name": attempt.name[:200], "happened": happened})
        else:
            of_kind["refused"] += 1
    return {"kinds": kinds, "not_refused": not_refused}


def title(entry: Mapping[str, Any]) -> str:
    """Return how many attempts there were, and how many were refused."""
    made, refused = _sums(entry)
    return f"{made:,} bad command lines and calls, {refused:,} of them refused"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each kind and one for all, the headers first."""
    rows: list[tuple[str, ...]] = [HEADERS]
    for kind, of in entry["kinds"].items():
        rows.append((kind, *_counts(of["attempts"], of["refused"])))
    return [*rows, ("all", *_counts(*_sums(entry)))]


def _sums(entry: Mapping[str, Any]) -> tuple[int, int]:
    kinds = entry["kinds"].values()
    return sum(of["attempts"] for of in kinds), sum(of["refused"] for of in kinds)


def _counts(made: int, refused: int) -> tuple[str, str, str]:
    return f"{made:,}", f"{refused:,}", f"{made - refused:,}"
