"""The pictures of a study."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxdeep.config import short
from jaxdeep.report.confusion import MOST_CLASSES, confusion_picture
from jaxdeep.report.diagnostics_figure import diagnostics_figure
from jaxdeep.report.learning_curves import learning_curves
from jaxdeep.report.rate_curves import rate_curves
from jaxdeep.report.titles import labels_of, title_of_study
from jaxdeep.study.result import StudyResult
from jaxdeep.train.history import EpochRecord


def draw_study(result: StudyResult, folder: Path) -> None:
    """Draw curves.png and others where they apply, each with its SVG.

    rates.png needs a study that varies the learning rate and has a range test. confusion.png needs a study that varies
    nothing and has at most 20 classes. diagnostics.png needs `train.diagnostics`, and shows the best candidate.

    Args:
        result: Result of the study, with its histories.
        folder: Folder of the pictures, which exists.
    """
    title, labels = title_of_study(result), labels_of(result.varied)
    candidates: dict[str, dict[int | str, Sequence[EpochRecord]]] = {}
    for trial, history in zip(result.trials, result.histories, strict=True):
        name = ", ".join(f"{labels[field]}={short(value)}" for field, value in trial.values.items())
        candidates.setdefault(name, {})[trial.key] = history
    monitor = result.config["train"].get("monitor", "val_loss")
    learning_curves(
        folder / "curves.png", candidates, title, monitor=monitor, metric=result.metric, loss=loss_of(result)
    )
    diagnostics_figure(folder / "diagnostics.png", _shown_histories(result), title)
    if result.range_test is not None:
        rate_curves(folder / "rates.png", result, title)
    if (by_class := result.by_class) is not None and len(by_class["confusion"]) <= MOST_CLASSES:
        counts = np.asarray(by_class["confusion"])
        names = result.class_names or tuple(map(str, range(len(counts))))
        runs = sum(trial.confusion is not None for trial in result.trials)
        confusion_picture(folder / "confusion.png", counts, names, title, runs)


def loss_of(result: StudyResult) -> str:
    """Return the name and the unit of a study's losses.

    Args:
        result: Result of the study.
    """
    if result.config["train"].get("loss", "auto") not in ("auto", "squared_error", "absolute_error"):
        return "loss"  # a function of the user's own
    if result.metric == "accuracy":
        return "cross-entropy (nats)"
    return f"{result.config['train']['loss'].replace('auto', 'squared_error').replace('_', ' ')} (standard units)"


def _shown_histories(result: StudyResult) -> list[Sequence[EpochRecord]]:
    """Return the epochs of the best candidate's trials, or of the first candidate's if no candidate is best."""
    candidate = result.best or result.candidates[0]
    pairs = zip(result.trials, result.histories, strict=True)
    return [history for trial, history in pairs if trial.values == candidate.values]


def histories_by_key(result: StudyResult) -> dict[int | str, Sequence[EpochRecord]]:
    """Return the epochs of each trial of a study that varies nothing, by seed, or by seed and fold.

    Args:
        result: Result of the study, with its histories.
    """
    return {trial.key: history for trial, history in zip(result.trials, result.histories, strict=True)}
