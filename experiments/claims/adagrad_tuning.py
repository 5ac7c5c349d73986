"""The range of good learning rates of AdaGrad."""

from typing import Final

import numpy as np

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.contrasts import difference
from experiments.lab.lab import BASE, Lab, arms_of
from jaxdeep import Trial
from jaxdeep.study.runner import train_all

RATES: Final = tuple(float(f"{10**exponent:.3g}") for exponent in np.arange(-4, 1.01, 0.5))
GOOD: Final = 1.1
"""Multiple of the lowest validation loss up to which a learning rate is a good one."""
OPTIMIZERS: Final = ("adagrad", "sgd", "momentum", "adam")
SEEDS: Final = 5


def good_decades(losses: dict[float, float]) -> float:
    """Return how many decades the good learning rates next to the best one span. Each rate stands for half a decade.

    Args:
        losses: Validation loss by learning rate. It is NaN for a diverged run.
    """
    rates = sorted(losses)
    finite = {rate: loss for rate, loss in losses.items() if np.isfinite(loss)}
    best = min(finite, key=lambda rate: finite[rate])
    good = [losses[rate] <= GOOD * finite[best] for rate in rates]
    first = last = rates.index(best)
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(rates) - 1 and good[last + 1]:
        last += 1
    return 0.5 * (last - first + 1)


def measure(lab: Lab) -> Outcome:
    """Train with eleven rates from 1e-4 to 10, and count the good ones of each seed."""
    base = BASE.updated({"train.epochs": 4, "train.patience": 4, "data.train_size": 10_000})
    widths: dict[str, list[float]] = {}
    for name, config in arms_of(base, {name: {"optim.optimizer": name} for name in OPTIMIZERS}).items():
        config = lab.shrunk(config)
        seeds = lab.seeds(SEEDS)
        trials = [Trial(config.updated({"optim.learning_rate": rate}), seed) for seed in seeds for rate in RATES]
        runs = train_all(trials, lab.rows(config))
        losses = [float("nan") if run.diverged else run.val_loss for run in runs]
        by_seed = [losses[index * len(RATES) : (index + 1) * len(RATES)] for index in range(len(seeds))]
        widths[name] = [good_decades(dict(zip(RATES, of, strict=True))) for of in by_seed]
    parts = [
        Part(
            f"adagrad - {name}",
            f"AdaGrad's good learning rates span more decades than {name}'s.",
            difference(widths["adagrad"], widths[name]),
            "decades of the learning rate",
        )
        for name in OPTIMIZERS[1:]
    ]
    rows = [[name, f"{np.mean(of):.2f}", ", ".join(f"{value:g}" for value in of)] for name, of in widths.items()]
    table = Table("Decades of good learning rates", ["optimizer", "mean", "by seed"], rows)
    return Outcome(parts, [table], "10,000 of the training images, 5 x 100 units, 4 epochs")


CLAIM: Final = Claim(
    name="adagrad_tuning",
    statement="AdaGrad needs less tuning of the learning rate.",
    section="Faster optimizers",
    hypothesis="The rates whose validation loss is within 10% of the best span more decades than others'.",
    measure=measure,
)
