"""How much dropout slows convergence."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import epochs_ratio, target_cells, target_of
from experiments.lab.tables import arms_table, rates_table

ARMS: Final = {
    "no dropout": {},
    "dropout": {"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.2},
}


def measure(lab: Lab) -> Outcome:
    """Compare the epochs to a common loss with and without dropout."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    part = epochs_ratio(arms, "dropout", "no dropout", 1.5, 3.0, "in 1.5 to 3 times the epochs of")
    cells = target_cells(arms, target_of(list(arms.values())))
    return Outcome([part], [arms_table(arms, cells), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="dropout_halves",
    statement="Dropout about halves the speed of convergence.",
    section="Dropout",
    hypothesis="With dropout of .2 a common loss takes 1.5 to 3 times as many epochs.",
    measure=measure,
    sources=("000", "001", "003", "004"),
    questions=(7,),
)
