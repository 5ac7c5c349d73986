"""Tables of the recorded studies of compression, for docs/compress.md."""

from pathlib import Path
from typing import Final

from docs.pages.transfer import Tables
from jaxdeep.report.tables import markdown_table
from jaxdeep.study.files import read_json

FOLDER: Final = "compress"
NONE: Final = "No full study is recorded yet. The command above makes one."


def section(results: Path, question: str, tables: Tables) -> str:
    """Return a paragraph, a table and a figure for each record of a question.

    Args:
        results: Folder of all records.
        question: Name of the question, "sparse" or "serve".
        tables: Makes the tables of a record.
    """
    parts = []
    for path in sorted((results / FOLDER).glob(f"{question}-*.json")):
        record = read_json(path)
        machine = record["machine"]
        seeds, words = len(record["seeds"]), f"{record['data']['name']}, {record['epochs']} epochs"
        commit = f", commit {record['commit']}" if record["commit"] else ""
        origin = f"{words}, {seeds} seeds, on {machine['cores']} cores of an {machine['processor']}{commit}:"
        picture = f"![{question} on {record['dataset']}](../experiments/results/{FOLDER}/{path.stem}.png)"
        parts += [origin, *(markdown_table(columns, rows) for _, columns, rows in tables(record)), picture]
    return "\n\n".join(parts) or NONE
