"""Tables of the measured claims, for docs/claims.md."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.tables import markdown_table
from jaxdeep.study.files import read_json

FOLDER: Final = "claims"
NOT_MEASURED: Final = "not measured yet"
NONE: Final = "Not measured yet."
Text = Callable[[Mapping[str, Any]], str]
"""Returns the text of a part of a claim."""


def verdicts_table(results: Path, statements: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """Return a row for each claim with its verdict, and their counts.

    Args:
        results: Folder of all records.
        statements: Statement and sources of each claim by its name.
    """
    found = {name: record_of(results, name) for name in statements}
    rows = [
        (f"`{name}`", statement, ", ".join(sources), _verdict(found[name]))
        for name, (statement, sources) in statements.items()
    ]
    verdicts = [record["verdict"] for record in found.values() if record]
    words = {"holds": "hold", "fails": "fail", "undecided": "are undecided"}
    counts = ", ".join(f"{verdicts.count(of)} {word}" for of, word in words.items())
    missing = len(found) - len(verdicts)
    left = f", {missing} are {NOT_MEASURED}" if missing else ""
    return f"{len(found)} claims: {counts}{left}.\n\n" + markdown_table(
        ("claim", "statement", "sources", "verdict"), rows
    )


def parts_table(results: Path, names: Iterable[str], effect: Text, claimed: Text) -> str:
    """Return a row for each part of each measured claim.

    Args:
        results: Folder of all records.
        names: Names of the claims.
        effect: Returns the effect of a part as text.
        claimed: Returns the range that a claim says as text.
    """
    records = {name: record_of(results, name) for name in names}
    rows = [
        (f"`{name}`", part["name"], effect(part), claimed(part), str(part["n"]), part["verdict"])
        for name, record in records.items()
        if record
        for part in record["parts"]
    ]
    columns = ("claim", "part", "effect (95% interval)", "claimed", "n", "verdict")
    return markdown_table(columns, rows) if rows else NONE


def table_of(results: Path, name: str, *indices: int) -> str:
    """Return one of the tables of a claim, or the rows of several as one table.

    Args:
        results: Folder of all records.
        name: Name of the claim.
        indices: Indices of tables with equal columns in the record. None takes the first table.
    """
    record = record_of(results, name)
    if record is None:
        return NONE
    tables = [record["tables"][index] for index in indices or (0,)]
    return markdown_table(tuple(tables[0]["columns"]), [tuple(row) for table in tables for row in table["rows"]])


def record_of(results: Path, name: str) -> dict[str, Any] | None:
    """Return the record of a claim, or None.

    Args:
        results: Folder of all records.
        name: Name of the claim.
    """
    path = results / FOLDER / f"{name}.json"
    return read_json(path) if path.exists() else None


def _verdict(record: Mapping[str, Any] | None) -> str:
    return NOT_MEASURED if record is None else f"**{record['verdict']}**"
