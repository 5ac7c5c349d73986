"""Learning-rate schedules: one optimizer, one batch size."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.parts import better, epochs_ratio, target_cells, target_of
from experiments.lab.tables import arms_table, rates_table

MOMENTUM: Final = BASE.updated({"optim.optimizer": "momentum", "optim.learning_rate": 0.01})
ARMS: Final = {
    "constant": {},
    "power": {"schedule.kind": "power", "schedule.decay_steps": 1_250},
    "exponential": {"schedule.kind": "exponential", "schedule.decay_epochs": 8.0},
    "piecewise": {
        "schedule.kind": "piecewise",
        "schedule.boundaries_epochs": (4, 8),
        "schedule.factors": (1.0, 0.3, 0.1),
    },
    "performance": {"schedule.kind": "plateau", "schedule.factor": 0.3, "schedule.patience_epochs": 1},
    "1cycle": {"schedule.kind": "onecycle"},
}
"""Schedules as the chapter has them, shortened with the number of epochs."""


def measure(lab: Lab) -> Outcome:
    """Compare schedules of momentum in batches of 32, each at its own best rate."""
    arms = lab.tuned(arms_of(MOMENTUM, ARMS))
    parts = [
        *(better(arms, name, "power") for name in ("performance", "exponential")),
        *(better(arms, name, "constant") for name in ("performance", "exponential", "1cycle")),
        *(epochs_ratio(arms, "1cycle", name) for name in ("performance", "exponential", "power")),
    ]
    cells = target_cells(arms, target_of(list(arms.values())))
    return Outcome(parts, [arms_table(arms, cells), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="schedules",
    statement="Performance and exponential scheduling do best, power scheduling is easy, 1cycle is fastest.",
    section="Learning-rate schedules",
    hypothesis="The first two beat power and a constant rate. 1cycle beats a constant rate, and is soonest.",
    measure=measure,
)
