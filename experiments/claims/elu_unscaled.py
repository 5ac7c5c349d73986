"""ELU where the network cannot self-normalise."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table

UNSCALED: Final = BASE.updated({"data.scaling": "unit"})
"""Inputs in 0 .. 1, which are not standardised."""
ARMS: Final = {"SELU": {"model.activation": "selu", "model.kernel_init": "lecun_normal"}, "ELU": {}}


def measure(lab: Lab) -> Outcome:
    """Compare ELU with SELU on inputs that are not standardised."""
    arms = lab.tuned(arms_of(UNSCALED, ARMS))
    return Outcome([better(arms, "ELU", "SELU")], [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="elu_unscaled",
    statement="ELU is better where the network cannot self-normalise.",
    section="Nonsaturating activation functions",
    hypothesis="On inputs in 0 .. 1 ELU reaches a higher test accuracy than SELU, each at its own best rate.",
    measure=measure,
    sources=("003",),
    questions=(3,),
)
