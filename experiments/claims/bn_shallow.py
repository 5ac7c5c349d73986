"""Batch normalisation in shallow and in deep networks."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import difference, scaled
from experiments.lab.lab import BASE, Lab, arms_of, values_of
from experiments.lab.parts import epochs_ratio
from experiments.lab.tables import arms_table, rates_table

SHALLOW: Final = {"model.units": (100,) * 2}
DEEP: Final = {"model.units": (100,) * 20}
BN: Final = {"model.batch_norm": True}
ARMS: Final = {
    "2 layers": SHALLOW,
    "2 layers, BN": {**SHALLOW, **BN},
    "20 layers": DEEP,
    "20 layers, BN": {**DEEP, **BN},
}


def measure(lab: Lab) -> Outcome:
    """Compare what batch normalisation gains in 2 and in 20 layers."""
    base = BASE.updated({"data.train_size": 10_000})
    arms = lab.tuned(arms_of(base, ARMS), seeds=8, search_seeds=1)
    gains = {
        depth: [
            normed - plain
            for normed, plain in zip(
                values_of(arms[f"{depth}, BN"], "test_accuracy"), values_of(arms[depth], "test_accuracy"), strict=True
            )
        ]
        for depth in ("2 layers", "20 layers")
    }
    parts = [
        Part(
            "gain of BN, 20 - 2 layers",
            "Batch normalisation gains more in 20 layers than in 2.",
            scaled(difference(gains["20 layers"], gains["2 layers"]), 100),
        ),
        epochs_ratio(arms, "2 layers, BN", "2 layers", 1.0, float("inf"), "later than"),
    ]
    reduced = "10,000 of the training images, layers of 100 units, 10 epochs"
    return Outcome(parts, [arms_table(arms), rates_table(arms)], reduced)


CLAIM: Final = Claim(
    name="bn_shallow",
    statement="Batch normalisation matters little in shallow networks, and slows convergence there.",
    section="Batch normalisation",
    hypothesis="Its gain is larger in 20 layers than in 2, and in 2 layers it takes more epochs to a common loss.",
    measure=measure,
    sources=("001",),
)
