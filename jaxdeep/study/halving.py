"""Search by successive halving and Hyperband: many points get few epochs, and few points get many."""

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
from jaxdeep.study.runner import Checkpoints, OnEnd, OnEpoch, check_study, fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, has_diverged

ETA: Final = 3
"""Of so many points one goes on, with so many times the epochs: what the papers recommend."""


class Rung(NamedTuple):
    """A round of a search.

    Attributes:
        points: that take part, at most.
        epochs: that each of them has been trained for behind it.
    """

    points: int
    epochs: int


class Bracket(NamedTuple):
    """A search by successive halving.

    Attributes:
        points: the names of the points that begin, as of `Trial.group`.
        rungs: of which the last one is trained to the run's end.
    """

    points: tuple[str, ...]
    rungs: tuple[Rung, ...]


def successive_halving(points: int, epochs: int, eta: int = ETA) -> tuple[Rung, ...]:
    """The rounds of one search: n points to r epochs, n / eta to r eta, ..., for as long as eta are left.

    Args:
        points: that begin.
        epochs: of a whole run.
        eta: one of eta points goes on, 2 or more.

    Raises:
        UserError: a number is no whole number, or out of its range.

    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (2016).

    >>> successive_halving(27, 100)
    (Rung(points=27, epochs=4), Rung(points=9, epochs=12), Rung(points=3, epochs=34), Rung(points=1, epochs=100))
    """
    points, epochs, eta = whole("points", points, 1), whole("epochs", epochs, 1), whole("eta", eta, 2)
    halvings = min(_floor_log(points, eta), _floor_log(epochs, eta))
    return tuple(
        Rung(max(points // eta**done, 1), math.ceil(epochs / eta ** (halvings - done))) for done in range(halvings + 1)
    )


def hyperband(epochs: int, eta: int = ETA) -> tuple[tuple[Rung, ...], ...]:
    """The rounds of several searches, from many points that begin with few epochs to few that are all trained whole.

    Args:
        epochs: of a whole run.
        eta: one of eta points goes on, 2 or more.

    Raises:
        UserError: a number is no whole number, or out of its range.

    Source: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization" (2018), algorithm 1.

    >>> [bracket[0] for bracket in hyperband(81)]
    [Rung(points=81, epochs=1), Rung(points=34, epochs=3), Rung(points=15, epochs=9), Rung(points=8, epochs=27), \
Rung(points=5, epochs=81)]
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
    on_rung: Callable[[Rung, int], None] = lambda rung, points: None,
) -> list[Run]:
    """Train the trials of a search as far as their points get.

    A rung trains the trials of its points to its epochs, from where the rung before left them. The points with the
    lowest mean over their trials of the best val_loss so far go on (of the last val_loss, where the last epoch's
    weights are kept). A point with more diverged trials than another comes after it, whatever its losses (`standing`).
    The decisions are a function of the runs, so a search that was interrupted takes the same ones again. A point of
    several brackets is trained once.

    Args:
        trials: all points x seeds x folds.
        data: as of `fit_all`.
        brackets: one, or Hyperband's.
        checkpoints: a folder of its own for each trial; None: kept while this runs.
        on_epoch: as of `fit_all`.
        on_end: called once with each trial's index and run, when all is over.
        on_rung: called when a rung begins, with the points that take part in it.

    Returns:
        The trials' runs in their order, each as far as it got.

    Raises:
        UserError: as `fit_all`; or the brackets are not those of the trials' points.
    """
    trials = several("trials", trials, Trial, "Trial")
    given = {} if checkpoints is None else {"checkpoints": checkpoints}
    check_study(data, on_epoch=on_epoch, on_end=on_end, on_rung=on_rung, **given)
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
        points = list(bracket.points)
        for rung in bracket.rungs:
            points = points[: rung.points]
            on_rung(rung, len(points))
            runs |= _climb(trials, data, points, rung, checkpoints, on_epoch)
            places = _standings(trials, runs, points, rung.epochs)
            points.sort(key=places.__getitem__)
    for index, run in sorted(runs.items()):
        on_end(index, run)
    return [runs[index] for index in range(len(trials))]


def epochs_of(brackets: Sequence[Bracket], trials: Sequence[Trial]) -> int:
    """Epochs that a search trains at most: all its trials together, none of them stopping early.

    Args:
        brackets: of the search.
        trials: of all its points, each with as many seeds and folds.
    """
    of_point = len(trials) // len({trial.group for trial in trials})
    epochs = 0
    for points, rungs in brackets:
        befores = (0, *(rung.epochs for rung in rungs))
        epochs += sum(
            min(rung.points, len(points)) * (rung.epochs - before) for rung, before in zip(rungs, befores, strict=False)
        )
    return of_point * epochs


def _checked_brackets(brackets: Any, trials: Sequence[Trial]) -> tuple[Bracket, ...]:
    """Return a search's brackets, which begin with the trials' points, and with no others.

    Raises:
        UserError: another type, nothing to begin with, an unknown point, or a trial of none of the brackets.
    """
    brackets = several("brackets", brackets, Bracket, "Bracket")
    groups, trained = {trial.group for trial in trials}, set()
    for index, (points, rungs) in enumerate(brackets):
        name = f"brackets[{index}]"
        points = several(f"{name}.points", points, str, "string")
        rungs = several(f"{name}.rungs", rungs, Rung, "Rung")
        if not points or not rungs:
            raise UserError(f"{name} has {len(points)} points and {len(rungs)} rungs; allowed: 1 or more of each")
        for number, rung in enumerate(rungs):
            for field, value in rung._asdict().items():
                whole(f"{name}.rungs[{number}].{field}", value, 1)
        if (twice := first_twice(points)) is not None:
            raise UserError(f"{name}.points has {points[twice[0]]!r} twice. Name each point once")
        if unknown := [point for point in points if point not in groups]:
            raise UserError(f"{name}.points has {unknown[0]!r}, and no trial has this group. Give Trial.group")
        trained |= set(points)
    if left := [index for index, trial in enumerate(trials) if trial.group not in trained]:
        raise UserError(
            f"trials[{left[0]}] ({trials[left[0]].name}) is in none of the {len(brackets)} brackets. "
            f"Name its point there, {trials[left[0]].group!r}, or leave it out"
        )
    return brackets


def _climb(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    points: Sequence[str],
    rung: Rung,
    checkpoints: Checkpoints,
    on_epoch: OnEpoch,
) -> dict[int, Run]:
    """Train the trials of some points to a rung's epochs."""
    taking_part = [index for index, trial in enumerate(trials) if trial.group in points]

    def follow(position: int, history: Sequence[EpochRecord]) -> None:
        on_epoch(taking_part[position], history)

    chosen = [trials[index] for index in taking_part]
    found = fit_all(chosen, data, checkpoints=checkpoints, on_epoch=follow, until=rung.epochs)
    return dict(zip(taking_part, found, strict=True))


def _standings(
    trials: Sequence[Trial], runs: Mapping[int, Run], points: Sequence[str], epochs: int
) -> dict[str, Standing]:
    """Give each candidate's place by its runs' first epochs alone: a run that is found again may have got further."""
    histories: dict[str, list[Sequence[EpochRecord]]] = {point: [] for point in points}
    for index, run in runs.items():
        if (point := trials[index].group) in histories:
            histories[point].append(run.history[:epochs])
    is_last = {trial.group: trial.config.train.keep == "last" for trial in trials}
    places = {}
    for point, of_point in histories.items():
        finished = [history for history in of_point if not has_diverged(history)]
        seen = [[record.val_loss for record in history] for history in finished]
        losses = [of_run[-1] if is_last[point] else min(of_run) for of_run in seen]
        places[point] = standing(losses, len(of_point) - len(finished))
    return places


def _floor_log(value: int, base: int) -> int:
    """The largest exponent whose power is not above a value of 1 or more."""
    exponent = 0
    while base ** (exponent + 1) <= value:
        exponent += 1
    return exponent
