"""Nadam against Adam."""

from typing import Final

from experiments.claims.optimizers import arms_named
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import REDUCED, Lab
from experiments.lab.parts import better, epochs_ratio
from experiments.lab.tables import arms_table, rates_table


def measure(lab: Lab) -> Outcome:
    """Compare the optimizers at their own best rates."""
    arms = arms_named(lab, "nadam", "adam")
    parts = [better(arms, "nadam", "adam"), epochs_ratio(arms, "nadam", "adam")]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="nadam",
    statement="Nadam generally beats Adam.",
    section="Faster optimizers",
    hypothesis="Nadam reaches Adam's loss sooner and a higher test accuracy, each at its own best rate.",
    measure=measure,
)
