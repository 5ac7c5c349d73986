"""The figures of a question: means over draws and seeds, and differences of paired runs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from experiments.record import estimate
from experiments.transfer.cells import Question
from experiments.transfer.study import Study
from jaxdeep.analysis.differences import paired
from jaxdeep.analysis.evidence import judge

QUANTILES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of the error ratio that are recorded."""
ENDS: Final = ("mean", "low", "high")
MEANS: Final = ("test_accuracy", "test_loss", "val_accuracy", "best_epoch", "epochs", "seconds")


def figures_of(study: Study) -> dict[str, Any]:
    """Return the figures of a finished study as JSON values.

    Args:
        study: Study whose runs are all finished.
    """
    found: dict[str, Any] = {"title": study.question.title, "draws": study.question.draws, "sources": _sources(study)}
    if study.settings.question == "pairs":
        return {**found, **_ratios(study)}
    baseline = study.question.cells[0].name
    runs = {cell.name: _runs(study, cell.name) for cell in study.question.cells}
    comparisons = max(len(runs) - 1, 1)
    cells = {}
    for name, own in runs.items():
        base = runs[_baseline(study.question, name, baseline)]
        cells[name] = _cell(own)
        if base is not own:
            cells[name]["gain"] = _gain(own, base, comparisons)
    return {**found, "cells": cells}


def _baseline(question: Question, name: str, baseline: str) -> str:
    """Return the cell that another is compared with. Each amount of images has a cell from scratch of its own."""
    amount, comma, _ = name.partition(" images,")
    own = f"{amount} images, scratch"
    return own if comma and any(cell.name == own for cell in question.cells) else baseline


def _runs(study: Study, name: str) -> list[dict[str, Any]]:
    """Return the figures of a cell's runs: all seeds of the first draw, then of the second, and so on."""
    return [run for draw in range(study.question.draws) for run in study.points.of(name, draw, study.seeds)]


def _cell(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the means of a cell over its runs, without the diverged ones, which are counted."""
    kept = [run for run in runs if "diverged" not in run]
    means: dict[str, Any] = (
        {name: estimate([run[name] for run in kept]) for name in MEANS} if kept else dict.fromkeys(MEANS)
    )
    return {**means, "runs": len(kept), "diverged": len(runs) - len(kept)}


def _gain(
    runs: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]], comparisons: int
) -> dict[str, Any] | None:
    """Return the test accuracy less that of the paired runs of another cell, with its verdict."""
    pairs = _both(runs, base)
    if len(pairs) < 2:
        return None
    accuracies = ([one["test_accuracy"] for one, _ in pairs], [other["test_accuracy"] for _, other in pairs])
    difference = paired(*accuracies)
    evidence = judge(difference, comparisons)
    return {
        "difference": difference.difference,
        "low": difference.low,
        "high": difference.high,
        "answer": evidence.answer,
        "low_corrected": evidence.low_corrected,
        "high_corrected": evidence.high_corrected,
        "error_ratio": _ratio(runs, base),
    }


def _both(
    runs: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return the pairs of runs without a diverged one."""
    return [(one, other) for one, other in zip(runs, base, strict=True) if "diverged" not in {*one, *other}]


def _ratio(runs: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the other cell's errors divided by this cell's, all runs together. None without an error."""
    wrong = sum(run.get("wrong", 0) for run in runs)
    return sum(run.get("wrong", 0) for run in base) / wrong if wrong else None


def _sources(study: Study) -> dict[str, Any]:
    """Return the means of the networks that runs start from, by their classes."""
    classes = {cell.source.data.classes: None for cell in study.question.cells if cell.source is not None}
    return {
        ",".join(map(str, of)): _cell([study.points.of("source", list(of), [seed])[0] for seed in study.seeds])
        for of in classes
    }


def _ratios(study: Study) -> dict[str, Any]:
    """Return how much transfer changes the error, pair of classes by pair of classes.

    Half an error is added to both counts of a ratio, so that a run without an error has one too.
    """
    pairs, ratios, differences = {}, [], []
    for cell in study.question.cells:
        name, _, kind = cell.name.partition(", ")
        if kind != "scratch":
            continue
        scratch, transfer = _runs(study, cell.name), _runs(study, f"{name}, transfer")
        both = _both(scratch, transfer)
        own = [(one["wrong"] + 0.5) / (other["wrong"] + 0.5) for one, other in both]
        gains = [other["test_accuracy"] - one["test_accuracy"] for one, other in both]
        ratios += own
        differences += gains
        pairs[name] = {
            "scratch": float(np.mean([one["test_accuracy"] for one, _ in both])),
            "transfer": float(np.mean([other["test_accuracy"] for _, other in both])),
            "gain": float(np.mean(gains)),
            "ratio": float(np.exp(np.mean(np.log(own)))),
            "runs": len(both),
            "diverged": len(scratch) - len(both),
            "hurt": sum(gain < 0 for gain in gains),
        }
    means, logs = [of["gain"] for of in pairs.values()], [float(np.log(of["ratio"])) for of in pairs.values()]
    middle = estimate(logs)
    ratio = {name: None if value is None else float(np.exp(value)) for name, value in middle.items() if name in ENDS}
    return {
        "pairs": pairs,
        "gain": estimate(means),
        "ratio": ratio,
        "quantiles": {str(of): float(np.quantile(ratios, of)) for of in QUANTILES},
        "runs": len(ratios),
        "hurt": {"runs": sum(gain < 0 for gain in differences), "pairs": sum(gain < 0 for gain in means)},
    }
