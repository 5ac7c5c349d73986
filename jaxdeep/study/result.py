"""The summary of a run: its figures by seed, their means and intervals, the chapter's figure, the machine."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from jaxdeep.analysis.statistics import accuracy_interval, bootstrap_interval, mean_over_runs
from jaxdeep.config.config import plain
from jaxdeep.study.divergence import diverged_in, runs_at
from jaxdeep.study.ranking import standing
from jaxdeep.study.trial import Trial
from jaxdeep.train.devices import describe_device, describe_processor
from jaxdeep.train.fit import Run
from jaxdeep.train.history import null_if_not_finite
from jaxdeep.version import __version__

FIGURES = (
    *("best_epoch", "epochs", "val_loss", "val_accuracy", "highest_val_accuracy", "test_loss", "test_accuracy"),
    "seconds",
)
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def summarise(
    identity: Mapping[str, Any],
    trials: Sequence[Trial],
    runs: Sequence[Run],
    chapter: Sequence[Mapping[str, Any]],
    *,
    command: str,
    wall_seconds: float | None,
) -> dict[str, Any]:
    """The content of summary.json.

    Args:
        identity: what the study is: experiment, name, config, seeds, grid, data.
        trials: of the study.
        runs: theirs, finished.
        chapter: the figures that the chapter's sources print.
        command: that repeats it.
        wall_seconds: that all processes took for it; None where the note of it was lost.

    Returns:
        JSON values; what is not finite is None. `mean` is over all seeds and folds; where a study has points, `points`
        has one for each of them. `diverged` counts the runs that diverged: of each point, of all runs, and beside each
        mean. `runs` beside a mean counts its values: a run that diverged has one if it had an epoch to keep before.
    """
    rows = [trial.labels | _row(run) for trial, run in zip(trials, runs, strict=True)]
    programs = {(run.config.static(), run.data.train.size, run.data.valid.size): run.compile_seconds for run in runs}
    points: dict[str, list[int]] = {}
    for index, trial in enumerate(trials):
        points.setdefault(trial.group, []).append(index)
    means = [
        {
            "values": {name: plain(value) for name, value in trials[indices[0]].values.items()},
            "mean": _means([rows[index] for index in indices], _overlap(trials[indices[0]], runs[indices[0]])),
            "diverged": diverged_in([rows[index] for index in indices]),
        }
        for indices in points.values()
    ]
    return {
        **identity,
        "runs": [{name: null_if_not_finite(value) for name, value in row.items()} for row in rows],
        **({"points": means} if trials[0].values else {"mean": means[0]["mean"]}),
        "diverged": diverged_in(rows),
        "chapter": list(chapter),
        "parameters": runs[0].parameters,
        "command": command,
        "wall_seconds": wall_seconds,
        "compile_seconds": sum(programs.values()),
        "device": describe_device(),
        "processor": describe_processor(),
        "versions": {
            "jaxdeep": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def best_point(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the point of a study that is ranked first (`standing`): the lowest mean val_loss of those without a loss.

    Args:
        summary: the content of summary.json, with `points`.

    Returns:
        One of the points. None where each of them lost a run, so that none is best.
    """
    if not summary["points"]:
        return None
    places = [
        standing([point["mean"]["val_loss"]["mean"]], diverged_in(runs_at(summary, point)))
        for point in summary["points"]
    ]
    first = min(range(len(places)), key=places.__getitem__)
    return summary["points"][first] if places[first].may_be_best else None


def _overlap(trial: Trial, run: Run) -> float:
    """How much the training rows of folds are the same, as `mean_over_runs` wants it."""
    return 0.0 if trial.fold is None else run.data.valid.size / run.data.train.size


def _means(rows: Sequence[Mapping[str, Any]], overlap: float) -> dict[str, Any]:
    values = {name: [row[name] for row in rows] for name in FIGURES}
    diverged = diverged_in(rows)
    return {
        name: mean_over_runs(of_runs, overlap)._asdict()
        | {"bootstrap": bootstrap_interval(of_runs), "diverged": diverged}
        for name, of_runs in values.items()
    }


def _row(run: Run) -> dict[str, Any]:
    return {
        "best_epoch": run.best_epoch,
        "epochs": len(run.history),
        "val_loss": run.val_loss,
        "val_accuracy": run.val_accuracy,
        "val_accuracy_interval": _interval(run.val_accuracy, run.data.valid.size),
        "highest_val_accuracy": max((record.val_accuracy for record in run.history), default=float("nan")),
        "test_loss": run.test_loss,
        "test_accuracy": run.test_accuracy,
        "test_accuracy_interval": _interval(run.test_accuracy, run.data.test.size),
        "seconds": run.seconds,
        "checkpoint_seconds": run.checkpoint_seconds,
        "diverged": run.diverged,
    }


def _interval(accuracy: float, count: int) -> tuple[float, float] | None:
    return None if null_if_not_finite(accuracy) is None else accuracy_interval(accuracy, count)
