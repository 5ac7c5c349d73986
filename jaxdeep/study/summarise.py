"""The result of a study from its runs: figures by trial, their means and intervals, and the machine."""

import math
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.analysis.differences import by_fold
from jaxdeep.analysis.statistics import Estimate, accuracy_interval, bootstrap_interval, mean_over_runs, within
from jaxdeep.config.made import plain
from jaxdeep.study.result import MEANS, StudyResult
from jaxdeep.study.trial import Trial
from jaxdeep.study.trial_result import Candidate, Correct, MeanFigure, TrialResult, as_list
from jaxdeep.train.answers import test_metrics
from jaxdeep.train.devices import describe_device, describe_processor
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.version import __version__

PACKAGES: Final = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
"""Names of the packages whose versions a result records."""


def summarise(
    identity: Mapping[str, Any],
    trials: Sequence[Trial],
    runs: Mapping[int, Run],
    *,
    overlap: float = 0.0,
    earlier: StudyResult | None = None,
    reported: Sequence[Mapping[str, Any]] = (),
    changed: Mapping[str, Any] | None = None,
    command: str | None = None,
    wall_seconds: float | None = None,
) -> StudyResult:
    """Return the result of a study.

    Args:
        identity: Identity of the study as nested JSON values: experiment, name, config, seeds, design and data.
        trials: All S trials of the study.
        runs: Finished run of each trial that was trained now, by the index of the trial. It is not empty.
        overlap: Validation rows over training rows of a trial, or 0 if all trials share them.
        earlier: Earlier result that holds all other trials with their histories, or None.
        reported: Figures that the chapter's sources print.
        changed: JSON value of each field that differs from the named configuration, or None if it is not known.
        command: Command that repeats the study, or None.
        wall_seconds: Seconds that all processes took for the study, or None if the record was lost.

    Returns:
        Result with its histories, correctly classified rows and runs.
    """
    stored = {} if earlier is None else {trial_key(row.labels): index for index, row in enumerate(earlier.trials)}
    machine: dict[str, Any] = {"processor": describe_processor(), "commit": commit()}
    rows, histories, correct = [], [], []
    for index, trial in enumerate(trials):
        if (run := runs.get(index)) is not None:
            rows.append(_row(trial, run, machine))
            histories.append(run.history)
            correct.append((run.val_correct, run.test_correct))
            continue
        assert earlier is not None
        assert earlier.correct is not None
        at = stored[trial_key(trial.labels)]
        rows.append(_completed(earlier.trials[at], earlier.histories[at]))
        histories.append(earlier.histories[at])
        correct.append((earlier.correct.valid[at], earlier.correct.test[at]))
    first_run = next(iter(runs.values()))
    programs = {
        (run.config.static(), run.data.train.capacity, run.data.valid.capacity): run.compile_seconds
        for run in runs.values()
    }
    by_candidate: dict[str, list[int]] = {}
    for index, trial in enumerate(trials):
        by_candidate.setdefault(trial.candidate, []).append(index)
    return StudyResult(
        **{**identity, "seeds": tuple(identity["seeds"])},
        trials=tuple(rows),
        candidates=tuple(
            _candidate(trials[indices[0]], [rows[index] for index in indices], overlap)
            for indices in by_candidate.values()
        ),
        overlap=overlap,
        reported=tuple(reported),
        changed=changed,
        parameters=first_run.parameters,
        command=command,
        wall_seconds=wall_seconds,
        compile_seconds=sum(programs.values()) + (0.0 if earlier is None else earlier.compile_seconds),
        device=describe_device(),
        versions=versions(),
        class_names=_class_names(first_run),
        **machine,
        histories=tuple(histories),
        correct=_correct(correct),
        runs=dict(runs),
    )


def select(
    result: StudyResult, identity: Mapping[str, Any], trials: Sequence[Trial], overlap: float = 0.0
) -> StudyResult:
    """Return the result of a smaller study from a larger one that holds all its trials.

    Args:
        result: Result of the larger study, with its histories.
        identity: Identity of the smaller study as nested JSON values.
        trials: All trials of the smaller study.
        overlap: Validation rows over training rows of a trial, or 0 if all trials share them.

    Returns:
        Result of the smaller study, without figures of uncertainty and digests.
    """
    places = {trial_key(row.labels): index for index, row in enumerate(result.trials)}
    chosen = [places[trial_key(trial.labels)] for trial in trials]
    rows = [result.trials[index] for index in chosen]
    by_candidate: dict[str, list[int]] = {}
    for index, trial in enumerate(trials):
        by_candidate.setdefault(trial.candidate, []).append(index)
    return replace(
        result,
        **{**identity, "seeds": tuple(identity["seeds"])},
        trials=tuple(rows),
        candidates=tuple(
            _candidate(trials[indices[0]], [rows[index] for index in indices], overlap)
            for indices in by_candidate.values()
        ),
        overlap=overlap,
        uncertainty=None,
        files={},
        histories=tuple(result.histories[index] for index in chosen),
        correct=None if result.correct is None else result.correct.take(chosen),
        runs={place: result.runs[index] for place, index in enumerate(chosen) if index in result.runs},
    )


