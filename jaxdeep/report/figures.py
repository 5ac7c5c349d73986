"""Pictures of runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.config import short
from jaxdeep.report.divergence import named
from jaxdeep.report.pictures import save_figure
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial_result import Candidate
from jaxdeep.train.history import EpochRecord, has_diverged
from jaxdeep.train.lr_finder import RangeTest

RATE = "optim.learning_rate"
SEEDS_DRAWN = 4
"""So many are told apart; more are a band."""
MOST_BANDS, MOST_LABELS = 8, 20


def draw_study(result: StudyResult, folder: Path) -> None:
    """Draw curves.png, and rates.png where the study varies the learning rate and has a range test.

    Args:
        result: result of the study, with its histories.
        folder: folder of the pictures, which exists.
    """
    title = f"{result.experiment} {result.name} on {result.data['name']}"
    groups: dict[str, dict[int | str, Sequence[EpochRecord]]] = {}
    for trial, history in zip(result.trials, result.histories, strict=True):
        groups.setdefault(trial.candidate, {})[trial.key] = history
    learning_curves(folder / "curves.png", groups, title)
    if result.range_test is not None:
        rate_curves(folder / "rates.png", result, title)


def histories_by_key(result: StudyResult) -> dict[int | str, Sequence[EpochRecord]]:
    """Return the epochs of each trial of a study that varies nothing, by seed, or by seed and fold.

    Args:
        result: result of the study, with its histories.
    """
    return {trial.key: history for trial, history in zip(result.trials, result.histories, strict=True)}


def learning_curves(path: Path, groups: Mapping[str, Mapping[int | str, Sequence[EpochRecord]]], title: str) -> None:
    """Draw loss and accuracy by epoch, training dashed and validation solid.

    One group of few seeds is drawn seed by seed, the best epochs marked; several groups, or many seeds, are drawn as
    means over the runs that reach an epoch, half of them at least, with the band of the means' 95% intervals; of very
    many groups only the validation is drawn, without bands. The legend counts the runs that diverged, and a cross at
    the foot marks the epoch at which each of them ended.

    Args:
        path: of the PNG file.
        groups: name -> seed (and fold) -> history. A single group's name is not shown.
        title: says what was trained on what.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure  # 0.4 s to import, and without pyplot's global state

    figure = Figure(figsize=(11, 4), layout="constrained")
    panels: dict[str, Any] = dict(zip(("loss", "accuracy"), figure.subplots(1, 2), strict=True))
    with_bands = len(groups) <= MOST_BANDS
    by_seed = len(groups) == 1 and all(len(histories) <= SEEDS_DRAWN for histories in groups.values())
    for index, (name, histories) in enumerate(groups.items()):
        if by_seed:
            for place, (seed, history) in enumerate(histories.items()):
                label = f"seed {seed}" + (", diverged" if has_diverged(history) else "")
                _draw_run(panels, history, f"C{place % 10}", label)
                _mark_diverged(panels, [history], f"C{place % 10}")
        else:
            runs, diverged = len(histories), sum(map(has_diverged, histories.values()))
            label = named(name, runs, diverged) if len(groups) > 1 else _runs(runs, diverged)
            color: Any = f"C{index}" if with_bands else colormaps["viridis"](index / (len(groups) - 1))
            _draw_band(panels, list(histories.values()), color, label, alone=not with_bands)
            _mark_diverged(panels, list(histories.values()), color)
    for quantity, axes in panels.items():
        axes.set(xlabel="epoch", ylabel={"loss": "cross-entropy (nats)"}.get(quantity, quantity))
        axes.grid(alpha=0.3)
    top = _loss_limit([history for histories in groups.values() for history in histories.values()])
    panels["loss"].set_ylim(bottom=max(panels["loss"].get_ylim()[0], 0), top=top)
    handles, labels = panels["accuracy"].get_legend_handles_labels()
    mark = "dot: best epoch" if by_seed else "band: 95% interval"
    key = f"dashed: training\nsolid: validation\n{mark}" if with_bands else "validation"
    if any(has_diverged(history) for histories in groups.values() for history in histories.values()):
        key += "\ncross: a run diverged"
    beside: Any = "outside center right"  # matplotlib's annotations lack the outside places
    figure.legend(handles[:MOST_LABELS], labels[:MOST_LABELS], title=key, loc=beside, fontsize="small")
    figure.suptitle(title)
    save_figure(path, figure, dpi=120)


