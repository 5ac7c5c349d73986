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
from jaxdeep.study.runner import Checkpoints, OnEnd, OnEpoch, check_arguments, fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, has_diverged

ETA: Final = 3
"""A rung promotes one of this many candidates, with this many times the epochs. The papers recommend 3."""


class Rung(NamedTuple):
    """A round of a search.

    Attributes:
        candidates: that take part, at most.
        epochs: that each of them has been trained for behind it.
    """

    candidates: int
    epochs: int


class Bracket(NamedTuple):
    """A search by successive halving.

    Attributes:
        candidates: the names of the candidates that begin, as of `Trial.candidate`.
        rungs: of which the last one is trained to the run's end.
    """

    candidates: tuple[str, ...]
    rungs: tuple[Rung, ...]


def successive_halving(candidates: int, epochs: int, eta: int = ETA) -> tuple[Rung, ...]:
    """The rounds of one search: n candidates to r epochs, n / eta to r eta, ..., for as long as eta are left.

    Args:
        candidates: that begin.
        epochs: of a whole run.
        eta: one of eta candidates goes on, 2 or more.

    Raises:
        UserError: a number is no whole number, or out of its range.

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

    The first begins with many candidates and few epochs, and the last trains few candidates to the end.

    Args:
        epochs: of a whole run.
        eta: one of eta candidates goes on, 2 or more.

    Raises:
        UserError: a number is no whole number, or out of its range.

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
    on_rung: Callable[[Rung, int], None] = lambda rung, candidates: None,
) -> list[Run]:
    """Train the trials of a search as far as their candidates get.

    A rung trains the trials of its candidates to its epochs, from where the rung before left them. It promotes the
    candidates with the lowest mean val_loss over their trials. The val_loss of a trial is that of its best epoch so
    far, or of its last epoch with train.keep="last". A candidate with more diverged trials ranks lower, whatever its
    losses. The decisions are a function of the runs, so an interrupted search decides the same again. A candidate of
    several brackets is trained once.

    Args:
        trials: all candidates x seeds x folds.
        data: as of `fit_all`.
        brackets: one, or Hyperband's.
        checkpoints: a folder of its own for each trial; None: kept while this runs.
        on_epoch: as of `fit_all`.
        on_end: called once with each trial's index and run, when all is over.
        on_rung: called when a rung begins, with the candidates that take part in it.

    Returns:
        The trials' runs in their order, each as far as it got.

    Raises:
        UserError: as `fit_all`; or the brackets are not those of the trials' candidates.
    """
    trials = several("trials", trials, Trial, "Trial")
    given = {} if checkpoints is None else {"checkpoints": checkpoints}
    check_arguments(data, on_epoch=on_epoch, on_end=on_end, on_rung=on_rung, **given)
    brackets = _checked_brackets(brackets, trials)
    if checkpoints is None:
        if (twice := first_twice([trial.name for trial in trials])) is not None:
            one, other = twice
            raise UserError(
                f"trials[{one}] and trials[{other}] are both named {trials[one].name}. "
                "Give them other seeds, or name in Trial.values what differs"
            )
        with TemporaryDirectory() as folder:
            kept = Path(folder)
            return fit_by_halving(
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
    """Epochs that a search trains at most: all its trials together, none of them stopping early.

    Args:
        brackets: of the search.
        trials: of all its candidates, each with as many seeds and folds.
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
    """Return a search's brackets, which begin with the trials' candidates, and with no others.

    Raises:
        UserError: another type, nothing to begin with, an unknown candidate, or a trial of none of the brackets.
    """
    brackets = several("brackets", brackets, Bracket, "Bracket")
    known, trained = {trial.candidate for trial in trials}, set()
    for index, (candidates, rungs) in enumerate(brackets):
        name = f"brackets[{index}]"
        candidates = several(f"{name}.candidates", candidates, str, "string")
        rungs = several(f"{name}.rungs", rungs, Rung, "Rung")
        if not candidates or not rungs:
            raise UserError(
                f"{name} has {len(candidates)} candidates and {len(rungs)} rungs; allowed: 1 or more of each"
            )
        for number, rung in enumerate(rungs):
            for field, value in rung._asdict().items():
                whole(f"{name}.rungs[{number}].{field}", value, 1)
        if (twice := first_twice(candidates)) is not None:
            raise UserError(f"{name}.candidates has {candidates[twice[0]]!r} twice. Name each candidate once")
        if unknown := [candidate for candidate in candidates if candidate not in known]:
            raise UserError(
                f"{name}.candidates has {unknown[0]!r}, and no trial belongs to this candidate. Give Trial.candidate"
            )
        trained |= set(candidates)
    if left := [index for index, trial in enumerate(trials) if trial.candidate not in trained]:
        raise UserError(
            f"trials[{left[0]}] ({trials[left[0]].name}) is in none of the {len(brackets)} brackets. "
            f"Name its candidate there, {trials[left[0]].candidate!r}, or leave it out"
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
    """Train the trials of some candidates to a rung's epochs."""
    taking_part = [index for index, trial in enumerate(trials) if trial.candidate in candidates]

    def follow(position: int, history: Sequence[EpochRecord]) -> None:
        on_epoch(taking_part[position], history)

    chosen = [trials[index] for index in taking_part]
    found = fit_all(chosen, data, checkpoints=checkpoints, on_epoch=follow, until=rung.epochs)
    return dict(zip(taking_part, found, strict=True))


def _standings(
    trials: Sequence[Trial], runs: Mapping[int, Run], candidates: Sequence[str], epochs: int
) -> dict[str, Standing]:
    """Give each candidate's place by its runs' first epochs alone: a run that is found again may have got further."""
    histories: dict[str, list[Sequence[EpochRecord]]] = {candidate: [] for candidate in candidates}
    for index, run in runs.items():
        if (candidate := trials[index].candidate) in histories:
            histories[candidate].append(run.history[:epochs])
    is_last = {trial.candidate: trial.config.train.keep == "last" for trial in trials}
    places = {}
    for candidate, runs_each in histories.items():
        finished = [history for history in runs_each if not has_diverged(history)]
        seen = [[record.val_loss for record in history] for history in finished]
        losses = [of_run[-1] if is_last[candidate] else min(of_run) for of_run in seen]
        places[candidate] = standing(losses, len(runs_each) - len(finished))
    return places


def _floor_log(value: int, base: int) -> int:
    """The largest exponent whose power is not above a value of 1 or more."""
    exponent = 0
    while base ** (exponent + 1) <= value:
        exponent += 1
    return exponent
