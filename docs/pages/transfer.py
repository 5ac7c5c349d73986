"""Tables of the recorded studies of transfer, for docs/transfer.md."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.tables import markdown_table
from jaxdeep.study.files import read_json

FOLDER: Final = "transfer"
NONE: Final = "No full study of this is recorded yet. The command above makes one."
POINTS: Final = 100


def section(results: Path, question: str) -> str:
    """Return a question's origin, its table and its figure.

    Args:
        results: Folder of all records.
        question: Name of the question, such as "layers".
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
    return "\n\n".join((origin, TABLES[question](record), picture))


def _layers(record: Mapping[str, Any]) -> str:
    """Return a row for each number of reused layers, and a column for each number of trained ones."""
    cells, found = record["cells"], {}
    for name, cell in cells.items():
        if match := re.fullmatch(r"(\d) reused, (\d) trained, (.*)", name):
            found[int(match[1]), int(match[2]), match[3]] = cell
    deepest = max(layers for layers, _, _ in found)
    rows = []
    for layers in range(1, deepest + 1):
        for how in ("frozen first", "at once"):
            given = [found.get((layers, trained, how)) for trained in range(deepest + 1)]
            if any(given):
                rows.append((str(layers), how, *("" if cell is None else _accuracy(cell) for cell in given)))
    rows.append(("none", "from scratch", *[""] * deepest, _accuracy(cells["scratch"])))
    trained = (f"{count} trained" for count in range(deepest + 1))
    return markdown_table(("layers reused", "way", *trained), rows)


def _amount(record: Mapping[str, Any]) -> str:
    """Return a row for each number of images, and a column for each number of trained layers."""
    rows: dict[str, dict[str, str]] = {}
    for name, cell in record["cells"].items():
        amount, _, kind = name.partition(" images, ")
        rows.setdefault(amount, {})[kind] = _accuracy(cell)
    kinds = list(next(iter(rows.values())))
    table = [(amount, *(of[kind] for kind in kinds)) for amount, of in rows.items()]
    return markdown_table(("images a digit", *kinds), table)


def _cells(record: Mapping[str, Any]) -> str:
    """Return a row for each cell, with its gain over the first one."""
    rows = []
    for name, cell in record["cells"].items():
        gain = cell.get("gain")
        if gain is None:
            rows.append((name, _accuracy(cell), f"{cell['test_loss']['mean']:.4f}", "", "", ""))
            continue
        ends = f"{POINTS * gain['low_corrected']:+.2f} to {POINTS * gain['high_corrected']:+.2f}"
        points, ratio = f"{POINTS * gain['difference']:+.2f} ({ends})", gain["error_ratio"]
        words = "no error" if ratio is None else f"{ratio:.2f}"
        answer = gain["answer"]
        answer = {True: "better", False: "worse"}[gain["difference"] > 0] if answer == "different" else answer
        rows.append((name, _accuracy(cell), f"{cell['test_loss']['mean']:.4f}", points, answer, words))
    return markdown_table(("network", "test accuracy", "test loss", "gain, points", "answer", "error ratio"), rows)


def _pairs(record: Mapping[str, Any]) -> str:
    """Return the distribution of the error ratio, and the five pairs at each end."""
    ratio, hurt, quantiles = record["ratio"], record["hurt"], record["quantiles"]
    rows = [
        ("geometric mean over pairs", f"{ratio['mean']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"),
        *((f"{POINTS * float(of):.0f}% of the runs are below", f"{value:.2f}") for of, value in quantiles.items()),
        ("runs in which transfer has more errors", f"{hurt['runs']} of {record['runs']}"),
        ("pairs in which it has more on average", f"{hurt['pairs']} of {len(record['pairs'])}"),
    ]
    ordered = sorted(record["pairs"].items(), key=lambda item: item[1]["ratio"])
    table = [
        (name, f"{of['scratch']:.4f}", f"{of['transfer']:.4f}", f"{of['ratio']:.2f}", f"{of['hurt']} of {of['runs']}")
        for name, of in (*ordered[:5], *ordered[-5:])
    ]
    headers = ("classes", "from scratch", "with transfer", "error ratio", "more errors with transfer")
    summary = markdown_table(("error from scratch / error with transfer", ""), rows)
    return "\n\n".join((summary, "The five pairs at each end:", markdown_table(headers, table)))


TABLES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "layers": _layers,
    "amount": _amount,
    "top": _cells,
    "fashion": _cells,
    "pairs": _pairs,
}
"""Makes the table of each question."""


def _accuracy(cell: Mapping[str, Any]) -> str:
    """Return a mean test accuracy with half of its interval."""
    found = cell["test_accuracy"]
    lost = f", {cell['diverged']} diverged" if cell["diverged"] else ""
    return f"{found['mean']:.4f} ± {(found['high'] - found['low']) / 2:.4f}{lost}"
