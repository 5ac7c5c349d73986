"""What dropout gains when it is tuned, by the width of the layers."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import accuracy, difference, scaled
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, Lab, arms_of, values_of
from experiments.lab.tables import arms_table, rates_table

WIDE: Final = {"model.units": (300,) * 2, "optim.learning_rate": 1e-3}
NARROW: Final = {"model.units": (30,) * 2}
SITES: Final = {"model.dropout_sites": "every"}
RATES: Final = {"small": 0.1, "large": 0.4}
"""Dropout rates."""
ARMS: Final = {
    "wide": WIDE,
    "wide, small": {**WIDE, **SITES, "model.dropout_rate": RATES["small"]},
    "wide, large": {**WIDE, **SITES, "model.dropout_rate": RATES["large"]},
    "narrow": NARROW,
    "narrow, small": {**NARROW, **SITES, "model.dropout_rate": RATES["small"]},
    "narrow, large": {**NARROW, **SITES, "model.dropout_rate": RATES["large"]},
}


def gains(arms: dict[str, Arm], width: str, rate: str) -> list[float]:
    """Return what a dropout rate gains in test accuracy, seed by seed.

    Args:
        arms: Trained arms by name.
        width: "wide" or "narrow".
        rate: "small" or "large".
    """
    pairs = zip(
        values_of(arms[f"{width}, {rate}"], "test_accuracy"), values_of(arms[width], "test_accuracy"), strict=True
    )
    return [with_dropout - without for with_dropout, without in pairs]


def measure(lab: Lab) -> Outcome:
    """Compare dropout rates in wide and in narrow layers."""
    arms = lab.tuned(arms_of(BASE, ARMS), search_seeds=1)
    best = max(RATES, key=lambda rate: sum(values_of(arms[f"wide, {rate}"], "val_accuracy")))
    large = difference(gains(arms, "wide", "large"), gains(arms, "narrow", "large"))
    parts = [
        Part(
            "gain of dropout",
            "The rate that is best on the validation images gains 1 to 2 points of test accuracy in wide layers.",
            accuracy(arms[f"wide, {best}"], arms["wide"]),
            low=1.0,
            high=2.0,
        ),
        Part(
            "gain of .4, wide - narrow",
            "A rate of .4 gains more, or loses less, in layers of 300 units than in layers of 30.",
            scaled(large, 100),
        ),
    ]
    return Outcome(
        parts, [arms_table(arms), rates_table(arms)], "20,000 of the training images, 2 hidden layers, 10 epochs"
    )


CLAIM: Final = Claim(
    name="dropout_gains",
    statement="Dropout adds 1 to 2 points when it is tuned. Larger layers take larger rates.",
    section="Dropout",
    hypothesis="The better of .1 and .4 gains 1 to 2 points at 300 units a layer. .4 suits 300 units better than 30.",
    measure=measure,
)
