"""What an experiment offers: a configuration, what it is, and what the chapter reports of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jaxdeep.config import Config


@dataclass(frozen=True)
class Reported:
    """The figures that one of the chapter's sources prints, of one run.

    Attributes:
        source: first three digits of the document's file name.
        best_epoch: the epoch whose weights it kept: the one with the lowest val_loss, or the last.
        val_loss: of that epoch, in nats.
        val_accuracy: of that epoch, in [0, 1].
        test_loss: likewise, where it tells.
        test_accuracy: likewise.
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
        samples: of which it takes the mean.
        figure: accuracy, of the test images, or val_accuracy.
        plain: without dropout.
        mc_dropout: with it.
    """

    source: str
    samples: int
    figure: Literal["accuracy", "val_accuracy"]
    plain: float
    mc_dropout: float


@dataclass(frozen=True)
class Recipe:
    """A named configuration.

    Attributes:
        config: what is run.
        description: one line for `--list`.
        reported: the chapter's figures; empty where it has none.
        reported_mc: likewise, of MC dropout.
        expected: names of the findings of `jaxdeep.lint` that it shows on purpose. Nobody is warned of them.
    """

    config: Config
    description: str
    reported: tuple[Reported, ...] = ()
    reported_mc: tuple[ReportedMC, ...] = ()
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A set of configurations on the same images.

    Attributes:
        name: as in `python -m experiments.NAME`.
        dataset: the name of its images.
        recipes: its configurations by name.
    """

    name: str
    dataset: str
    recipes: Mapping[str, Recipe]
