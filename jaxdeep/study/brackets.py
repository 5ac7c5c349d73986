"""Rungs and brackets: how many candidates a search trains, and for how many epochs."""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from jaxdeep.config.arguments import first_twice, several
from jaxdeep.config.values import whole
from jaxdeep.errors import UserError
from jaxdeep.study.trial import Trial

ETA: Final = 3
"""Reduction factor. A rung promotes one of this many candidates and multiplies the epochs by it. The papers use 3."""


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


def checked_brackets(brackets: Any, trials: Sequence[Trial]) -> tuple[Bracket, ...]:
    """Return the brackets of a search, after a check that they hold the trials' candidates and no others.

    Args:
        brackets: Value that should be a sequence of brackets.
        trials: Trials of the search.

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


def _floor_log(value: int, base: int) -> int:
    """Return the largest exponent whose power is at most a value of 1 or more."""
    exponent = 0
    while base ** (exponent + 1) <= value:
        exponent += 1
    return exponent
