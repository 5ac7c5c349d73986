"""The figures of a question, and its lines in the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import GREY, series, set_title

PERCENT: Final = 100


def title_of(record: Mapping[str, Any]) -> str:
    """Return the title of a figure, with all that keeps its figures from being results.

    Args:
        record: Record of the study.
    """
    quick = ", a quick try: no result" if record["quick"] else ""
    draws = f" x {record['draws']} draws" if record["draws"] > 1 else ""
    return f"{record['title']}, {record['data']['name']}, {len(record['seeds'])} seeds{draws}{quick}"


def draw(path: Path, record: Mapping[str, Any]) -> None:
    """Draw the test accuracies of a question, or the error ratios of all pairs.

    Args:
        path: Path of the PNG file. An SVG file is written beside it.
        record: Record of the study.
    """
    (_draw_pairs if "pairs" in record else _draw_amounts if record["question"] == "amount" else _draw_cells)(
        path, record
    )


def _draw_cells(path: Path, record: Mapping[str, Any]) -> None:
    """Draw a row for each cell, the first one at the top."""
    from matplotlib.figure import Figure

    cells = dict(reversed(record["cells"].items()))
    figure = Figure(figsize=(8, 1.4 + 0.24 * len(cells)), layout="constrained")
    axes = figure.subplots()
    look = series(0, 2)
    means = [PERCENT * cell["test_accuracy"]["mean"] for cell in cells.values()]
    halves = [PERCENT * _half(cell["test_accuracy"]) for cell in cells.values()]
    axes.errorbar(means, range(len(cells)), xerr=halves, fmt=look.marker or "o", color=look.color, capsize=2)
    first = next(iter(record["cells"].values()))["test_accuracy"]["mean"]
    axes.axvline(PERCENT * first, color=GREY, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(cells)), list(cells))
    axes.set(xlabel="test accuracy (%), mean and 95% interval")
    axes.grid(alpha=0.3)
    set_title(figure, title_of(record))
    save_figure(path, figure, dpi=120)


def _draw_amounts(path: Path, record: Mapping[str, Any]) -> None:
    """Draw accuracy against the number of images, a line for each number of trained layers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[int, Any]]] = {}
    amounts = sorted({int(name.partition(" ")[0]) for name in record["cells"]})
    for name, cell in record["cells"].items():
        amount, _, kind = name.partition(" images, ")
        curves.setdefault(kind, []).append((int(amount), cell["test_accuracy"]))
    for index, (kind, points) in enumerate(curves.items()):
        look = series(index, len(curves))
        means = [PERCENT * of["mean"] for _, of in points]
        line = {"color": look.color, "marker": look.marker, "linestyle": look.dash, "label": kind}
        axes.errorbar(amounts, means, [PERCENT * _half(of) for _, of in points], capsize=2, markersize=5, **line)
    axes.set(xscale="log", xlabel="training images a digit", ylabel="test accuracy (%), mean and 95% interval")
    axes.set_xticks(amounts, [f"{amount:,}" for amount in amounts])
    axes.legend(fontsize="small", title="reused layers trained")
    axes.grid(alpha=0.3)
    set_title(figure, title_of(record))
    save_figure(path, figure, dpi=120)


def _draw_pairs(path: Path, record: Mapping[str, Any]) -> None:
    """Draw the error ratio of each pair of classes, the largest at the right."""
    from matplotlib.figure import Figure

    pairs = sorted(record["pairs"].items(), key=lambda item: item[1]["ratio"])
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots()
    look = series(0, 2)
    ratios = [of["ratio"] for _, of in pairs]
    axes.plot(range(len(pairs)), ratios, linestyle="", marker=look.marker or "o", color=look.color)
    axes.axhline(1, color=GREY, linewidth=1, linestyle="--")
    axes.set_xticks(range(len(pairs)), [name for name, _ in pairs], rotation=90, fontsize="small")
    axes.set(yscale="log", xlabel="classes of the pair", ylabel="error from scratch / error with transfer")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:.1f}")
    axes.grid(alpha=0.3)
    set_title(figure, title_of(record))
    save_figure(path, figure, dpi=120)


def _half(estimate: Mapping[str, Any]) -> float:
    return 0.0 if estimate["low"] is None else (estimate["high"] - estimate["low"]) / 2


def lines(record: Mapping[str, Any]) -> list[str]:
    """Return what a finished study prints.

    Args:
        record: Record of the study.
    """
    found = [title_of(record)]
    if "pairs" in record:
        ratio, hurt = record["ratio"], record["hurt"]
        return [
            *found,
            "  error from scratch / error with transfer: "
            f"{ratio['mean']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
            f"  transfer hurts in {hurt['runs']} of {record['runs']} runs, in the mean of {hurt['pairs']} of 45 pairs",
        ]
    for name, cell in record["cells"].items():
        accuracy, gain = cell["test_accuracy"], cell.get("gain")
        text = f"  {name}: {accuracy['mean']:.4f} ± {_half(accuracy):.4f}"
        found.append(text if gain is None else f"{text}, {gain['answer']}: {gain['difference']:+.4f} to scratch")
    return found
