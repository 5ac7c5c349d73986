"""No significant slow-down by dropout."""

from typing import Final

from experiments.claims.dropout_halves import slowdown
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import Lab


def measure(lab: Lab) -> Outcome:
    """Test whether dropout takes hardly more epochs."""
    return slowdown(lab, 0.0, 1.25, "in less than 1.25 times the epochs of")


CLAIM: Final = Claim(
    name="dropout_no_slowdown",
    statement="Dropout brings no significant slow-down.",
    section="Dropout",
    hypothesis="With dropout of .2 a common loss takes less than 1.25 times as many epochs.",
    measure=measure,
    sources=("002",),
    questions=(7,),
)