def trial_key(labels: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the labels of a trial as a hashable value that does not depend on their order.

    Args:
        labels: Seed, fold if any, and varied fields as JSON values.
    """
    return tuple(sorted((name, repr(as_list(value))) for name, value in labels.items()))


def versions() -> dict[str, str]:
    """Return the version of jaxdeep, of Python and of each package that figures depend on, by name."""
    return {
        "jaxdeep": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


@cache
def commit() -> str | None:
    """Return the commit of the code, with "+changes" if files differ from it. Return None outside of a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def _candidate(trial: Trial, rows: Sequence[TrialResult], overlap: float) -> Candidate:
    diverged = sum(row.diverged for row in rows)
    means = {}
    for name in MEANS:
        values = [float("nan") if (value := getattr(row, name)) is None else value for row in rows]
        lowest, highest = _range(name, is_regression=trial.config.model.is_regression)
        estimate = mean_over_runs(values, overlap)
        if rows[0].fold is not None and len({row.fold for row in rows}) < len(rows):
            estimate = _over_folds(rows, values, estimate, overlap)
        estimate = within(estimate, lowest, highest)
        bootstrap = None if overlap else bootstrap_interval(values)
        means[name] = MeanFigure(**estimate._asdict(), bootstrap=bootstrap, diverged=diverged)
    return Candidate({name: plain(value) for name, value in trial.values.items()}, means, diverged)


def _range(name: str, *, is_regression: bool) -> tuple[float, float]:
    """Return the lowest and the highest value that a figure can have. R2 has no lowest one."""
    if "regret" in name:
        return 0.0, math.inf if is_regression or "accuracy" not in name else 1.0
    if "accuracy" in name:
        return -math.inf if is_regression else 0.0, 1.0
    if name in ("test_auroc", "test_average_precision"):
        return 0.0, 1.0
    return 0.0, math.inf


def _over_folds(rows: Sequence[TrialResult], values: Sequence[float], estimate: Estimate, overlap: float) -> Estimate:
    """Return the estimate with the interval of the folds' means. The seeds of a fold share all its rows."""
    finite = [(row.fold, value) for row, value in zip(rows, values, strict=True) if np.isfinite(value)]
    if not finite:
        return estimate
    folds, of_trials = zip(*finite, strict=True)
    of_folds = mean_over_runs(by_fold(folds, of_trials), overlap)
    return estimate._replace(low=of_folds.low, high=of_folds.high)


def _correct(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> Correct:
    """Stack the correct rows of the trials. Shorter ones are filled up with False."""

    def stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
        longest = max(map(len, parts))
        return np.stack([np.pad(part, (0, longest - len(part))) for part in parts])

    valid, test = zip(*rows, strict=True)
    return Correct(stacked(valid), stacked(test))


def _class_names(run: Run) -> tuple[str, ...] | None:
    """Return the names of the classes if the run's confusions are counted."""
    return run.data.info.class_names if run.confusion is not None and run.data.info else None


def _row(trial: Trial, run: Run, machine: Mapping[str, Any]) -> TrialResult:
    figures = {
        "val_loss": run.val_loss,
        "val_accuracy": run.val_accuracy,
        "highest_val_accuracy": max((record.val_accuracy for record in run.history), default=float("nan")),
        "lowest_val_loss": _lowest_val_loss(run.history),
        "train_loss": run.train_loss,
        "train_accuracy": run.train_accuracy,
        "test_loss": run.test_loss,
        "test_accuracy": run.test_accuracy,
        **{f"test_{name}": value for name, value in test_metrics(run).items()},
    }
    return TrialResult(
        seed=trial.seed,
        fold=trial.fold,
        values={name: plain(value) for name, value in trial.values.items()},
        best_epoch=run.best_epoch,
        epochs=len(run.history),
        **{name: null_if_not_finite(value) for name, value in figures.items()},
        seconds=run.seconds,
        diverged=run.diverged,
        checkpoint_seconds=run.checkpoint_seconds,
        val_accuracy_interval=_interval(run.val_accuracy, run.val_correct),
        test_accuracy_interval=_interval(run.test_accuracy, run.test_correct),
        confusion=None if run.confusion is None else tuple(map(tuple, run.confusion.tolist())),
        **machine,
    )


def _completed(row: TrialResult, history: Sequence[EpochRecord]) -> TrialResult:
    """Return an earlier trial with the figures that its version did not take from the history."""
    if row.lowest_val_loss is not None:
        return row
    return replace(row, lowest_val_loss=null_if_not_finite(_lowest_val_loss(history)))


def _lowest_val_loss(history: Sequence[EpochRecord]) -> float:
    """Return the lowest finite val_loss of any epoch, or NaN."""
    losses = [record.val_loss for record in history]
    return min(filter(math.isfinite, losses), default=math.nan)


def _interval(accuracy: float, scores: np.ndarray) -> tuple[float, float] | None:
    """Return the 95% interval over other rows, of an accuracy or of R2, which is the mean of the rows' scores."""
    if null_if_not_finite(accuracy) is None:
        return None
    if scores.dtype == np.bool_:
        return accuracy_interval(accuracy, len(scores))
    estimate = mean_over_runs(scores.astype(np.float64).tolist())
    return None if estimate.low is None or estimate.high is None else (estimate.low, min(estimate.high, 1.0))
