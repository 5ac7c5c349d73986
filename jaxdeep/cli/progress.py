"""What is seen while a study goes on: one bar in a terminal, a plain line an epoch elsewhere. On stderr."""

import sys
from collections.abc import Sequence

from jaxdeep.study.brackets import Rung
from jaxdeep.study.progress import bar_of
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.progress import epoch_figures, rows_of_run


class Progress:
    """The progress of a study's trials on stderr, and a context."""

    def __init__(self, trials: Sequence[Trial], images: int | Sequence[int], epochs: int | None = None) -> None:
        """Show a bar at once where stderr is a terminal.

        Args:
            trials: Trials of the study.
            images: Number of training images in an epoch, of all trials or of each trial.
            epochs: Number of epochs of all trials together in a search, which trains few of them to their ends. None:
                every trial is trained to its end.
        """
        self._trials, self._images = trials, images
        self._in_lines = not sys.stderr.isatty()
        self._shown = [0] * len(trials)
        self._bar = bar_of(trials, images, epochs=epochs, is_shown=not self._in_lines)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()

    def follow(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Show a trial's last epoch.

        Args:
            index: Index of the trial.
            history: All its epochs so far. More than one is new where a run was continued, none where a search goes on.
        """
        self._bar.follow(index, history)
        last, trial = history[-1], self._trials[index]
        if self._in_lines and last.epoch > self._shown[index]:
            self._shown[index] = last.epoch
            figures = epoch_figures(last, rows_of_run(self._images, index))[0]
            name = _spaced(trial.name)
            print(f"{name} epoch {last.epoch}/{trial.config.train.epochs}: {figures}", file=sys.stderr, flush=True)

    def tell(self, rung: Rung, candidates: int) -> None:
        """Say that a rung of a search begins.

        Args:
            rung: The rung.
            candidates: Number of candidates in it.
        """
        line = f"rung: {candidates} candidate{'s' if candidates > 1 else ''}, to epoch {rung.epochs}"
        if self._in_lines:
            print(line, file=sys.stderr, flush=True)
        self._bar.write(line)

    def end(self, index: int, run: Run) -> None:
        """Count a trial as over, perhaps before its last epoch.

        Args:
            index: Index of the trial.
            run: What it found.
        """
        del run
        self._bar.end(index)


def _spaced(name: str) -> str:
    return name.replace("seed_", "seed ").replace("fold_", "fold ")
