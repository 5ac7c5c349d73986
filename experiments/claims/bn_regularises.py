"""Batch normalisation and the other regularisers."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better, not_better
from experiments.lab.tables import arms_table, rates_table

BN: Final = {"model.batch_norm": True}
L2: Final = {"regularize.l2": 1e-4}
DROPOUT: Final = {"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.1}
ARMS: Final = {
    "plain": {},
    "l2": L2,
    "dropout": DROPOUT,
    "BN": BN,
    "BN and l2": {**BN, **L2},
    "BN and dropout": {**BN, **DROPOUT},
}


def measure(lab: Lab) -> Outcome:
    """Compare regularisers with and without batch normalisation."""
    arms = lab.tuned(arms_of(BASE, ARMS), search_seeds=1)
    parts = [
        better(arms, "dropout", "plain"),
        better(arms, "l2", "plain"),
        not_better(arms, "BN and dropout", "BN"),
        not_better(arms, "BN and l2", "BN"),
    ]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="bn_regularises",
    statement="Batch normalisation removes the need for other regularisers.",
    section="Batch normalisation",
    hypothesis="Dropout (.1) and l2 (1e-4) help without it, and gain less than half a point with it.",
    measure=measure,
)
