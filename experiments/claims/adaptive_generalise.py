"""Adaptive optimizers against SGD with momentum."""

from typing import Final

from experiments.claims.optimizers import arms_named
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import REDUCED, Lab
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table


def measure(lab: Lab) -> Outcome:
    """Compare momentum with adaptive optimizers."""
    adaptive = ("adagrad", "rmsprop", "adam", "nadam", "adamax")
    arms = arms_named(lab, "momentum", *adaptive)
    parts = [better(arms, "momentum", name) for name in adaptive]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="adaptive_generalise",
    statement="Adaptive optimizers fail to generalise on some sets.",
    section="Faster optimizers",
    hypothesis="On Fashion-MNIST momentum beats each adaptive optimizer in test accuracy. This is one set.",
    measure=measure,
)
