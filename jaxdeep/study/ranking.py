"""The rule that ranks candidates: fewer diverged runs come first, then the lower loss."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Standing(NamedTuple):
    """The place of a candidate. The smaller one ranks first.

    Attributes:
        diverged: Number of its runs that diverged, over all seeds and folds, 0 or more.
        loss: Mean validation loss of its other runs in nats. Infinite without any.
    """

    diverged: int
    loss: float

    @property
    def may_be_best(self) -> bool:
        """Return whether the candidate may be called best. None of its runs diverged, and its loss is finite."""
        return not self.diverged and math.isfinite(self.loss)


def standing(losses: Sequence[float | None], diverged: int) -> Standing:
    """Return the place of a candidate among others with the same number of runs.

    The number of diverged runs decides first, so a candidate never gains by losing its worst seeds. If every candidate
    lost a run, a search promotes those with the fewest losses. None of them is best.

    Args:
        losses: Validation loss in nats of each run that did not diverge. None and values that are not finite do not
            count.
        diverged: Number of the candidate's runs that diverged, 0 or more.

    Returns:
        Number of diverged runs, and mean loss in nats.

    >>> min(standing([0.5, 0.7], 0), standing([0.1], 1))
    Standing(diverged=0, loss=0.6)
    """
    finite = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    return Standing(diverged, sum(finite) / len(finite) if finite else math.inf)
