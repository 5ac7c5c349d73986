"""SELU's moments after training, with each breaker."""

from typing import Final

import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import log_mean, ratio
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.signals import moments_of_run

SELU: Final = BASE.updated(
    {
        "data.train_size": 10_000,
        "model.units": (100,) * 20,
        "model.activation": "selu",
        "model.kernel_init": "lecun_normal",
        "optim.learning_rate": 3e-4,
        "train.epochs": 5,
    }
)
ARMS: Final = {
    "SELU": {},
    "dropout .1": {"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.1},
    "l2 1e-3": {"regularize.l2": 1e-3},
    "max-norm 1": {"regularize.max_norm": 1.0, "regularize.constrained": "hidden"},
    "skips": {"model.skip": True},
}
KEPT: Final = 0.5
"""Smallest standard deviation of the last hidden layer that counts as kept, and 1 over the largest."""


def measure(lab: Lab) -> Outcome:
    """Train 20 SELU layers, and compare the last hidden layer's standard deviation with the plain network's."""
    stds = {
        name: [moments_of_run(run).std for run in lab.runs(config, seeds=5)]
        for name, config in arms_of(SELU, ARMS).items()
    }
    last = {name: [float(of[-1]) for of in own] for name, own in stds.items()}
    words = "After training the last hidden layer's standard deviation lies between 0.5 and 2."
    parts = [Part("SELU", words, log_mean(last["SELU"]), RATIO, KEPT, 1 / KEPT)]
    for name in ("dropout .1", "skips"):
        words = f"With {name} the standard deviation is more than 1.43 times the plain network's."
        parts.append(Part(f"{name} / SELU", words, ratio(last[name], last["SELU"]), RATIO, 1.43))
    for name in ("l2 1e-3", "max-norm 1"):
        words = f"With {name} the standard deviation is less than 0.7 of the plain network's."
        parts.append(Part(f"{name} / SELU", words, ratio(last[name], last["SELU"]), RATIO, 0.0, 0.7))
    rows = [
        [name, *(f"{np.mean([of[layer] for of in own]):.3f}" for layer in (0, 9, 19))] for name, own in stds.items()
    ]
    table = Table("Standard deviation of hidden layers after training", ["", "1", "10", "20"], rows)
    return Outcome(parts, [table], "10,000 of the training images, 20 x 100 units, 5 epochs at a rate of 3e-4")


CLAIM: Final = Claim(
    name="self_normalising_trained",
    statement="l2, max-norm, dropout and skip connections break SELU's self-normalisation.",
    section="Nonsaturating activation functions",
    hypothesis="After training, the last hidden layer's standard deviation differs by 1.43 or more from plain SELU's.",
    measure=measure,
    questions=(3,),
)
