"""Biases that begin at zero or at random."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import same
from experiments.lab.tables import arms_table, rates_table

ARMS: Final = {"zeros": {"model.bias_init": "zeros"}, "random": {"model.bias_init": "random_normal"}}


def measure(lab: Lab) -> Outcome:
    """Compare biases that begin at zero with random ones."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    return Outcome([same(arms, "zeros", "random")], [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="biases",
    statement="It makes no difference whether biases begin at zero or at random.",
    section="Glorot and He initialisation",
    hypothesis="Zero and normal biases (standard deviation .05) end within half a point of accuracy of each other.",
    measure=measure,
    questions=(2,),
)
