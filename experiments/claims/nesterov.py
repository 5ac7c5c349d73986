"""Nesterov's momentum against plain momentum."""

from typing import Final

from experiments.claims.optimizers import duel
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import Lab


def measure(lab: Lab) -> Outcome:
    """Compare nesterov with momentum."""
    return duel(lab, "nesterov", "momentum")


CLAIM: Final = Claim(
    name="nesterov",
    statement="Nesterov's accelerated gradient beats plain momentum.",
    section="Faster optimizers",
    hypothesis="Nesterov's momentum reaches momentum's loss sooner, and a higher test accuracy, at its own best rate.",
    measure=measure,
)
