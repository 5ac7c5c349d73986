"""A momentum of .99999, and of .9 on a constant gradient."""

from typing import Final

import numpy as np

from experiments.figures.bowl import START, path, speeds
from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import exact
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.parts import epochs_ratio, target_cells, target_of
from experiments.lab.tables import arms_table, rates_table
from jaxdeep import Optim

STEPS: Final = 20_000


def crossings(positions: np.ndarray) -> int:
    """Return how often a path crosses the minimum at 0.

    Args:
        positions: Position after each step.
    """
    return int((np.sign(positions[1:]) != np.sign(positions[:-1])).sum())


ARMS: Final = {"beta .9": {}, "beta .99999": {"optim.beta_1": 0.99999}}


def measure(lab: Lab) -> Outcome:
    """Follow momentum on a slope and in a bowl, and train networks with it."""
    near_one, usual = (path(Optim("momentum", 0.01, beta_1=beta), STEPS)[:, 0] / START[0] for beta in (0.99999, 0.9))
    base = BASE.updated({"optim.optimizer": "momentum", "optim.learning_rate": 0.01})
    arms = lab.tuned(arms_of(base, ARMS), seeds=5)
    parts = [
        Part(
            "speed on a slope, beta .9",
            "The steps come to 10 times the plain ones.",
            exact(float(speeds(0.9)[-1]), 1),
            RATIO_OF,
            9.9,
            10.1,
        ),
        Part(
            "crossings, beta .99999",
            "It crosses the minimum more than 100 times in 20,000 steps.",
            exact(crossings(near_one), 1),
            "crossings",
            100,
        ),
        Part(
            "amplitude left",
            "After 20,000 steps more than half of the first amplitude is left.",
            exact(float(np.abs(near_one[-1_000:]).max()), 1),
            "share of the first amplitude",
            0.5,
        ),
        Part(
            "amplitude left, beta .9",
            "With .9 it has converged.",
            exact(float(np.abs(usual[-1_000:]).max()), 1),
            "share of the first amplitude",
            -1,
            1e-6,
        ),
        epochs_ratio(arms, "beta .99999", "beta .9", 1.0, float("inf"), "later than"),
    ]
    cells = target_cells(arms, target_of(list(arms.values())))
    reduced = "20,000 of the training images, 5 x 100 units, 10 epochs; a bowl along its axis"
    return Outcome(parts, [arms_table(arms, cells), rates_table(arms)], reduced)


RATIO_OF: Final = "times the plain step"

CLAIM: Final = Claim(
    name="momentum_near_one",
    statement="A momentum of .99999 overshoots and oscillates. With .9 it goes 10 times faster on a constant gradient.",
    section="Faster optimizers",
    hypothesis="The speed on a slope is 1 / (1 - beta). With .99999 a bowl's minimum is crossed again and again.",
    measure=measure,
    questions=(5,),
)
