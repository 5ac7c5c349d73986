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


def slowdown(lab: Lab, low: float, high: float, words: str) -> Outcome:
    """Compare the epochs to a common loss with and without dropout.

    Args:
        lab: Laboratory that trains both.
        low: Lower end of the ratio that a claim says.
        high: Upper end of the ratio that a claim says.
        words: Words of the claim between the names of the two networks.
    """
    arms = lab.tuned(arms_of(BASE, ARMS))
    part = epochs_ratio(arms, "dropout", "no dropout", low, high, words)
    cells = target_cells(arms, target_of(list(arms.values())))
    return Outcome([part], [arms_table(arms, cells), rates_table(arms)], REDUCED)


def measure(lab: Lab) -> Outcome:
    """Test whether dropout takes about twice the epochs."""
    return slowdown(lab, 1.5, 3.0, "in 1.5 to 3 times the epochs of")


CLAIM: Final = Claim(
    name="dropout_halves",
    statement="Dropout about halves the speed of convergence.",
    section="Dropout",
    hypothesis="With dropout of .2 a common loss takes 1.5 to 3 times as many epochs.",
    measure=measure,
    sources=("000", "001", "003", "004"),
    questions=(7,),
)
