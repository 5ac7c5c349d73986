"""Batch normalisation: speed, accuracy, learning rates, time, and inputs that are not scaled."""

from typing import Final

import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import epochs_to, ratio
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.parts import better, epochs_ratio, same, target_cells, target_of
from experiments.lab.tables import arms_table, estimate_text, rates_table
from experiments.lab.timing import NOTE, epoch_seconds
from jaxdeep import Config, Trial
from jaxdeep.study.runner import train_all

MOMENTUM: Final = BASE.updated({"optim.optimizer": "momentum", "optim.learning_rate": 0.01})
ARMS: Final = {
    "plain": {},
    "BN": {"model.batch_norm": True},
    "BN, raw inputs": {"model.batch_norm": True, "model.batch_norm_input": True, "data.scaling": "none"},
}
RATES: Final = tuple(float(f"{10**exponent:.3g}") for exponent in np.arange(-2, 2.01, 0.25))
STABLE: Final = 1.5
"""Validation loss in nats below which a network has learned. That of equal probabilities is 2.3."""


def largest_stable(lab: Lab, config: Config) -> list[float]:
    """Return the largest learning rate up to which a network learns in two epochs, for each seed.

    Args:
        lab: Laboratory with the rows.
        config: Configuration of the network.
    """
    short = lab.shrunk(config.updated({"data.train_size": 5_000, "train.epochs": 2, "train.patience": 2}))
    seeds = lab.seeds(5)
    trials = [Trial(short.updated({"optim.learning_rate": rate}), seed) for seed in seeds for rate in RATES]
    runs = train_all(trials, lab.rows(short))
    learned = [not run.diverged and run.history[-1].val_loss < STABLE for run in runs]
    by_seed = [learned[index * len(RATES) : (index + 1) * len(RATES)] for index in range(len(seeds))]
    return [max((rate for rate, is_stable in zip(RATES, of, strict=True) if is_stable), default=0.0) for of in by_seed]


def measure(lab: Lab) -> Outcome:
    """Compare networks with and without batch normalisation, each at its own best rate."""
    configs = arms_of(MOMENTUM, ARMS)
    arms = lab.tuned({name: config for name, config in configs.items() if name != "BN, raw inputs"})
    arms |= lab.tuned({"BN, raw inputs": configs["BN, raw inputs"]})
    seconds = epoch_seconds(lab, {name: configs[name] for name in ("plain", "BN")})
    stable = {name: largest_stable(lab, configs[name]) for name in ("plain", "BN")}
    target = target_of([arms["plain"], arms["BN"]])
    epochs = {name: epochs_to(arms[name], target) for name in ("plain", "BN")}
    needed = {name: [count * float(np.median(seconds[name])) for count in epochs[name]] for name in epochs}
    parts = [
        epochs_ratio(arms, "BN", "plain"),
        better(arms, "BN", "plain"),
        Part(
            "largest stable rate, BN / plain",
            "It allows larger learning rates.",
            ratio(stable["BN"], stable["plain"]),
            RATIO,
            1.0,
        ),
        Part(
            "seconds an epoch, BN / plain",
            "An epoch takes 1.25 to 1.75 times as long.",
            ratio(seconds["BN"], seconds["plain"]),
            RATIO,
            1.25,
            1.75,
        ),
        Part(
            "seconds to target, BN / plain",
            "In all it takes less time to a common loss.",
            ratio(needed["BN"], needed["plain"]),
            RATIO,
            0.0,
            1.0,
        ),
        same(arms, "BN, raw inputs", "BN"),
    ]
    rows = [[name, estimate_text(stable[name], 2), estimate_text(seconds[name], 3)] for name in stable]
    table = Table("Largest stable learning rate, seconds an epoch", ["", "largest rate", "seconds an epoch"], rows)
    reduced = "20,000 of the training images, 5 x 100 units, 10 epochs of momentum; rates up to 100 on 5,000 images"
    return Outcome(parts, [arms_table(arms, target_cells(arms, target)), table, rates_table(arms)], reduced, NOTE)


CLAIM: Final = Claim(
    name="bn",
    statement=(
        "Batch normalisation converges faster, ends better, allows larger rates, costs half as much again an epoch, "
        "takes less time in all, and can replace the scaling of inputs."
    ),
    section="Batch normalisation",
    hypothesis="Six parts, with momentum at its own best rate: epochs, accuracy, rates, seconds, time, raw inputs.",
    measure=measure,
)
