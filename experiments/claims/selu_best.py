"""SELU against ELU and against batch normalisation."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better, epochs_ratio, target_cells, target_of
from experiments.lab.tables import arms_table, rates_table

SELU: Final = {"model.activation": "selu", "model.kernel_init": "lecun_normal"}
ARMS: Final = {"SELU": SELU, "ELU": {}, "ReLU": {"model.activation": "relu"}, "ELU and BN": {"model.batch_norm": True}}


def measure(lab: Lab) -> Outcome:
    """Compare SELU on standardised inputs with other networks, in accuracy and in epochs."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    others = [name for name in ARMS if name != "SELU"]
    parts = [better(arms, "SELU", name) for name in others] + [epochs_ratio(arms, "SELU", name) for name in others]
    cells = target_cells(arms, target_of(list(arms.values())))
    return Outcome(parts, [arms_table(arms, cells), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="selu_best",
    statement="SELU alone learns faster and better than the others, even with batch normalisation.",
    section="Nonsaturating activation functions",
    hypothesis="SELU beats ELU, ReLU, and ELU with batch normalisation, in test accuracy and in epochs to a target.",
    measure=measure,
    sources=("000",),
    questions=(3,),
)
