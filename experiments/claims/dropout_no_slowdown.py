"""No significant slow-down by dropout."""

from typing import Final

from experiments.claims.dropout_halves import ARMS
from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import epochs_ratio, target_cells, target_of
from experiments.lab.tables import arms_table, rates_table


def measure(lab: Lab) -> Outcome:
    """Compare the epochs to a common loss with and without dropout."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    part = epochs_ratio(arms, "dropout", "no dropout", 0.0, 1.25, "in less than 1.25 times the epochs of")
    cells = target_cells(arms, target_of(list(arms.values())))
    return Outcome([part], [arms_table(arms, cells), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="dropout_no_slowdown",
    statement="Dropout brings no significant slow-down.",
    section="Dropout",
    hypothesis="With dropout of .2 a common loss takes less than 1.25 times as many epochs.",
    measure=measure,
    sources=("002",),
    questions=(7,),
)
