"""Tables of the recorded studies of transfer, for docs/transfer.md."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.tables import markdown_table
from jaxdeep.study.files import read_json

FOLDER: Final = "transfer"
NONE: Final = "No full study of this is recorded yet. The command above makes one."
Tables = Callable[[Mapping[str, Any]], Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]]
"""Makes the caption, the titles and the rows of each table of a record."""


def section(results: Path, question: str, tables: Tables) -> str:
    """Return a question's origin, its tables and its figure.

    Args:
        results: Folder of all records.
        question: Name of the question, such as "layers".
        tables: Makes the tables of the question's record. Each but the first one has its caption above it.
    """
    path = results / FOLDER / f"{question}.json"
    if not path.exists():
        return NONE
    record = read_json(path)
    machine, draws = record["machine"], record["draws"]
    rows = f"{len(record['seeds'])} seeds" + (f" x {draws} draws of the rows" if draws > 1 else "")
    origin = f"{record['title']}: {rows}, on {machine['cores']} cores of an {machine['processor']}"
    origin += f", commit {record['commit']}:" if record["commit"] else ":"
    picture = f"![{record['title']}](../experiments/results/{FOLDER}/{question}.png)"
    parts = [
        (f"{caption}:\n\n" if index else "") + markdown_table(columns, cells)
        for index, (caption, columns, cells) in enumerate(tables(record))
    ]
    return "\n\n".join((origin, *parts, picture))
