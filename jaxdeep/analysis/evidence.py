"""Evidence on a difference of two figures: what its interval excludes, and what could have been shown.

`judge` turns a difference into one of three answers: different, equivalent, undecided. One interval decides all three,
so that a row cannot contradict itself.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

import numpy as np

from jaxdeep.analysis.differences import Difference
from jaxdeep.analysis.statistics import CONFIDENCE

POWER: Final = 0.8
"""Probability with which a true difference of the size `detectable` is shown."""
SMALLEST_EFFECT: Final = 0.005
"""Default smallest effect of interest in the unit of the figure: half a point of accuracy, or 0.005 nats of loss."""
SMALLEST_P: Final = 0.001
"""Smallest p-value that is printed as a number. Normal approximations say nothing reliable below it."""
_QUANTILES: Final = (np.arange(4_000) + 0.5) / 4_000
"""Probabilities at which the distribution of an estimated variance is evaluated."""

Answer = Literal["different", "equivalent", "undecided"]
"""What the evidence says of a difference."""
Remedy = Literal["seeds", "rows"]
"""What would have to be more for the smallest effect of interest to be shown."""


class Evidence(NamedTuple):
    """What a difference says after a correction for the number of comparisons (Bonferroni).

    Attributes:
        answer: "different" if the corrected interval excludes 0. "equivalent" if it lies between minus and plus the
            smallest effect of interest. "undecided" otherwise.
        low_corrected: Lower end of the interval that is corrected for the number of comparisons.
        high_corrected: Upper end of the interval that is corrected for the number of comparisons.
        p_corrected: Corrected two-sided p-value of no difference. It is below 0.05 if the interval excludes 0.
        p_equivalence: Corrected p-value of a difference at least as large as the smallest effect of interest. It comes
            from two one-sided tests. It is below 0.05 if the interval lies within the smallest effect.
        comparisons: Number of comparisons in the family.
        smallest_effect: Smallest effect of interest in the unit of the figure.
        detectable: Smallest true difference that these runs and images show with a probability of 80%. It does not
            depend on the difference that was found.
        more: "seeds" or "rows", whichever would have to be more for the smallest effect of interest to be shown with a
            probability of 80%. It is "rows" if no number of seeds would do. None if these runs and rows suffice.
    """

    answer: Answer
    low_corrected: float
    high_corrected: float
    p_corrected: float
    p_equivalence: float
    comparisons: int
    smallest_effect: float
    detectable: float
    more: Remedy | None


def judge(difference: Difference, comparisons: int = 1, smallest_effect: float = SMALLEST_EFFECT) -> Evidence:
    """Return what a difference says.

    Equivalence is shown by two one-sided tests. Both reject if the corrected interval lies within the smallest effect
    of interest. Each then has an error probability of 2.5% divided by the number of comparisons.

    Args:
        difference: Difference of two figures.
        comparisons: Number of comparisons that are read together, 1 or more.
        smallest_effect: Smallest effect of interest in the unit of the figure, above 0.

    Returns:
        The answer with its corrected interval and p-values.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach" (1987), and Lakens,
    "Equivalence tests" (2017), for equivalence. Dunn, "Multiple comparisons among means" (1961), for the correction.

    >>> from jaxdeep.analysis.differences import paired
    >>> judge(paired([0.50, 0.51, 0.49, 0.50], [0.40, 0.41, 0.40, 0.39])).answer
    'different'
    """
    from scipy import stats  # 0.7 s to import

    size, error, freedom = difference.difference, difference.error, difference.freedom
    half = error * _quantile(freedom, comparisons) if error > 0 else 0.0
    low, high = size - half, size + half
    if error > 0:
        inside = float(stats.t.sf((smallest_effect - abs(size)) / error, freedom))
    else:
        inside = float(abs(size) >= smallest_effect)
    answer: Answer = "undecided"
    if low > 0 or high < 0:
        answer = "different"
    elif -smallest_effect < low and high < smallest_effect:
        answer = "equivalent"
    detectable = error * _shift(freedom, comparisons)
    return Evidence(
        answer,
        low,
        high,
        min(difference.p_value * comparisons, 1.0),
        min(2 * inside * comparisons, 1.0),
        comparisons,
        smallest_effect,
        detectable,
        _remedy(difference.fixed, detectable, comparisons, smallest_effect),
    )


def p_text(p_value: float) -> str:
    """Return a p-value as a sentence has it.

    >>> p_text(0.0312), p_text(2e-7), p_text(1.0)
    ('p = .031', 'p < .001', 'p = 1')
    """
    cell = p_cell(p_value)
    return f"p {cell}" if cell.startswith("<") else f"p = {cell}"


def p_cell(p_value: float) -> str:
    """Return a p-value as a column of p-values has it.

    >>> p_cell(0.0312), p_cell(2e-7), p_cell(1.0)
    ('.031', '< .001', '1')
    """
    if p_value < SMALLEST_P:
        return f"< {SMALLEST_P:.3f}".replace("0.", ".")
    return f"{p_value:.2g}".removeprefix("0") if p_value < 0.995 else "1"


@lru_cache(1_024)
def _quantile(freedom: float, comparisons: int) -> float:
    """Return half of the corrected interval's width in standard errors."""
    from scipy import stats  # 0.7 s to import

    return float(stats.t.isf((1 - CONFIDENCE) / 2 / comparisons, freedom))


@lru_cache(1_024)
def _shift(freedom: float, comparisons: int) -> float:
    """Return the difference in standard errors that the corrected test shows with probability POWER.

    The power is a mean over the distribution of the estimated variance. The noncentral t of scipy fails for the large
    quantiles of few degrees of freedom.
    """
    from scipy import optimize, special, stats

    spreads = np.sqrt(stats.chi2.ppf(_QUANTILES, freedom) / freedom)
    thresholds = _quantile(freedom, comparisons) * spreads

    def lacking(shift: float) -> float:
        return float(special.ndtr(shift - thresholds).mean()) - POWER

    found = optimize.brentq(lacking, 0.0, thresholds[-1] + 10)
    assert isinstance(found, float)
    return found


def _remedy(fixed: float, detectable: float, comparisons: int, smallest_effect: float) -> Remedy | None:
    """Return what would have to be more. Any number of seeds leaves the fixed part of the variance."""
    from scipy import stats  # 0.7 s to import

    if detectable <= smallest_effect:
        return None
    with_all_seeds = fixed**0.5 * (stats.norm.isf((1 - CONFIDENCE) / 2 / comparisons) + stats.norm.isf(1 - POWER))
    return "seeds" if with_all_seeds <= smallest_effect else "rows"
