"""Watchers that follow a study while it is trained, such as a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from jaxdeep.study.brackets import Rung
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.progress import bar_of
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.progress import Bar


class Training(NamedTuple):
    """The trials of a study that are about to be trained.

    Attributes:
        trials: Trials to train or continue. A watcher hears their indices in this order.
        rows: Number of training rows in an epoch of each trial.
        epochs: Number of epochs of all trials together in a search. None if each trial is trained to its end.
        folder: Folder of the study, or None without one.
    """

    trials: Sequence[Trial]
    rows: Sequence[int]
    epochs: int | None
    folder: RunFolder | None


class Watcher:
    """A watcher that does nothing. Subclasses show the epochs that they hear of."""

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Hear of an epoch.

        An error that this raises ends the study, after a checkpoint of every trial.

        Args:
            index: Index of the trial in `Training.trials`.
            history: All epochs of the trial so far.
        """

    def on_end(self, index: int, run: Run) -> None:
        """Hear that a trial is over.

        Args:
            index: Index of the trial in `Training.trials`.
            run: Finished run of the trial.
        """

    def on_rung(self, rung: Rung, candidates: int) -> None:
        """Hear that a rung of a search begins.

        Args:
            rung: Rung that begins.
            candidates: Number of candidates that take part in it.
        """


Watch = Callable[[Training], AbstractContextManager[Watcher]]
"""Function that is called before the training. It returns a context, which is left when the training is over."""


@contextmanager
def in_bar(training: Training) -> Iterator[Watcher]:
    """Show a progress bar on stderr."""
    with bar_of(training.trials, training.rows, epochs=training.epochs) as bar:
        yield _InBar(bar)


class _InBar(Watcher):
    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        self._bar.follow(index, history)

    def on_end(self, index: int, run: Run) -> None:
        del run
        self._bar.end(index)


@contextmanager
def unwatched(training: Training) -> Iterator[Watcher]:
    """Follow nothing.

    Args:
        training: Trials of the study.

    Yields:
        A watcher that does nothing.
    """
    del training
    yield Watcher()
