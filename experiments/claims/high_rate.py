"""A learning rate that is slightly too high."""

from typing import Final

import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part
from experiments.lab.contrasts import difference, ratio
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, Lab
from experiments.lab.tables import arms_table, rates_table

SMALL: Final = BASE.updated(
    {
        "data.train_size": 4_000,
        "optim.optimizer": "sgd",
        "optim.learning_rate": 0.01,
        "train.epochs": 40,
        "train.patience": 40,
    }
)
"""Plain SGD on 4,000 images: an epoch has 125 steps."""
FACTORS: Final = (1, 2, 4)


def first_losses(arm: Arm) -> list[float]:
    """Return the mean training loss of the first epoch of each seed.

    Args:
        arm: Trained arm.
    """
    return [history[0].train_loss for history in arm.study.histories]


def dance(arm: Arm) -> list[float]:
    """Return the mean absolute change of the validation loss over the second half of the epochs, for each seed.

    Args:
        arm: Trained arm.
    """
    halves = [[record.val_loss for record in history[len(history) // 2 :]] for history in arm.study.histories]
    return [float(np.abs(np.diff(half)).mean()) for half in halves]


def measure(lab: Lab) -> Outcome:
    """Train at the best rate, and at 2 and 4 times that rate."""
    best = lab.tuned({"1 x": SMALL})["1 x"]
    configs = {f"{factor} x": SMALL.updated({"optim.learning_rate": best.rate * factor}) for factor in FACTORS}
    arms = lab.trained(configs)
    parts = []
    for factor in FACTORS[1:]:
        high = arms[f"{factor} x"]
        words = f"At {factor} times the best rate the first epoch's loss is lower."
        early = difference(first_losses(arms["1 x"]), first_losses(high))
        parts.append(Part(f"first epoch, 1 x - {factor} x", words, early, "nats"))
        words = f"At {factor} times the best rate the validation loss dances more in the second half."
        parts.append(Part(f"dance, {factor} x / 1 x", words, ratio(dance(high), dance(arms["1 x"])), RATIO, 1.0))
    return Outcome(
        parts, [arms_table(arms), rates_table({"1 x": best})], "4,000 training images, 5 x 100 units, 40 epochs"
    )


CLAIM: Final = Claim(
    name="high_rate",
    statement="A slightly too high learning rate makes fast progress at first, and then dances round the optimum.",
    section="Learning-rate schedules",
    hypothesis="At 2 and 4 times the best rate the first loss is lower, and the validation loss changes more later.",
    measure=measure,
)
