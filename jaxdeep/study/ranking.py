"""The one rule by which candidates are ranked: a candidate that lost a run comes after all that lost fewer."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Standing(NamedTuple):
    """The place of a candidate: the smaller one is ranked first.

    Attributes:
        diverged: number of its runs that diverged, over all seeds and folds, 0 or more.
        loss: mean validation loss in nats of its other runs; infinite without any.
    """

    diverged: int
    loss: float

    @property
    def may_be_best(self) -> bool:
        """Whether the candidate may be called best: none of its runs diverged, and its loss is finite."""
        return not self.diverged and math.isfinite(self.loss)


def standing(losses: Sequence[float | None], diverged: int) -> Standing:
    """Return the place of a candidate among others with as many runs.

    The number of diverged runs decides first, so that a candidate never gains by losing its worst seeds. Where every
    candidate lost a run, a search still promotes those with the fewest losses, but none of them is best.

    Args:
        losses: validation loss in nats of each run that did not diverge. None and what is not finite do not count.
        diverged: number of the candidate's runs that diverged, 0 or more.

    >>> min(standing([0.5, 0.7], 0), standing([0.1], 1))
    Standing(diverged=0, loss=0.6)
    """
    finite = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    return Standing(diverged, sum(finite) / len(finite) if finite else math.inf)
