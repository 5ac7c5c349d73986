"""The figures of a study of compression."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.compress.sparse import HALF_A_POINT, METHODS
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import GREY, series, set_title

KILOBYTE: Final = 1_000
MOST_LOST, FEWEST_KEPT = 20.0, 0.5
"""Points of accuracy lost, and percent of weights, at the ends of the axes. Networks behind them learn nothing."""
LOSS: Final = "loss of test accuracy (points)"


def title_of(record: Mapping[str, Any], what: str) -> str:
    """Return the title of a figure, with all that keeps its figures from being results.

    Args:
        record: Record of the study.
        what: First words of the title.
    """
    quick = ", a quick try: no result" if record["quick"] else ""
    seeds = f"{len(record['seeds'])} seed{'s' if len(record['seeds']) > 1 else ''}"
    return f"{what}, {record['data']['name']}, {record['epochs']} epochs, {seeds}{quick}"


def draw_sparse(path: Path, record: Mapping[str, Any]) -> None:
    """Draw accuracy and size on disk against sparsity, a line a method.

    Args:
        path: Path of the PNG file. An SVG file is written beside it.
        record: Record of the study.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.2), layout="constrained")
    accuracy, size = figure.subplots(1, 2)
    dense = record["dense"]
    for index, (method, curve) in enumerate(record["curves"].items()):
        look, points = series(index, len(METHODS)), [point for point in curve if point["sparsity"] is not None]
        kept = [100 * (1 - point["sparsity"]) for point in points]
        losses, halves = zip(*(_loss(point) for point in points), strict=True) if points else ((), ())
        line = {"color": look.color, "marker": look.marker, "linestyle": look.dash, "label": METHODS[method]}
        accuracy.errorbar(kept, losses, halves, capsize=2, linewidth=1.5, markersize=5, **line)
        size.plot(kept, [point["npz_bytes"] / KILOBYTE for point in points], linewidth=1.5, markersize=5, **line)
        size.plot(kept, [point["csr_bytes"] / KILOBYTE for point in points], ":", color=look.light, linewidth=1)
    accuracy.axhline(100 * HALF_A_POINT, color=GREY, linewidth=1, linestyle="--")
    accuracy.set(ylabel=f"{LOSS}, 95% interval over seeds")
    accuracy.set_yscale("symlog", linthresh=1)
    accuracy.set_ylim(top=MOST_LOST)
    figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    size.axhline(dense["npz_bytes"] / KILOBYTE, color=GREY, linewidth=1, linestyle="--")
    size.set(ylabel="kB: compressed npz (dotted: CSR)", yscale="log")
    for axes in (accuracy, size):
        axes.set(xlabel="weights that are not 0 (%)", xscale="log")
        axes.set_xlim(120, FEWEST_KEPT)
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
    set_title(figure, title_of(record, "Sparsity against accuracy"))
    save_figure(path, figure, dpi=120)


def draw_serve(path: Path, record: Mapping[str, Any]) -> None:
    """Draw accuracy, latency and size of the networks, a row a network.

    Args:
        path: Path of the PNG file. An SVG file is written beside it.
        record: Record of the study.
    """
    from matplotlib.figure import Figure

    networks = dict(reversed(record["networks"].items()))
    figure = Figure(figsize=(11, 1.6 + 0.34 * len(networks)), layout="constrained")
    loss, latency, size = figure.subplots(1, 3, sharey=True)
    rows = range(len(networks))
    losses, halves = zip(*map(_loss, networks.values()), strict=True)
    look = series(0, 2)
    loss.errorbar(losses, rows, xerr=halves, fmt=look.marker, color=look.color, capsize=3)
    loss.axvline(0, color=GREY, linewidth=1)
    loss.set(xlabel=f"{LOSS}\n95% interval, paired over seeds")
    batches = list(next(iter(networks.values()))["microseconds"])
    for index, batch in enumerate(batches):
        look = series(index, len(batches))
        times = [of["microseconds"][batch]["median"] for of in networks.values()]
        words = f"batch of {int(batch):,}"
        latency.plot(times, rows, linestyle="", marker=look.marker or "o", color=look.color, label=words)
    latency.set(xlabel="microseconds a batch, median", xscale="log")
    latency.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, columnspacing=1)
    for index, (name, words) in enumerate((("bytes", "in memory"), ("npz_bytes", "compressed npz"))):
        look = series(index, 2)
        sizes = [of[name] / KILOBYTE for of in networks.values()]
        size.plot(sizes, rows, linestyle="", marker=look.marker, color=look.color, label=words)
    size.set(xlabel="kB of weights", xlim=(0, None))
    size.legend(fontsize="small")
    for axes in (loss, latency, size):
        axes.grid(alpha=0.3)
    loss.set_yticks(list(rows), list(networks))
    set_title(figure, title_of(record, f"Networks for low latency on {record['machine']['processor']}"))
    save_figure(path, figure, dpi=120)


def _loss(point: Mapping[str, Any]) -> tuple[float, float]:
    """Return a loss of accuracy and half of its interval, in points."""
    found = point["accuracy_loss"]
    half = 0.0 if found["low"] is None else (found["high"] - found["low"]) / 2
    return 100 * found["mean"], 100 * half
