"""Nadam against Adam."""

from typing import Final

from experiments.claims.optimizers import duel
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import Lab


def measure(lab: Lab) -> Outcome:
    """Compare nadam with adam."""
    return duel(lab, "nadam", "adam")


CLAIM: Final = Claim(
    name="nadam",
    statement="Nadam generally beats Adam.",
    section="Faster optimizers",
    hypothesis="Nadam reaches Adam's loss sooner and a higher test accuracy, each at its own best rate.",
    measure=measure,
)
