"""The tables of a question's record."""

import re
from collections.abc import Mapping
from typing import Any, Final

from experiments.grids import Grid, Grids, with_half

POINTS: Final = 100


def _layers(record: Mapping[str, Any]) -> list[Grid]:
    """Return a row for each number of reused layers, and a column for each number of trained ones."""
    cells, found = record["cells"], {}
    for name, cell in cells.items():
        if match := re.fullmatch(r"(\d) reused, (\d) trained, (.*)", name):
            found[int(match[1]), int(match[2]), match[3]] = cell
    deepest = max(layers for layers, _, _ in found)
    rows: list[tuple[str, ...]] = []
    for layers in range(1, deepest + 1):
        for how in ("frozen first", "at once"):
            given = [found.get((layers, trained, how)) for trained in range(deepest + 1)]
            if any(given):
                rows.append((str(layers), how, *("" if cell is None else _accuracy(cell) for cell in given)))
    rows.append(("none", "from scratch", *[""] * deepest, _accuracy(cells["scratch"])))
    trained = (f"{count} trained" for count in range(deepest + 1))
    return [Grid("Test accuracy by the layers reused and trained", ("layers reused", "way", *trained), rows)]


def _amount(record: Mapping[str, Any]) -> list[Grid]:
    """Return a row for each number of images, and a column for each number of trained layers."""
    rows: dict[str, dict[str, str]] = {}
    for name, cell in record["cells"].items():
        amount, _, kind = name.partition(" images, ")
        rows.setdefault(amount, {})[kind] = _accuracy(cell)
    kinds = list(next(iter(rows.values())))
    table = [(amount, *(of[kind] for kind in kinds)) for amount, of in rows.items()]
    return [Grid("Test accuracy by the number of images", ("images a digit", *kinds), table)]


def _cells(record: Mapping[str, Any]) -> list[Grid]:
    """Return a row for each cell, with its gain over the first one."""
    rows: list[tuple[str, ...]] = []
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
    columns = ("network", "test accuracy", "test loss", "gain, points", "answer", "error ratio")
    return [Grid("Networks, and the gain over the first one", columns, rows)]


def _pairs(record: Mapping[str, Any]) -> list[Grid]:
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
    summary = Grid("Errors with and without transfer", ("error from scratch / error with transfer", ""), rows)
    return [summary, Grid("The five pairs at each end", headers, table)]


TABLES: Final[Mapping[str, Grids]] = {
    "layers": _layers,
    "amount": _amount,
    "top": _cells,
    "fashion": _cells,
    "pairs": _pairs,
}
"""Makes the tables of each question."""


def _accuracy(cell: Mapping[str, Any]) -> str:
    """Return a mean test accuracy with half of its interval."""
    lost = f", {cell['diverged']} diverged" if cell["diverged"] else ""
    return f"{with_half(cell['test_accuracy'])}{lost}" if cell["test_accuracy"] else f"-{lost}"
