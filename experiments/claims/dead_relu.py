"""ReLU units that die."""

from typing import Final

import numpy as np

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.contrasts import difference, mean, scaled
from experiments.lab.lab import BASE, Lab
from experiments.lab.signals import dead_share
from jaxdeep.analysis.differences import Difference

MOMENTUM: Final = {"optim.optimizer": "momentum", "train.epochs": 5, "data.train_size": 10_000}
RATES: Final = (0.003, 0.01, 0.03, 0.05, 0.07, 0.1)
SEEDS: Final = 10
ACTIVATIONS: Final = {"ReLU": "relu", "leaky ReLU": "leaky_relu", "ELU": "elu"}
UNIT: Final = "percent of hidden units"


def measure(lab: Lab) -> Outcome:
    """Train with growing rates, and count the hidden units that give nothing for any training image."""
    base = BASE.updated(MOMENTUM)
    shares: dict[tuple[str, float], list[float]] = {}
    for name, activation in ACTIVATIONS.items():
        for rate in RATES:
            config = base.updated({"model.activation": activation, "optim.learning_rate": rate})
            runs = lab.runs(config, seeds=SEEDS)
            shares[name, rate] = [dead_share(run) if not run.diverged else float("nan") for run in runs]
    by_rate = [np.asarray(shares["ReLU", rate]) for rate in RATES]
    usable = [own for own in by_rate if np.isfinite(own).mean() >= 0.5]
    largest, smallest = usable[-1], by_rate[0]
    most = max(usable, key=np.nanmean)
    parts = [
        Part(
            "dead at the largest rate",
            "At the largest rate at which half of the networks do not diverge, 1% of the units or more are dead.",
            _percent(largest),
            UNIT,
            1.0,
        ),
        Part(
            "at most half",
            "No more than half of the units are dead at the rate with the most dead units.",
            _percent(most),
            UNIT,
            -1.0,
            50.0,
        ),
        Part(
            "largest - smallest rate",
            "More units are dead at the largest of these rates than at the smallest.",
            scaled(difference(list(largest), list(smallest)), 100),
            UNIT,
        ),
    ]
    rows = [[name, *(_cell(shares[name, rate]) for rate in RATES)] for name in ACTIVATIONS]
    title = "Hidden units that never give more than 0, in percent, and the networks that did not diverge"
    table = Table(title, ["", *(f"{rate:g}" for rate in RATES)], rows)
    return Outcome(parts, [table], "10,000 of the training images, 5 x 100 units, 5 epochs of momentum")


def _cell(shares: list[float]) -> str:
    finite = [100 * share for share in shares if np.isfinite(share)]
    return f"{np.mean(finite):.1f} ({len(finite)} of {len(shares)})" if finite else "all diverged"


def _percent(shares: np.ndarray) -> Difference:
    return scaled(mean(list(shares)), 100)


CLAIM: Final = Claim(
    name="dead_relu",
    statement="ReLU units die: up to half of them, and more at large learning rates.",
    section="Nonsaturating activation functions",
    hypothesis="A dead unit gives 0 for all training images. More are dead at larger rates, and at most half.",
    measure=measure,
)
