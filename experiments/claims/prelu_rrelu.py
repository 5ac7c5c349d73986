"""PReLU on small sets, and RReLU as a regulariser."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import difference, scaled
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, Lab, arms_of, values_of
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table

FEW: Final = BASE.updated({"data.train_size": 2_000, "train.epochs": 40, "train.patience": 40})
"""A small set: 2,000 images for 40 epochs."""
ARMS: Final = {
    "leaky ReLU": {"model.activation": "leaky_relu"},
    "PReLU": {"model.activation": "prelu"},
    "RReLU": {"model.activation": "rrelu"},
}


def overfit(arm: Arm) -> list[float]:
    """Return the training accuracy without dropout less the test accuracy of each seed.

    Args:
        arm: Trained arm.
    """
    pairs = zip(values_of(arm, "train_accuracy"), values_of(arm, "test_accuracy"), strict=True)
    return [train - test for train, test in pairs]


def measure(lab: Lab) -> Outcome:
    """Compare the gaps between training and test accuracy on a small set."""
    arms = lab.tuned(arms_of(FEW, ARMS))
    gaps = {name: overfit(arm) for name, arm in arms.items()}
    parts = [
        Part(
            "gap, PReLU - leaky ReLU",
            "On few images PReLU overfits more than leaky ReLU.",
            scaled(difference(gaps["PReLU"], gaps["leaky ReLU"]), 100),
        ),
        Part(
            "gap, leaky ReLU - RReLU",
            "On few images RReLU overfits less than leaky ReLU.",
            scaled(difference(gaps["leaky ReLU"], gaps["RReLU"]), 100),
        ),
        better(arms, "RReLU", "leaky ReLU"),
    ]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], "2,000 training images, 5 x 100 units, 40 epochs")


CLAIM: Final = Claim(
    name="prelu_rrelu",
    statement="PReLU overfits small sets, RReLU acts as a regulariser.",
    section="Nonsaturating activation functions",
    hypothesis="The gap between training and test accuracy is larger with PReLU, and smaller with RReLU.",
    measure=measure,
)
