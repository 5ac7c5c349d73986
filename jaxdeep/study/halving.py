"""Search by successive halving and Hyperband: many candidates get few epochs, and few candidates get many."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from jaxdeep.config import shortened
from jaxdeep.config.arguments import first_twice, several
from jaxdeep.config.values import whole
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.study.ranking import Standing, standing
from jaxdeep.study.runner import Checkpoints, OnEnd, OnEpoch, check_arguments, first_diverged, train_all, watched
from jaxdeep.study.trial import Trial
from jaxdeep.train.divergence import warn_of_study
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, has_diverged

ETA: Final = 3
"""Reduction factor. A rung promotes one of this many candidates and multiplies the epochs by it. The papers use 3."""

OnRung = Callable[["Rung", int], None]
"""Function of a rung and its number of candidates."""


class Rung(NamedTuple):
    """A round of a search.

    Attributes:
        candidates: Largest number of candidates that take part.
        epochs: Number of epochs that each candidate has been trained for at its end.
    """

    candidates: int
    epochs: int


class Bracket(NamedTuple):
    """A search by successive halving.

    Attributes:
        candidates: Names of the candidates that begin, as in `Trial.candidate`.
        rungs: Rounds in their order. The last one trains to the end.
    """

    candidates: tuple[str, ...]
    rungs: tuple[Rung, ...]


def successive_halving(candidates: int, epochs: int, eta: int = ETA) -> tuple[Rung, ...]:
    """Return the rungs of one search.

    They train n candidates to r epochs, n / eta candidates to r eta epochs, and so on, while eta candidates are left.

    Args:
        candidates: Number of candidates that begin, 1 or more.
        epochs: Number of epochs of a whole run, 1 or more.
        eta: Reduction factor, 2 or more. One of eta candidates is promoted.

    Returns:
        Rungs in their order.

    Raises:
        UserError: A number is no whole number or is out of range.

    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (2016).

    >>> successive_halving(27, 100)
    (Rung(candidates=27, epochs=4), Rung(candidates=9, epochs=12), Rung(candidates=3, epochs=34), \
Rung(candidates=1, epochs=100))
    """
    candidates, epochs, eta = whole("candidates", candidates, 1), whole("epochs", epochs, 1), whole("eta", eta, 2)
    halvings = min(_floor_log(candidates, eta), _floor_log(epochs, eta))
    return tuple(
        Rung(max(candidates // eta**done, 1), math.ceil(epochs / eta ** (halvings - done)))
        for done in range(halvings + 1)
    )


def hyperband(epochs: int, eta: int = ETA) -> tuple[tuple[Rung, ...], ...]:
    """Return the brackets of Hyperband.

    The first begins with many candidates and few epochs. The last trains few candidates to the end.

    Args:
        epochs: Number of epochs of a whole run, 1 or more.
        eta: Reduction factor, 2 or more. One of eta candidates is promoted.

    Returns:
        Rungs of each bracket.

    Raises:
        UserError: A number is no whole number or is out of range.

    Source: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization" (2018), algorithm 1.

    >>> [bracket[0] for bracket in hyperband(81)]
    [Rung(candidates=81, epochs=1), Rung(candidates=34, epochs=3), Rung(candidates=15, epochs=9), \
Rung(candidates=8, epochs=27), Rung(candidates=5, epochs=81)]
    """
    epochs, eta = whole("epochs", epochs, 1), whole("eta", eta, 2)
    most = _floor_log(epochs, eta)
    counts = [math.ceil((most + 1) / (halvings + 1) * eta**halvings) for halvings in range(most, -1, -1)]
    return tuple(
        tuple(
            Rung(max(count // eta**done, 1), math.ceil(epochs / eta ** (halvings - done)))
            for done in range(halvings + 1)
        )
        for count, halvings in zip(counts, range(most, -1, -1), strict=True)
    )


def fit_by_halving(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    brackets: Sequence[Bracket],
    *,
    checkpoints: Callable[[Trial], Path] | None = None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    on_rung: OnRung = lambda rung, candidates: None,
    verbose: bool | None = None,
) -> list[Run]:
    """Train the trials of a search as far as their candidates are promoted.

    A rung continues the trials of its candidates to its number of epochs. It promotes the candidates with the lowest
    mean val_loss over their trials. A trial has the val_loss of its best epoch so far, or of its last epoch
    with train.keep="last". Candidates with more diverged trials rank lower, whatever their losses. The decisions depend
    on the runs only. An interrupted search therefore decides the same again. A candidate of several brackets is trained
    once.

    Args:
        trials: Trials of all candidates, seeds and folds.
        data: Data set of all trials, or the folds that the trials name.
        brackets: One bracket, or the brackets of Hyperband.
        checkpoints: Function of a trial that returns a folder of its own. None keeps checkpoints in a temporary folder.
        on_epoch: Function of a trial's index and its history. It is called after each epoch of a trial.
        on_end: Function of a trial's index and its run. It is called once for each trial at the end of the search.
        on_rung: Function of a rung and its number of candidates. It is called when the rung begins.
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
    brackets = _checked_brackets(brackets, trials)
    with watched(trials, data, verbose, on_epoch, on_end, epochs_of(brackets, trials)) as (follow, end):
        runs = train_by_halving(
            trials, data, brackets, checkpoints=checkpoints, on_epoch=follow, on_end=end, on_rung=on_rung
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

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: Something that `fit_by_halving` refuses.
    """
    if checkpoints is None:
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
            )
    runs: dict[int, Run] = {}
    for bracket in brackets:
        candidates = list(bracket.candidates)
        for rung in bracket.rungs:
            candidates = candidates[: rung.candidates]
            on_rung(rung, len(candidates))
            runs |= _climb(trials, data, candidates, rung, checkpoints, on_epoch)
            places = _standings(trials, runs, candidates, rung.epochs)
            candidates.sort(key=places.__getitem__)
    for index, run in sorted(runs.items()):
        on_end(index, run)
    return [runs[index] for index in range(len(trials))]


def epochs_of(brackets: Sequence[Bracket], trials: Sequence[Trial]) -> int:
    """Return the largest number of epochs that a search trains, over all its trials. It assumes no early stopping.

    Args:
        brackets: Brackets of the search.
        trials: Trials of all candidates, each with the same number of seeds and folds.

    Returns:
        Number of epochs, summed over all trials.
    """
    runs_each = len(trials) // len({trial.candidate for trial in trials})
    epochs = 0
    for candidates, rungs in brackets:
        befores = (0, *(rung.epochs for rung in rungs))
        epochs += sum(
            min(rung.candidates, len(candidates)) * (rung.epochs - before)
            for rung, before in zip(rungs, befores, strict=False)
        )
    return runs_each * epochs


def _checked_brackets(brackets: Any, trials: Sequence[Trial]) -> tuple[Bracket, ...]:
    """Return the brackets of a search, after a check that they hold the trials' candidates and no others.

    Raises:
        UserError: A type is wrong, a bracket is empty, a candidate is unknown, or a trial is in no bracket.
    """
    brackets = several("brackets", brackets, Bracket, "Bracket")
    known, trained = {trial.candidate for trial in trials}, set()
    for index, (candidates, rungs) in enumerate(brackets):
        name = f"brackets[{index}]"
        candidates = several(f"{name}.candidates", candidates, str, "string")
        rungs = several(f"{name}.rungs", rungs, Rung, "Rung")
        if not candidates or not rungs:
            raise UserError(f"{name} has {len(candidates)} candidates and {len(rungs)} rungs. Give 1 or more of each.")
        for number, rung in enumerate(rungs):
            for field, value in rung._asdict().items():
                whole(f"{name}.rungs[{number}].{field}", value, 1)
        if (twice := first_twice(candidates)) is not None:
            raise UserError(f"{name}.candidates has {candidates[twice[0]]!r} twice. Name each candidate once.")
        if unknown := [candidate for candidate in candidates if candidate not in known]:
            raise UserError(
                f"{name}.candidates has {unknown[0]!r}, and no trial belongs to this candidate. Give Trial.candidate."
            )
        trained |= set(candidates)
    if left := [index for index, trial in enumerate(trials) if trial.candidate not in trained]:
        raise UserError(
            f"trials[{left[0]}] ({trials[left[0]].name}) is in none of the {len(brackets)} brackets. "
            f"Name its candidate there, {trials[left[0]].candidate!r}, or leave it out."
        )
    return brackets


def _climb(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    candidates: Sequence[str],
    rung: Rung,
    checkpoints: Checkpoints,
    on_epoch: OnEpoch,
) -> dict[int, Run]:
    """Train the trials of several candidates to the epochs of a rung. Return the runs by index."""
    taking_part = [index for index, trial in enumerate(trials) if trial.candidate in candidates]

    def follow(position: int, history: Sequence[EpochRecord]) -> None:
        on_epoch(taking_part[position], history)

    chosen = [trials[index] for index in taking_part]
    runs = train_all(chosen, data, checkpoints=checkpoints, on_epoch=follow, until=rung.epochs)
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
    is_last = {trial.candidate: trial.config.train.keep == "last" for trial in trials}
    places = {}
    for candidate, runs_each in histories.items():
        finished = [history for history in runs_each if not has_diverged(history)]
        by_epoch = [[record.val_loss for record in history] for history in finished]
        losses = [run_losses[-1] if is_last[candidate] else min(run_losses) for run_losses in by_epoch]
        places[candidate] = standing(losses, len(runs_each) - len(finished))
    return places


def _floor_log(value: int, base: int) -> int:
    """Return the largest exponent whose power is at most a value of 1 or more."""
    exponent = 0
    while base ** (exponent + 1) <= value:
        exponent += 1
    return exponent
