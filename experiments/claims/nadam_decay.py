"""The decay of the momentum in Nadam: .96^t or .96^(.004 t)."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import same
from experiments.lab.tables import arms_table, rates_table

ARMS: Final = {"d = 1": {"optim.momentum_decay": 1.0}, "d = .004": {"optim.momentum_decay": 0.004}}
"""Keras 3's Nadam, and that of TensorFlow 2 and PyTorch."""


def measure(lab: Lab) -> Outcome:
    """Compare the two momentum schedules of Nadam."""
    arms = lab.tuned(arms_of(BASE, ARMS))
    return Outcome([same(arms, "d = 1", "d = .004")], [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="nadam_decay",
    statement="Does it matter whether Nadam's momentum schedule is .96^t or .96^(.004 t)?",
    section="Faster optimizers",
    hypothesis="It does not: both end within half a point of test accuracy of each other, each at its own best rate.",
    measure=measure,
)
