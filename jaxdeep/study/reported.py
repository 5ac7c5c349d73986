"""Figures that the chapter's sources print for a configuration."""

from dataclasses import dataclass
from typing import Literal

from jaxdeep.config.compare import changes_in_words
from jaxdeep.study.result import StudyResult


@dataclass(frozen=True)
class Reported:
    """Figures that one of the chapter's sources prints for one run.

    Attributes:
        source: First three digits of the document's file name.
        best_epoch: Epoch whose weights the source kept, counted from 1. It has the lowest val_loss, or is the last.
        val_loss: Loss of the validation rows at best_epoch, in nats.
        val_accuracy: Accuracy of the validation rows at best_epoch, in 0 .. 1.
        test_loss: Loss of the test rows in nats, or None if the source has none.
        test_accuracy: Accuracy of the test rows in 0 .. 1, or None if the source has none.
    """

    source: str
    best_epoch: int
    val_loss: float
    val_accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True)
class ReportedMC:
    """Figures that one of the chapter's sources prints for MC dropout with one network.

    Attributes:
        source: First three digits of the document's file name.
        samples: Number of samples whose mean is the prediction.
        figure: "accuracy" for the test images, or "val_accuracy".
        plain: Accuracy without dropout, in 0 .. 1.
        mc_dropout: Accuracy by MC dropout, in 0 .. 1.
    """

    source: str
    samples: int
    figure: Literal["accuracy", "val_accuracy"]
    plain: float
    mc_dropout: float


def on_test_rows(result: StudyResult) -> bool:
    """Return whether the test rows of a study were its validation rows, so that they chose the epochs.

    Args:
        result: Result of the study. A study that varies the field counts too.
    """
    field = "validate_on_test"
    varied = (candidate.values.get(f"data.{field}", False) for candidate in result.candidates)
    return bool(result.config.get("data", {}).get(field, False)) or any(varied)


def other_settings(result: StudyResult) -> str:
    """Return how a study differs from what the chapter ran, in words, or "" if its figures may stand side by side.

    Args:
        result: Result of the study.
    """
    if result.changed is None:
        return "not known"
    parts = [changes_in_words(result.changed)] if result.changed else []
    parts += [f"{result.folds} folds"] if result.folds else []
    parts += ["synthetic data"] if result.data["synthetic"] else []
    return ", ".join(parts)
