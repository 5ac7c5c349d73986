"""What is seen while a study goes on: one bar in a terminal, a plain line an epoch elsewhere. On stderr."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from jaxdeep.study.halving import Rung
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord


class Progress:
    """Follows the histories of a study's trials; a context."""

    def __init__(self, trials: Sequence[Trial], images: int, epochs: int | None = None) -> None:
        """Show a bar at once: the first epoch follows a few seconds of compilation.

        Args:
            trials: of the study.
            images: of an epoch.
            epochs: of all trials together, of a search that trains few of them to their ends; None: of all to theirs.
        """
        self._trials, self._images, self._is_search = trials, images, epochs is not None
        self._shown = [0] * len(trials)
        self._over = 0
        total = sum(trial.config.train.epochs for trial in trials) if epochs is None else epochs
        title = trials[0].name.replace("_", " ") if len(trials) == 1 else f"{len(trials)} runs"
        self._bar = tqdm(total=total, desc=title, unit="epoch", dynamic_ncols=True, disable=not sys.stderr.isatty())
        self._bar.set_postfix_str("compiling")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def follow(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Show a trial's last epoch.

        Args:
            index: of the trial.
            history: all its epochs so far; more than one new where a run was continued, none where a search goes on.
        """
        last, trial = history[-1], self._trials[index]
        new = last.epoch - self._shown[index]
        if not new:
            return
        self._shown[index] = last.epoch
        figures = (
            f"loss {last.train_loss:.4f}, val_loss {last.val_loss:.4f}, val_accuracy {last.val_accuracy:.4f}, "
            f"{self._images / last.seconds:,.0f} images/s"
        )
        if self._bar.disable:
            name = trial.name.replace("seed_", "seed ").replace("fold_", "fold ")
            print(f"{name} epoch {last.epoch}/{trial.config.train.epochs}: {figures}", file=sys.stderr, flush=True)
            return
        over = f"{self._over} over, " if len(self._trials) > 1 else ""
        self._bar.set_postfix_str(over + figures, refresh=False)
        self._bar.update(new)

    def tell(self, rung: Rung, points: int) -> None:
        """A rung of a search begins.

        Args:
            rung: that begins.
            points: that take part in it.
        """
        counted = f"{points} point{'s' if points > 1 else ''}"
        self._bar.write(f"rung: {counted}, to epoch {rung.epochs}", file=sys.stderr)

    def end(self, index: int, run: Run) -> None:
        """A trial is over, perhaps before its last epoch.

        Args:
            index: of the trial.
            run: what it found.
        """
        self._over += 1
        if self._is_search:
            return
        epochs = run.config.train.epochs
        self._bar.update(epochs - self._shown[index])
        self._shown[index] = epochs
