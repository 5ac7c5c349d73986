"""Whether a printed figure of one run agrees with ours: is it where one more seed would lie?"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jaxdeep.analysis.statistics import SIGNIFICANCE

NOTE: Final = (
    "The sources print one run each. "
    "One more seed: the interval that holds the figure of one more run with a probability of 95% (Student's t). "
    "A printed figure within it is what our seeds lead one to expect. One in twenty lies outside by chance."
)


class Agreement(NamedTuple):
    """Where one more run would lie, and whether a printed figure lies there.

    Attributes:
        low: Lower end of the 95% prediction interval.
        high: Upper end of the 95% prediction interval.
        verdict: "within" or "outside".
    """

    low: float
    high: float
    verdict: str


def agreement(estimate: Mapping[str, Any] | None, printed: float | None) -> Agreement | None:
    """Return whether a printed figure lies where one more run would.

    Args:
        estimate: Values of mean, std and runs.
        printed: Figure of one run in a source, or None.

    Returns:
        The interval and the verdict. None without a printed figure or with fewer than two runs.

    >>> agreement({"mean": 0.5, "std": 0.01, "runs": 10}, 0.52).verdict
    'within'
    >>> agreement({"mean": 0.5, "std": 0.01, "runs": 10}, 0.53).verdict
    'outside'
    """
    from scipy.stats import t

    if printed is None or not estimate or estimate.get("std") is None or estimate["runs"] < 2:
        return None
    quantile = float(t.ppf(1 - SIGNIFICANCE / 2, estimate["runs"] - 1))
    half = quantile * estimate["std"] * math.sqrt(1 + 1 / estimate["runs"])
    low, high = estimate["mean"] - half, estimate["mean"] + half
    return Agreement(low, high, "within" if low <= printed <= high else "outside")
