"""A leak of .2 in leaky ReLU against one of .01."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table

LEAKY: Final = {"model.activation": "leaky_relu"}
ARMS: Final = {"leak .2": {**LEAKY, "model.alpha": 0.2}, "leak .01": {**LEAKY, "model.alpha": 0.01}}


def measure(lab: Lab) -> Outcome:
    """Compare a large leak with a small one."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    return Outcome([better(arms, "leak .2", "leak .01")], [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="leak",
    statement="A large leak of .2 does better than a small one of .01.",
    section="Nonsaturating activation functions",
    hypothesis="Leaky ReLU with a slope of .2 reaches a higher test accuracy than with .01, each at its own best rate.",
    measure=measure,
)
