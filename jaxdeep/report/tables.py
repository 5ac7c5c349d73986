"""Summaries as text."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADERS = ("seed", "kept epoch", "epochs", "val loss", "val acc.", "test loss", "test acc.", "seconds")


def summary_table(summary: Mapping[str, Any]) -> str:
    """What a finished run prints: a row a seed, their mean with its 95% interval, the chapter's figures.

    Args:
        summary: the content of summary.json.
    """
    rows: list[tuple[str, ...]] = [
        (
            str(run["seed"]) + (" diverged" if run["diverged"] else ""),
            str(run["best_epoch"]),
            str(run["epochs"]),
            *(_figure(run[name]) for name in ("val_loss", "val_accuracy", "test_loss", "test_accuracy")),
            f"{run['seconds']:.1f}",
        )
        for run in summary["runs"]
    ]
    if len(rows) > 1:
        mean = summary["mean"]
        figures = [with_interval(mean[name]) for name in ("val_loss", "val_accuracy", "test_loss", "test_accuracy")]
        counts = [f"{mean[name]['mean']:.1f}" for name in ("best_epoch", "epochs")]
        rows.append(("mean", *counts, *figures, f"{mean['seconds']['mean']:.1f}"))
    for reported in summary["chapter"]:
        figures = (_figure(reported.get(name)) for name in ("val_loss", "val_accuracy", "test_loss", "test_accuracy"))
        rows.append((f"chapter {reported['source']}", str(reported["best_epoch"]), "", *figures, ""))
    data = summary["data"]
    title = f"{summary['experiment']} {summary['name']} on {data['name']} ({data['source']})"
    return "\n".join((title, *aligned((HEADERS, *rows))))


def with_interval(estimate: Mapping[str, Any]) -> str:
    """A mean with half of its 95% interval.

    >>> with_interval({"mean": 1.4688, "low": 1.4554, "high": 1.4822})
    '1.4688 ± 0.0134'
    """
    if estimate["mean"] is None or estimate["low"] is None:
        return _figure(estimate["mean"])
    return f"{estimate['mean']:.4f} ± {(estimate['high'] - estimate['low']) / 2:.4f}"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table.

    >>> print(markdown_table(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    rule = "|" + "---|" * len(headers)
    return "\n".join((_markdown_row(headers), rule, *map(_markdown_row, rows)))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with columns of equal width.

    >>> aligned([("a", "bb"), ("ccc", "d")])
    ['  a  bb', 'ccc   d']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