def _draw_run(panels: Mapping[str, Any], history: Sequence[EpochRecord], color: str, label: str) -> None:
    epochs = [record.epoch for record in history]
    kept = [record for record in history if not has_diverged([record])]
    best = min(kept, key=lambda record: record.val_loss, default=None)
    for quantity, axes in panels.items():
        axes.plot(epochs, [getattr(record, f"train_{quantity}") for record in history], "--", color=color, linewidth=1)
        axes.plot(epochs, [getattr(record, f"val_{quantity}") for record in history], color=color, label=label)
        if best is not None:
            axes.plot(best.epoch, getattr(best, f"val_{quantity}"), "o", color=color, markersize=5)


def _runs(runs: int, diverged: int) -> str:
    return f"{runs} runs" + (f", {diverged} diverged" if diverged else "")


def _mark_diverged(panels: Mapping[str, Any], histories: Sequence[Sequence[EpochRecord]], color: Any) -> None:
    """Mark at the foot of each panel the epochs at which runs diverged."""
    ended = [history[-1].epoch for history in histories if has_diverged(history)]
    for axes in panels.values():
        if ended:
            at_foot = axes.get_xaxis_transform()
            axes.plot(ended, [0.02] * len(ended), "x", color=color, transform=at_foot, clip_on=False)


