"""The progress bar of a study's trials."""

from collections.abc import Sequence
from typing import Final

from jaxdeep.config import short
from jaxdeep.config.parts import ALIASES
from jaxdeep.study.trial import Trial
from jaxdeep.train.progress import Bar

SHORT: Final = {field: flag for flag, field in ALIASES.items()}


def bar_of(
    trials: Sequence[Trial], rows: int | Sequence[int], *, epochs: int | None = None, is_shown: bool = True
) -> Bar:
    """Return the bar of some trials.

    Args:
        trials: Trials that are trained.
        rows: Number of training rows in an epoch, of all trials or of each trial.
        epochs: Number of epochs of all trials together in a search. None: every trial is trained to its end.
        is_shown: Whether the bar is shown.
    """
    names = [_name(trial) for trial in trials]
    return Bar(names, [trial.config.train.epochs for trial in trials], rows, total=epochs, is_shown=is_shown)


def _name(trial: Trial) -> str:
    """Return a trial's name as short as a bar needs it: fields by their short flags, or without their parts."""
    values = [f"{SHORT.get(field, field.rpartition('.')[2])}={short(value)}" for field, value in trial.values.items()]
    fold = [] if trial.fold is None else [f"fold {trial.fold}"]
    return " ".join((*values, f"seed {trial.seed}", *fold))
