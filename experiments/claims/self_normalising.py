"""SELU through 1,000 layers, and what breaks it."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import log_mean, mean
from experiments.lab.lab import Lab
from experiments.lab.signals import Moments, moments_at_start
from jaxdeep import Model

SELU: Final = Model(units=(100,) * 1_000, activation="selu", kernel_init="lecun_normal")
EVERY: Final = 100
KEPT: Final = 0.7
"""Smallest standard deviation that counts as kept after 1,000 layers, and 1 over the largest."""
BREAKERS: Final[dict[str, dict[str, Any]]] = {
    "dropout .1": {"dropout_sites": "after_hidden", "dropout_rate": 0.1},
    "skips": {"skip": True},
    "He": {"kernel_init": "he_normal"},
    "ELU": {"activation": "elu"},
}
"""Changes that break self-normalisation, as the chapter says or as it follows."""


def moments(seed: int, *, mean: float = 0.0, **changes: Any) -> Moments:
    """Return the moments of every hundredth layer.

    Args:
        seed: Seed of the weights and the inputs.
        mean: Mean of the inputs.
        changes: Changed fields of the model.
    """
    model = replace(SELU, **changes)
    rate = float(np.max(model.dropout_rate))
    return moments_at_start(model, seed, every=EVERY, mean=mean, dropout_rate=rate, gradients=False)


def measure(lab: Lab) -> Outcome:
    """Send standard-normal rows through 1,000 SELU layers, plain and with each breaker."""
    seeds = lab.seeds(10)
    found = {"SELU": [moments(seed) for seed in seeds]}
    found["SELU, inputs of mean 3"] = [moments(seed, mean=3.0) for seed in seeds]
    found |= {name: [moments(seed, **changes) for seed in seeds] for name, changes in BREAKERS.items()}
    plain, shifted = found["SELU"], found["SELU, inputs of mean 3"]
    parts = [
        Part(
            "standard deviation",
            "After 1,000 layers the standard deviation lies between 0.7 and 1.43.",
            log_mean([of.std[-1] for of in plain]),
            RATIO,
            KEPT,
            1 / KEPT,
        ),
        Part(
            "mean",
            "After 1,000 layers the mean lies within 0.2 of 0.",
            mean([of.mean[-1] for of in plain]),
            "",
            -0.2,
            0.2,
        ),
        Part(
            "standard deviation, inputs of mean 3",
            "Inputs of mean 3 come back to a standard deviation between 0.7 and 1.43.",
            log_mean([of.std[-1] for of in shifted]),
            RATIO,
            KEPT,
            1 / KEPT,
        ),
    ]
    for name in BREAKERS:
        moved = [abs(float(np.log(of.std[-1]))) for of in found[name]]
        words = f"With {name} the standard deviation after 1,000 layers leaves the range 0.7 to 1.43."
        finite = [min(of, 200.0) if np.isfinite(of) else 200.0 for of in moved]
        parts.append(Part(f"broken by {name}", words, mean(finite), "absolute log of the std", -float(np.log(KEPT))))
    rows = [
        [name, *(f"{np.mean([of.std[layer] for of in own]):.3g}" for layer in (0, 4, 9))] for name, own in found.items()
    ]
    table = Table("Standard deviation by layer, mean over seeds", ["", "100", "500", "1,000"], rows)
    return Outcome(
        parts, [table], notes="500 rows, 100 units a layer, initial weights. Overflow counts as a log of 200."
    )


CLAIM: Final = Claim(
    name="self_normalising",
    statement="SELU layers self-normalise, even 1,000 of them. Dropout and skip connections break it.",
    section="Nonsaturating activation functions",
    hypothesis="The last layer's standard deviation stays in 0.7 .. 1.43 with SELU, and leaves it with each breaker.",
    measure=measure,
    sources=("001",),
    questions=(3,),
    dataset=None,
)
