"""What is seen while a study goes on: one bar in a terminal, a plain line an epoch elsewhere. On stderr."""

import sys
from collections.abc import Sequence
from typing import Final

from tqdm import tqdm

from jaxdeep.cli.terminal import WITHOUT_TERMINAL, width_of
from jaxdeep.config import short
from jaxdeep.config.parts import ALIASES
from jaxdeep.study.halving import Rung
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord

FORMAT: Final = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}"
SHORT: Final = {field: flag for flag, field in ALIASES.items()}
NARROWEST_BAR: Final = 8
AROUND: Final = len(" 100%||  00:00<00:00, ") + NARROWEST_BAR
"""Characters of a line beside its title, its counts and its figures."""


class Progress:
    """Follows the histories of a study's trials; a context."""

    def __init__(self, trials: Sequence[Trial], images: int, epochs: int | None = None) -> None:
        """Show a bar at once: the first epoch follows a few seconds of compilation.

        Args:
            trials: Trials of the study.
            images: Number of training images in an epoch.
            epochs: Number of epochs of all trials together in a search, which trains few of them to their ends. None:
                every trial is trained to its end.
        """
        self._trials, self._images, self._is_search = trials, images, epochs is not None
        self._shown = [0] * len(trials)
        self._over = 0
        self._total = sum(trial.config.train.epochs for trial in trials) if epochs is None else epochs
        self._bar = tqdm(
            total=self._total,
            desc=self._title(),
            bar_format=FORMAT,
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )
        self._bar.set_postfix_str("compiling")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def follow(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Show a trial's last epoch.

        Args:
            index: Index of the trial.
            history: All its epochs so far. More than one is new where a run was continued, none where a search goes on.
        """
        last, trial = history[-1], self._trials[index]
        new = last.epoch - self._shown[index]
        if not new:
            return
        self._shown[index] = last.epoch
        if self._bar.disable:
            figures = epoch_figures(last, self._images)[0]
            name = _spaced(trial.name)
            print(f"{name} epoch {last.epoch}/{trial.config.train.epochs}: {figures}", file=sys.stderr, flush=True)
            return
        used = len(self._title()) + len(f"{self._total}/{self._total}") + AROUND
        width = (width_of(sys.stderr) or WITHOUT_TERMINAL) - used
        name = _name(trial) if len(self._trials) > 1 else ""
        self._bar.set_description_str(self._title(), refresh=False)
        self._bar.set_postfix_str(within(width, name, epoch_figures(last, self._images)), refresh=False)
        self._bar.update(new)

    def tell(self, rung: Rung, candidates: int) -> None:
        """Say that a rung of a search begins.

        Args:
            rung: The rung.
            candidates: Number of candidates in it.
        """
        counted = f"{candidates} candidate{'s' if candidates > 1 else ''}"
        self._bar.write(f"rung: {counted}, to epoch {rung.epochs}", file=sys.stderr)

    def end(self, index: int, run: Run) -> None:
        """Count a trial as over, perhaps before its last epoch.

        Args:
            index: Index of the trial.
            run: What it found.
        """
        self._over += 1
        if self._is_search:
            return
        epochs = run.config.train.epochs
        self._bar.set_description_str(self._title(), refresh=False)
        self._bar.update(epochs - self._shown[index])
        self._shown[index] = epochs

    def _title(self) -> str:
        """Return the only trial's name, or how many of several are over."""
        if len(self._trials) == 1:
            return _name(self._trials[0])
        return f"{self._over}/{len(self._trials)} runs"


def epoch_figures(record: EpochRecord, images: int) -> tuple[str, ...]:
    """Return the figures of an epoch, from the most words to the fewest.

    Args:
        record: The epoch.
        images: Number of training images in it.
    """
    rate = f"{images / record.seconds:,.0f} images/s"
    valid = f"val_loss {record.val_loss:.4f}, val_accuracy {record.val_accuracy:.4f}"
    return (
        f"loss {record.train_loss:.4f}, {valid}, {rate}",
        f"{valid}, {rate}",
        valid,
        f"val_loss {record.val_loss:.4f}, acc. {record.val_accuracy:.4f}",
        f"val_loss {record.val_loss:.4f}",
    )


def within(width: int, name: str, figures: Sequence[str]) -> str:
    """Return a trial's name and as many figures as a width has room for. What still does not fit is cut in the name.

    Args:
        width: Characters at most.
        name: Name of the trial, or "".
        figures: The figures, from the most words to the fewest.

    >>> within(30, "seed 42", ["val_loss 1.4321, 9,000 images/s", "val_loss 1.4321"])
    'seed 42: val_loss 1.4321'
    >>> within(30, "learning_rate=0.003 seed 42", ["val_loss 1.4321"])
    '...03 seed 42: val_loss 1.4321'
    """
    begin = f"{name}: " if name else ""
    for of in figures:
        if len(begin) + len(of) <= width:
            return begin + of
    room = width - len(figures[-1]) - len("...: ")
    return f"...{name[-room:]}: {figures[-1]}" if name and room > 0 else figures[-1]


def _name(trial: Trial) -> str:
    """Return a trial's name as short as a bar needs it: fields by their short flags, or without their parts."""
    values = [f"{SHORT.get(field, field.rpartition('.')[2])}={short(value)}" for field, value in trial.values.items()]
    fold = [] if trial.fold is None else [f"fold {trial.fold}"]
    return " ".join((*values, f"seed {trial.seed}", *fold))


def _spaced(name: str) -> str:
    return name.replace("seed_", "seed ").replace("fold_", "fold ")
