"""SELU > ELU > leaky ReLU > ReLU > tanh > logistic."""

from itertools import pairwise
from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table

ARMS: Final = {
    "SELU": {"model.activation": "selu", "model.kernel_init": "lecun_normal"},
    "ELU": {"model.activation": "elu"},
    "leaky ReLU": {"model.activation": "leaky_relu"},
    "ReLU": {"model.activation": "relu"},
    "tanh": {"model.activation": "tanh", "model.kernel_init": "glorot_uniform"},
    "logistic": {"model.activation": "sigmoid", "model.kernel_init": "glorot_uniform"},
}
"""Each activation with the initialiser that the chapter gives it. He's is that of BASE."""


def measure(lab: Lab) -> Outcome:
    """Compare each activation with the next one in the chapter's order."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    parts = [better(arms, first, second) for first, second in pairwise(ARMS)]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="activations",
    statement="In general SELU > ELU > leaky ReLU > ReLU > tanh > logistic.",
    section="Nonsaturating activation functions",
    hypothesis="Each activation, with its initialiser and at its own best rate, beats the next one on the test images.",
    measure=measure,
    questions=(4,),
)
