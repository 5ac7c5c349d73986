"""Search by successive halving and Hyperband: many candidates get few epochs, and few candidates get many."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jaxdeep.config import shortened
from jaxdeep.config.arguments import first_twice, several
from jaxdeep.config.choices import Monitor
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.study.brackets import Bracket, Rung, checked_brackets, epochs_of
from jaxdeep.study.ranking import Standing, standing
from jaxdeep.study.runner import (
    Checkpoints,
    OnEnd,
    OnEpoch,
    check_arguments,
    first_diverged,
    train_all,
    watched,
)
from jaxdeep.study.sources import SourceOfTrial
from jaxdeep.study.trial import Trial
from jaxdeep.train.divergence import warn_of_study
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, has_diverged
from jaxdeep.train.job import current

OnRung = Callable[[Rung, int], None]
"""Function of a rung and its number of candidates."""


def fit_by_halving(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    brackets: Sequence[Bracket],
    *,
    checkpoints: Callable[[Trial], Path] | None = None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    on_rung: OnRung = lambda rung, candidates: None,
    source: SourceOfTrial = None,
    verbose: bool | None = None,
) -> list[Run]:
    """Train the trials of a search as far as their candidates are promoted.

    A rung continues the trials of its candidates to its number of epochs. It promotes the candidates with the lowest
    mean val_loss over their trials, or the highest mean val_accuracy with train.monitor="val_accuracy". A trial has the
    figure of its best epoch so far, or of its last epoch with train.keep="last". Candidates with more diverged trials
    rank lower, whatever their figures. The decisions depend on the runs only. An interrupted search therefore decides
    the same again. A candidate of several brackets is trained once.

    Args:
        trials: Trials of all candidates, seeds and folds.
        data: Data set of all trials, or the folds that the trials name.
        brackets: One bracket, or the brackets of Hyperband.
        checkpoints: Function of a trial that returns a folder of its own. None keeps checkpoints in a temporary folder.
        on_epoch: Function of a trial's index and its history. It is called after each epoch of a trial.
        on_end: Function of a trial's index and its run. It is called once for each trial at the end of the search.
        on_rung: Function of a rung and its number of candidates. It is called when the rung begins.
        source: Trained run, saved network or run folder whose layers are reused, or a function of a trial that returns
            one. None takes what `transfer.source` names.
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The run of each trial in the order of the trials. Runs of dropped candidates end early.

    Raises:
        UserError: A configuration or a folder cannot be used, an argument has another type, or the brackets do not hold
            the trials' candidates.

    Warns:
        JaxdeepWarning: Some of the runs diverged.
    """
    trials = several("trials", trials, Trial, "Trial")
    given = {} if checkpoints is None else {"checkpoints": checkpoints}
    check_arguments(data, on_epoch=on_epoch, on_end=on_end, on_rung=on_rung, **given)
    brackets = checked_brackets(brackets, trials)
    with watched(trials, data, verbose, on_epoch, on_end, epochs_of(brackets, trials)) as (follow, end):
        runs = train_by_halving(
            trials,
            data,
            brackets,
            checkpoints=checkpoints,
            on_epoch=follow,
            on_end=end,
            on_rung=on_rung,
            source=source,
        )
    warn_of_study(*first_diverged(trials, runs))
    return runs


def train_by_halving(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    brackets: Sequence[Bracket],
    *,
    checkpoints: Callable[[Trial], Path] | None = None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    on_rung: OnRung = lambda rung, candidates: None,
    source: SourceOfTrial = None,
) -> list[Run]:
    """Train the trials of a search like `fit_by_halving`, without a bar and without a warning.

    Args:
        trials: Trials of all candidates, seeds and folds.
        data: Data set of all trials, or the folds that the trials name.
        brackets: Brackets that hold the trials' candidates.
        checkpoints: Function of a trial that returns a folder of its own. None keeps checkpoints in a temporary folder.
        on_epoch: Function of a trial's index and its history.
        on_end: Function of a trial's index and its run.
        on_rung: Function of a rung and its number of candidates.
        source: Network that trials start from, a function of a trial that returns it, or None.

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: Something that `fit_by_halving` refuses.
    """
    if checkpoints is None:
        if current().processes > 1:
            raise UserError("halving in several processes needs a folder that they share. Give a folder.")
        if (twice := first_twice([trial.name for trial in trials])) is not None:
            first, second = twice
            raise UserError(
                f"trials[{first}] and trials[{second}] are both named {trials[first].name}. "
                "Give them different seeds, or name in Trial.values what differs."
            )
        with TemporaryDirectory() as folder:
            kept = Path(folder)
            return train_by_halving(
                trials,
                data,
                brackets,
                checkpoints=lambda trial: kept / shortened(trial.name),
                on_epoch=on_epoch,
                on_end=on_end,
                on_rung=on_rung,
                source=source,
            )
    runs: dict[int, Run] = {}
    for bracket in brackets:
        candidates = list(bracket.candidates)
        for rung in bracket.rungs:
            candidates = candidates[: rung.candidates]
            on_rung(rung, len(candidates))
            runs |= _climb(trials, data, candidates, rung, checkpoints, on_epoch, source)
            places = _standings(trials, runs, candidates, rung.epochs)
            candidates.sort(key=places.__getitem__)
    for index, run in sorted(runs.items()):
        on_end(index, run)
    return [runs[index] for index in range(len(trials))]


def _climb(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    candidates: Sequence[str],
    rung: Rung,
    checkpoints: Checkpoints,
    on_epoch: OnEpoch,
    source: SourceOfTrial,
) -> dict[int, Run]:
    """Train the trials of several candidates to the epochs of a rung. Return the runs by index."""
    taking_part = [index for index, trial in enumerate(trials) if trial.candidate in candidates]

    def follow(position: int, history: Sequence[EpochRecord]) -> None:
        on_epoch(taking_part[position], history)

    chosen = [trials[index] for index in taking_part]
    runs = train_all(chosen, data, checkpoints=checkpoints, on_epoch=follow, until=rung.epochs, source=source)
    return dict(zip(taking_part, runs, strict=True))


def _standings(
    trials: Sequence[Trial], runs: Mapping[int, Run], candidates: Sequence[str], epochs: int
) -> dict[str, Standing]:
    """Return the standing of each candidate. Only the first epochs of its runs count.

    A resumed run may have more epochs than the rung.
    """
    histories: dict[str, list[Sequence[EpochRecord]]] = {candidate: [] for candidate in candidates}
    for index, run in runs.items():
        if (candidate := trials[index].candidate) in histories:
            histories[candidate].append(run.history[:epochs])
    of_candidate = {trial.candidate: trial.config.train for trial in trials}
    places = {}
    for candidate, runs_each in histories.items():
        finished = [history for history in runs_each if not has_diverged(history)]
        train = of_candidate[candidate]
        by_epoch = [[_rank(record, train.monitor) for record in history] for history in finished]
        losses = [ranks[-1] if train.keep == "last" else min(ranks) for ranks in by_epoch]
        places[candidate] = standing(losses, len(runs_each) - len(finished))
    return places


def _rank(record: EpochRecord, monitor: Monitor) -> float:
    """Return the figure of an epoch by which it is chosen. Lower is better."""
    return record.val_loss if monitor == "val_loss" else -record.val_accuracy