def _draw_band(
    panels: Mapping[str, Any], histories: Sequence[Sequence[EpochRecord]], color: Any, label: str, *, alone: bool
) -> None:
    """Draw the mean over runs, of validation alone or of training too, and then with a band."""
    lengths = sorted(map(len, histories), reverse=True)
    epochs = range(1, lengths[(len(lengths) - 1) // 2] + 1)  # few seeds' mean would say little, and jump
    for quantity, axes in panels.items():
        for part, style, name in (("val", "-", label),) if alone else (("train", "--", None), ("val", "-", label)):
            reached = [
                [getattr(run[e - 1], f"{part}_{quantity}") for run in histories if len(run) >= e] for e in epochs
            ]
            estimates = list(map(mean_over_runs, reached))
            mean, low, high = (
                [np.nan if value is None else value for value in (getattr(of, end) for of in estimates)]
                for end in ("mean", "low", "high")
            )
            axes.plot(epochs, mean, style, color=color, linewidth=1, label=name)
            if not alone and part == "val":
                axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)


def rate_curves(path: Path, result: StudyResult, title: str) -> None:
    """Draw accuracy against learning rate, means over seeds with the band of their 95% intervals.

    The best candidate is marked, and what the range test suggests. What the study varies besides the rate
    makes a curve for each of its values. A point with runs that diverged is hollow, or has no figures at all, and their
    share stands at the foot of the picture.

    Args:
        path: of the PNG file.
        result: result of a study that varies optim.learning_rate, with its range test.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[Candidate]] = {}
    beside_rate = [name for name in result.grid if name != RATE]
    for point in sorted(result.candidates, key=lambda point: point.values[RATE]):
        others = (f"{name}={short(point.values[name])}" for name in beside_rate)
        curves.setdefault(",".join(others), []).append(point)
    best = result.best
    for index, (name, points) in enumerate(curves.items()):
        color = f"C{index % 10}"
        rates = [point.values[RATE] for point in points]
        alike = not result.space.keys() - {RATE} and result.halving is None  # but for the rate
        for figure_name, style in (("val_accuracy", "-" if alike else ""), ("test_accuracy", ":" if alike else "")):
            mean, low, high = (
                [np.nan if (value := getattr(point.mean[figure_name], end)) is None else value for point in points]
                for end in ("mean", "low", "high")
            )
            label = f"{name} {figure_name.split('_')[0]}".strip()
            marker = "o" if figure_name == "val_accuracy" else "."
            axes.plot(rates, mean, f"{marker}{style}", color=color, markersize=4, linewidth=1, label=label)
            if style == "-":
                axes.fill_between(rates, low, high, color=color, alpha=0.2, linewidth=0)
        if best is not None and any(best is point for point in points):
            marked: Any = (best.values[RATE], best.mean["val_accuracy"].mean)
            axes.plot(*marked, "*", color=color, markersize=14, label="lowest val_loss")
        _mark_lost(axes, result, points, color, index)
    found = result.range_test or {"suggestion": None}
    if (suggestion := found["suggestion"]) is not None:
        lost = found.get("without_suggestion", 0)
        label = f"finder: {suggestion:.1e}" + (f"\n({lost} of {len(found['seeds'])} without)" if lost else "")
        axes.axvline(suggestion, color="black", linestyle="--", linewidth=1, label=label)
    axes.set(xscale="log", xlabel="learning rate", ylabel="accuracy")
    axes.grid(alpha=0.3)
    beside: Any = "outside center right"  # matplotlib's annotations lack the outside places
    key = "band: 95% interval\nof validation"
    if result.diverged:
        key += "\nhollow, 1/3: 1 of 3\nruns diverged" + ("" if best else ";\nnone is best")
    figure.legend(title=key, loc=beside)
    figure.suptitle(title)
    save_figure(path, figure, dpi=120)


def _mark_lost(axes: Any, result: StudyResult, points: Sequence[Candidate], color: str, row: int) -> None:
    """Show the points of a curve that lost runs: hollow where they have a mean, and with their share at the foot."""
    for point in points:
        runs = result.trials_of(point)
        if not (diverged := sum(trial.diverged for trial in runs)):
            continue
        rate, accuracy = point.values[RATE], point.mean["val_accuracy"].mean
        if accuracy is not None:
            axes.plot(rate, accuracy, "o", color=color, markersize=7, markerfacecolor="white")
        foot = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": "x-small"}
        axes.text(rate, 0.01 + 0.04 * row, f"{diverged}/{len(runs)}", color=color, **foot)
        axes.plot(rate, 0.0, "x", color=color, markersize=4, transform=axes.get_xaxis_transform(), clip_on=False)


def seeds_without_suggestion(test: RangeTest) -> int:
    """Return how many seeds of a range test have no suggestion, so that the geometric mean leaves them out.

    Args:
        test: what the range test found.
    """
    return int(np.sum(~np.isfinite(test.suggestions)))


def range_test_curves(path: Path, test: RangeTest, title: str) -> None:
    """Draw batch loss against learning rate, each seed's points and smoothed curve, the suggestions marked.

    Args:
        path: of the PNG file.
        test: what was found.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for index, seed in enumerate(test.seeds):
        color = f"C{index % 10}"
        axes.plot(test.rates, test.losses[index], ".", color=color, markersize=2, alpha=0.3)
        axes.plot(test.rates, test.smoothed[index], color=color, label=f"seed {seed}")
        if np.isfinite(test.suggestions[index]):
            axes.axvline(test.suggestions[index], color=color, linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss of the batch (nats)")
    smoothed = test.smoothed[np.isfinite(test.smoothed)]
    if len(smoothed):
        first = np.nanmax(test.smoothed[:, 0])
        axes.set_ylim(0.9 * smoothed.min(), min(smoothed.max(), 1.5 * max(first, smoothed.min())))
    axes.grid(alpha=0.3)
    lost = seeds_without_suggestion(test)
    without = f"\n({lost} of {len(test.seeds)} seeds without)" if lost else ""
    suggested = f"{test.suggestion:.1e} in the mean" if lost < len(test.seeds) else "nothing"
    axes.legend(title=f"dotted: suggested,\n{suggested}{without}", loc="best")
    figure.suptitle(title)
    save_figure(path, figure, dpi=120)


def _loss_limit(histories: Sequence[Sequence[EpochRecord]]) -> float | None:
    """Room for all but a wild first epoch (raw 0..255 inputs start at losses of 100) and rare spikes."""
    later = [max(r.train_loss, r.val_loss) for history in histories for r in history[1:]]
    finite = sorted(loss for loss in later if math.isfinite(loss))
    return min(1.1 * finite[-1], 1.5 * finite[int(0.95 * len(finite))]) if finite else None
