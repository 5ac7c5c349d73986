"""A ladder of learning rates, and the search that climbs it.

The rungs are half decades: 1e-4, 3e-4, 1e-3 and so on. All configurations share them, so that the rate of one can be
tried on another.
"""

import math
from collections.abc import Mapping
from typing import Final

from jaxdeep.study.ranking import Standing

FURTHEST: Final = 40
"""Largest distance of a first rung from a rate of 1, in half decades. The rates of any search then fit a float32."""


def rate_of(rung: int) -> float:
    """Return the learning rate of a rung.

    Args:
        rung: Number of half decades above a rate of 1.

    >>> [rate_of(rung) for rung in (-9, -8, -7, 0)]
    [3e-05, 0.0001, 0.0003, 1.0]
    """
    return float(f"{3 if rung % 2 else 1}e{rung // 2}")


def nearest_rung(rate: float) -> int:
    """Return the rung nearest to a learning rate, by the ratio of the rates.

    Args:
        rate: Learning rate above 0.

    >>> rate_of(nearest_rung(4.2e-4)), rate_of(nearest_rung(0.042)), rate_of(nearest_rung(5e-5))
    (0.0003, 0.03, 3e-05)
    """
    exact = 2 * math.log10(rate)
    near = range(math.floor(exact) - 1, math.ceil(exact) + 2)
    rung = min(near, key=lambda rung: abs(math.log10(rate) - math.log10(rate_of(rung))))
    return max(-FURTHEST, min(rung, FURTHEST))


def first_rungs(centre: int) -> tuple[int, int, int]:
    """Return the rungs that a search begins with: its centre and both neighbours, from the lowest.

    Args:
        centre: Rung nearest to the rate that the range test suggests.
    """
    return centre - 1, centre, centre + 1


def best_rung(standings: Mapping[int, Standing]) -> int:
    """Return the rung with the fewest diverged trials, and among these with the lowest loss. The lowest rung wins ties.

    Args:
        standings: Number of diverged trials and mean validation loss of each rung that was tried.
    """
    return min(standings, key=lambda rung: (standings[rung], rung))


def next_rung(standings: Mapping[int, Standing]) -> int:
    """Return the rung to try next, beyond one end of the rungs that were tried.

    If the best rung is at an end, the next one lies beyond that end. Otherwise it lies beyond the end on the side of
    the best rung's better neighbour.

    Args:
        standings: Number of diverged trials and mean validation loss of each rung that was tried. The rungs are
            neighbours of each other without a gap.

    >>> next_rung({-1: Standing(0, 0.5), 0: Standing(0, 0.4), 1: Standing(0, 0.6)})
    -2
    """
    best, lowest, highest = best_rung(standings), min(standings), max(standings)
    if best == lowest:
        return lowest - 1
    if best == highest:
        return highest + 1
    return highest + 1 if standings[best + 1] < standings[best - 1] else lowest - 1


def is_bracketed(standings: Mapping[int, Standing]) -> bool:
    """Return whether both neighbours of the best rung were tried.

    Args:
        standings: Number of diverged trials and mean validation loss of each rung that was tried.
    """
    return min(standings) < best_rung(standings) < max(standings)
