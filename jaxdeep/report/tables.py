"""Summaries as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxdeep.config import short
from jaxdeep.study.divergence import counted, diverged_in, named, runs_at
from jaxdeep.study.files import key_of
from jaxdeep.study.result import best_point

FIGURES = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
NO_BEST = "none is best (*): each of them lost a run (diverged)"
HEADERS = ("seed", "kept epoch", "epochs", "val loss", "val acc.", "test loss", "test acc.", "seconds")


def summary_table(summary: Mapping[str, Any]) -> str:
    """What a finished study prints: a row a run and their mean with its 95% interval, or of a grid a row a point, and
    the chapter's figures.

    The mean's row and each point's say how many runs diverged. Where every point lost a run, a last line says so.

    Args:
        summary: the content of summary.json.
    """
    data = summary["data"]
    title = f"{summary['experiment']} {summary['name']} on {data['name']} ({data['source']})"
    rows = _rows_of_points(summary) if "points" in summary else _rows_of_runs(summary)
    is_without_best = bool(summary.get("points")) and best_point(summary) is None
    return "\n".join((title, *aligned(rows), *([NO_BEST] if is_without_best else [])))


def _rows_of_runs(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [HEADERS]
    rows += [
        (
            str(key_of(run)) + (" diverged" if run["diverged"] else ""),
            str(run["best_epoch"]),
            str(run["epochs"]),
            *(_figure(run[name]) for name in FIGURES),
            f"{run['seconds']:.1f}",
        )
        for run in summary["runs"]
    ]
    if len(summary["runs"]) > 1:
        runs = summary["runs"]
        rows.append((named("mean", len(runs), diverged_in(runs)), *_means(summary["mean"])))
    return rows + [_row_of_chapter(reported, len(HEADERS)) for reported in summary["chapter"]]


def _rows_of_points(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Mark the lowest mean val_loss of the points without a run that diverged."""
    names = list(summary["points"][0]["values"])
    best = best_point(summary)
    rows: list[tuple[str, ...]] = [(*names, "runs", *HEADERS[1:])]
    for point in summary["points"]:
        mark = " *" if point is best else ""
        rows.append((*map(short, point["values"].values()), runs_of(summary, point) + mark, *_means(point["mean"])))
    return rows


def runs_of(summary: Mapping[str, Any], point: Mapping[str, Any] | None = None) -> str:
    """Return how many runs there are, and how many of them diverged.

    Args:
        summary: the content of summary.json.
        point: one of its `points`, whose runs are counted. None: all runs.
    """
    runs = summary["runs"] if point is None else runs_at(summary, point)
    return counted(len(runs), diverged_in(runs))


def _means(mean: Mapping[str, Any]) -> tuple[str, ...]:
    counts = ("-" if mean[name]["mean"] is None else f"{mean[name]['mean']:.1f}" for name in ("best_epoch", "epochs"))
    return (*counts, *(with_interval(mean[name]) for name in FIGURES), f"{mean['seconds']['mean']:.1f}")


def _row_of_chapter(reported: Mapping[str, Any], width: int) -> tuple[str, ...]:
    figures = (_figure(reported.get(name)) for name in FIGURES)
    row = (f"chapter {reported['source']}", str(reported["best_epoch"]), "", *figures)
    return row + ("",) * (width - len(row))


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
