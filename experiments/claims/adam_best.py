"""Adam against the other optimizers."""

from typing import Final

from experiments.claims.optimizers import arms_named
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import REDUCED, Lab
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table


def measure(lab: Lab) -> Outcome:
    """Compare the optimizers at their own best rates."""
    others = ("sgd", "momentum", "adagrad", "rmsprop")
    arms = arms_named(lab, "adam", *others)
    parts = [better(arms, "adam", name) for name in others]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="adam_best",
    statement="Adam is usually the best choice.",
    section="Faster optimizers",
    hypothesis="Adam reaches a higher test accuracy than SGD, momentum, AdaGrad and RMSProp, at its own best rate.",
    measure=measure,
)
