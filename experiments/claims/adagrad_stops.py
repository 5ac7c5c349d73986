"""AdaGrad stops too early."""

from typing import Final

import numpy as np

from experiments.claims.optimizers import arms_named
from experiments.lab.claim import RATIO, Claim, Outcome, Part
from experiments.lab.contrasts import ratio
from experiments.lab.kept import Arm
from experiments.lab.lab import REDUCED, Lab
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table


def late_gain(arm: Arm) -> list[float]:
    """Return by how much the training loss falls in the second half of the epochs, seed by seed, in nats.

    Args:
        arm: Trained arm.
    """
    return [history[len(history) // 2 - 1].train_loss - history[-1].train_loss for history in arm.study.histories]


def measure(lab: Lab) -> Outcome:
    """Compare how much AdaGrad and momentum still learn in the second half of the epochs."""
    arms = arms_named(lab, "adagrad", "momentum")
    gains = {name: list(np.maximum(late_gain(arm), 1e-9)) for name, arm in arms.items()}
    parts = [
        Part(
            "late fall of the training loss, AdaGrad / momentum",
            "In the second half of the epochs AdaGrad's training loss falls less than momentum's.",
            ratio(gains["adagrad"], gains["momentum"]),
            RATIO,
            0.0,
            1.0,
        ),
        better(arms, "momentum", "adagrad"),
    ]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="adagrad_stops",
    statement="AdaGrad slows down too much, and stops before it is there.",
    section="Faster optimizers",
    hypothesis="AdaGrad's training loss falls less in the second half of the epochs, and its test accuracy is lower.",
    measure=measure,
)
