"""ReLU units that die."""

from typing import Final

import numpy as np

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.contrasts import difference, mean, scaled
from experiments.lab.lab import BASE, Lab
from experiments.lab.signals import dead_share
from jaxdeep.analysis.differences import Difference

MOMENTUM: Final = {"optim.optimizer": "momentum", "train.epochs": 5, "data.train_size": 10_000}
RATES: Final = (0.003, 0.01, 0.03, 0.1)
ACTIVATIONS: Final = {"ReLU": "relu", "leaky ReLU": "leaky_relu", "ELU": "elu"}
UNIT: Final = "percent of hidden units"


def measure(lab: Lab) -> Outcome:
    """Train with growing rates, and count the hidden units that give nothing for any training image."""
    base = BASE.updated(MOMENTUM)
    shares: dict[tuple[str, float], list[float]] = {}
    for name, activation in ACTIVATIONS.items():
        for rate in RATES:
            config = base.updated({"model.activation": activation, "optim.learning_rate": rate})
            runs = lab.runs(config, seeds=5)
            shares[name, rate] = [dead_share(run) if not run.diverged else float("nan") for run in runs]
    relu = [shares["ReLU", rate] for rate in RATES]
    usable = [own for own in relu if np.isfinite(own).sum() > 1]
    parts = [
        Part(
            "dead at the largest rate",
            "At the largest rate at least 1% of the units are dead.",
            _percent(usable[-1]),
            UNIT,
            1.0,
        ),
        Part(
            "at most half",
            "No more than half of the units are dead at any rate.",
            _percent(usable[-1]),
            UNIT,
            -1.0,
            50.0,
        ),
        Part(
            "largest - smallest rate",
            "More units are dead at the largest rate than at the smallest.",
            scaled(difference(usable[-1], usable[0]), 100),
            UNIT,
        ),
    ]
    rows = [
        [
            name,
            *(
                f"{100 * np.nanmean(shares[name, rate]):.1f}" if np.isfinite(shares[name, rate]).any() else "diverged"
                for rate in RATES
            ),
        ]
        for name in ACTIVATIONS
    ]
    table = Table("Dead units in percent, by learning rate", ["", *(f"{rate:g}" for rate in RATES)], rows)
    return Outcome(parts, [table], "10,000 of the training images, 5 x 100 units, 5 epochs of momentum")


def _percent(shares: list[float]) -> Difference:
    return scaled(mean(shares), 100)


CLAIM: Final = Claim(
    name="dead_relu",
    statement="ReLU units die: up to half of them, and more at large learning rates.",
    section="Nonsaturating activation functions",
    hypothesis="A dead unit gives 0 for all training images. More are dead at larger rates, and at most half.",
    measure=measure,
)
