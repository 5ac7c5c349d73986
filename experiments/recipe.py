"""What an experiment offers: a configuration, what it is, and what the chapter reports of it."""

from dataclasses import dataclass

from jaxdeep.config import Config


@dataclass(frozen=True)
class Reported:
    """A figure that one of the chapter's sources prints: one run, validation images only.

    Attributes:
        source: first three digits of the document's file name.
        best_epoch: epoch with the lowest val_loss.
        val_loss: of that epoch, in nats.
        val_accuracy: of that epoch, in [0, 1].
    """

    source: str
    best_epoch: int
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class Recipe:
    """A named configuration.

    Attributes:
        config: what is run.
        description: one line for `--list`.
        reported: the chapter's figures; empty where it has none.
    """

    config: Config
    description: str
    reported: tuple[Reported, ...] = ()
