"""What the chapter's sources print of a configuration."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Reported:
    """The figures that one of the chapter's sources prints, of one run.

    Attributes:
        source: first three digits of the document's file name.
        best_epoch: the epoch whose weights it kept: the one with the lowest val_loss, or the last.
        val_loss: loss of the validation rows at that epoch, in nats.
        val_accuracy: accuracy of the validation rows at that epoch, in [0, 1].
        test_loss: loss of the test rows in nats, or None where the source has none.
        test_accuracy: accuracy of the test rows in [0, 1], or None where the source has none.
    """

    source: str
    best_epoch: int
    val_loss: float
    val_accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True)
class ReportedMC:
    """What one of the chapter's sources prints of MC dropout, of one network.

    Attributes:
        source: first three digits of the document's file name.
        samples: number of samples whose mean it takes.
        figure: "accuracy" for the test images, or "val_accuracy".
        plain: the figure without dropout.
        mc_dropout: the figure by MC dropout.
    """

    source: str
    samples: int
    figure: Literal["accuracy", "val_accuracy"]
    plain: float
    mc_dropout: float
