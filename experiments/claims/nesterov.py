"""Nesterov's momentum against plain momentum."""

from typing import Final

from experiments.claims.optimizers import arms_named
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import REDUCED, Lab
from experiments.lab.parts import better, epochs_ratio
from experiments.lab.tables import arms_table, rates_table


def measure(lab: Lab) -> Outcome:
    """Compare the optimizers at their own best rates."""
    arms = arms_named(lab, "nesterov", "momentum")
    parts = [better(arms, "nesterov", "momentum"), epochs_ratio(arms, "nesterov", "momentum")]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="nesterov",
    statement="Nesterov's accelerated gradient beats plain momentum.",
    section="Faster optimizers",
    hypothesis="Nesterov's momentum reaches momentum's loss sooner, and a higher test accuracy, at its own best rate.",
    measure=measure,
)
