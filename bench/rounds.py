"""Turns and statistics of a comparison.

Contestants take turns as A B C A B C. Times are medians, and ratios are ratios of medians with their spread.
"""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

Name = TypeVar("Name")


class Spread(NamedTuple):
    """The median, minimum and maximum of some values."""

    median: float
    minimum: float
    maximum: float

    def __format__(self, spec: str) -> str:
        """Return "1.25 (1.20 - 1.31)", each number with the given format."""
        return f"{self.median:{spec}} ({self.minimum:{spec}} - {self.maximum:{spec}})"


def turns(names: Sequence[Name], rounds: int) -> Iterator[tuple[int, Name]]:
    """Return the order of the turns, in which every contestant is timed once a round.

    A disturbance of the machine then meets all contestants alike.

    Args:
        names: Names of the contestants.
        rounds: Number of rounds.

    Returns:
        Index of the round and name of the contestant for each turn.

    >>> list(turns("AB", 2))
    [(0, 'A'), (0, 'B'), (1, 'A'), (1, 'B')]
    """
    return ((index, name) for index in range(rounds) for name in names)


def spread(values: Sequence[float]) -> Spread:
    """Return the median, minimum and maximum of values.

    Args:
        values: One or more numbers.

    Returns:
        The three numbers, in the unit of the values.

    >>> f"{spread([1.3, 1.2, 1.25]):.2f}"
    '1.25 (1.20 - 1.30)'
    """
    return Spread(median(values), min(values), max(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Return the ratio of two medians, with the smallest and the largest ratio within a round.

    Args:
        numerators: One value for each round.
        denominators: One value for each of the same rounds.

    Returns:
        Median of the numerators over median of the denominators, and the extremes of the quotients within a round.

    >>> ratio([2, 4, 9], [1, 2, 3])
    Spread(median=2.0, minimum=2.0, maximum=3.0)
    """
    quotients = [above / below for above, below in zip(numerators, denominators, strict=True)]
    return Spread(median(numerators) / median(denominators), min(quotients), max(quotients))
