"""`abuse`: bad command lines and calls that must be refused before anything is trained or written.

A command line must end with exit status 2 and one line on stderr, or with tyro's box. A call must raise UserError with
one line. Its working folder must stay empty. Many attempts are made from the fields of the configuration, so that a new
field adds its own. An accepted attempt, a traceback and a hang are not refusals.
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
    """Make every attempt, keep the counts and the attempts that were not refused, and print the table.

    Args:
        options: Options of the bench. Only the place of the records is used.
    """
    with tempfile.TemporaryDirectory() as folder:
        entry = {"rounds": 1, **count_outcomes(attempts(Path(folder)))}
    options.keep(QUESTION, "all", (), entry)
    listed = [f"not refused: {row['kind']}: {row['name']}: {row['happened']}" for row in entry["not_refused"]]
    print("\n".join((title(entry), *fitted(table(entry)), *listed, "")), flush=True)


def attempts(inputs: Path) -> list[Attempt]:
    """Return all attempts.

    Args:
        inputs: Empty folder for the files that some attempts read.

    Returns:
        Bad command lines and calls. None is made yet.
    """
    from bench.bad_calls import bad_calls  # imports JAX
    from bench.bad_commands import bad_commands
    from bench.bad_data import bad_data
    from bench.bad_files import bad_files

    return [*bad_commands(inputs), *bad_calls(inputs), *bad_data(), *bad_files(inputs)]


def count_outcomes(made: Iterable[Attempt]) -> dict[str, Any]:
    """Make attempts and count their outcomes.

    Args:
        made: Attempts to make.

    Returns:
        JSON values. `kinds` counts the attempts and the refused attempts of each kind. `not_refused` lists the other
        attempts with their outcomes.
    """
    kinds: dict[str, dict[str, int]] = {}
    not_refused = []
    for attempt in made:
        if attempt.kind not in kinds:
            say(attempt.kind)
        counts = kinds.setdefault(attempt.kind, {"attempts": 0, "refused": 0})
        counts["attempts"] += 1
        if happened := outcome(attempt):
            not_refused.append({"kind": attempt.kind, "name": attempt.name[:200], "happened": happened})
        else:
            counts["refused"] += 1
    return {"kinds": kinds, "not_refused": not_refused}


def title(entry: Mapping[str, Any]) -> str:
    """Return in words how many attempts there were, and how many were refused.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    made, refused = _sums(entry)
    return f"{made:,} bad command lines and calls, {refused:,} of them refused"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each kind and one for all, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of four cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for kind, counts in entry["kinds"].items():
        rows.append((kind, *_counts(counts["attempts"], counts["refused"])))
    return [*rows, ("all", *_counts(*_sums(entry)))]


def _sums(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Return the number of attempts and of refused attempts."""
    kinds = entry["kinds"].values()
    return sum(counts["attempts"] for counts in kinds), sum(counts["refused"] for counts in kinds)


def _counts(made: int, refused: int) -> tuple[str, str, str]:
    """Return attempts, refused attempts and the rest as cells."""
    return f"{made:,}", f"{refused:,}", f"{made - refused:,}"
