"""Who follows a study while it is trained, such as a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from jaxdeep.study.folder import RunFolder
from jaxdeep.study.halving import Rung
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord


class Training(NamedTuple):
    """What is about to be trained.

    Attributes:
        trials: trials that are trained, or continued. Their order gives the indices that a watcher hears.
        rows: number of training rows of an epoch.
        epochs: number of epochs of all trials together in a search, or None where each trial is trained to its end.
        folder: folder of the study, or None without one.
    """

    trials: Sequence[Trial]
    rows: int
    epochs: int | None
    folder: RunFolder | None


class Watcher:
    """Follows a study and does nothing. Subclasses show what they hear."""

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Hear of an epoch. What this raises ends the study, after a checkpoint of every trial.

        Args:
            index: index of the trial.
            history: all its epochs so far.
        """

    def on_end(self, index: int, run: Run) -> None:
        """Hear that a trial is over.

        Args:
            index: index of the trial.
            run: the finished run.
        """

    def on_rung(self, rung: Rung, candidates: int) -> None:
        """Hear that a rung of a search begins.

        Args:
            rung: the rung.
            candidates: number of candidates that take part in it.
        """


Watch = Callable[[Training], AbstractContextManager[Watcher]]
"""Called before the training begins. It gives a context, which is left when the training is over."""


@contextmanager
def unwatched(training: Training) -> Iterator[Watcher]:
    """Follow nothing."""
    del training
    yield Watcher()
