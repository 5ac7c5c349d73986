"""SELU > ELU > leaky ReLU > ReLU > tanh > logistic."""

from itertools import pairwise
from typing import Final

from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import accuracy
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.tables import arms_table, rates_table

ARMS: Final = {
    "SELU": {"model.activation": "selu", "model.kernel_init": "lecun_normal"},
    "ELU": {"model.activation": "elu", "model.kernel_init": "he_normal"},
    "leaky ReLU": {"model.activation": "leaky_relu", "model.kernel_init": "he_normal"},
    "ReLU": {"model.activation": "relu", "model.kernel_init": "he_normal"},
    "tanh": {"model.activation": "tanh", "model.kernel_init": "glorot_uniform"},
    "logistic": {"model.activation": "sigmoid", "model.kernel_init": "glorot_uniform"},
}


def measure(lab: Lab) -> Outcome:
    """Compare each activation with the next one in the chapter's order."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    parts = [
        Part(
            f"{better} - {worse}",
            f"{better} reaches a higher test accuracy than {worse}.",
            accuracy(arms[better], arms[worse]),
            margin=0.5,
        )
        for better, worse in pairwise(ARMS)
    ]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="activations",
    statement="In general SELU > ELU > leaky ReLU > ReLU > tanh > logistic.",
    section="Nonsaturating activation functions",
    hypothesis="Each activation, with its initialiser and at its own best rate, beats the next one on the test images.",
    measure=measure,
    questions=(4,),
)
