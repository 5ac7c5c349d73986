"""Turns and statistics of a comparison: A B C A B C ..., medians, and ratios of medians with their spread."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

Name = TypeVar("Name")


class Spread(NamedTuple):
    """Median, minimum and maximum."""

    median: float
    minimum: float
    maximum: float

    def __format__(self, spec: str) -> str:
        """As "1.25 (1.20 - 1.31)", each with the format that is given."""
        return f"{self.median:{spec}} ({self.minimum:{spec}} - {self.maximum:{spec}})"


def turns(names: Sequence[Name], rounds: int) -> Iterator[tuple[int, Name]]:
    """Who is timed when: everyone once a round, so that what the machine does meanwhile meets all alike.

    >>> list(turns("AB", 2))
    [(0, 'A'), (0, 'B'), (1, 'A'), (1, 'B')]
    """
    return ((index, name) for index in range(rounds) for name in names)


def spread(values: Sequence[float]) -> Spread:
    """Of one or more values.

    >>> f"{spread([1.3, 1.2, 1.25]):.2f}"
    '1.25 (1.20 - 1.30)'
    """
    return Spread(median(values), min(values), max(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """The ratio of two medians, with the smallest and the largest of the ratios within a round.

    Args:
        numerators: a value a round.
        denominators: likewise, of the same rounds.

    >>> ratio([2, 4, 9], [1, 2, 3])
    Spread(median=2.0, minimum=2.0, maximum=3.0)
    """
    each = [one / other for one, other in zip(numerators, denominators, strict=True)]
    return Spread(median(numerators) / median(denominators), min(each), max(each))
