"""Table 11-2: the speed and the quality of optimizers."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Table
from experiments.lab.contrasts import epochs_to
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of, values_of
from experiments.lab.parts import better, epochs_ratio, target_of
from experiments.lab.tables import arms_table, estimate_text, rates_table

STARS: Final = {
    "sgd": ("*", "***"),
    "momentum": ("**", "***"),
    "nesterov": ("**", "***"),
    "adagrad": ("***", "* (stops too early)"),
    "rmsprop": ("***", "** or ***"),
    "adam": ("***", "** or ***"),
    "nadam": ("***", "** or ***"),
    "adamax": ("***", "** or ***"),
}
"""Speed and quality of each optimizer as Table 11-2 prints them."""


def arms_named(lab: Lab, *names: str) -> dict[str, Arm]:
    """Return optimizers at their own best learning rates. All claims on optimizers share these networks.

    Args:
        lab: Laboratory that trains what is missing.
        names: Names of optimizers.
    """
    return lab.tuned(arms_of(BASE, {name: {"optim.optimizer": name} for name in names}))


def duel(lab: Lab, first: str, second: str) -> Outcome:
    """Compare two optimizers in accuracy and in epochs to a common loss.

    Args:
        lab: Laboratory that trains both.
        first: Name of the optimizer that a claim prefers.
        second: Name of the other optimizer.
    """
    arms = arms_named(lab, first, second)
    parts = [better(arms, first, second), epochs_ratio(arms, first, second)]
    return Outcome(parts, [arms_table(arms), rates_table(arms)], REDUCED)


def measure(lab: Lab) -> Outcome:
    """Measure speed and quality of all optimizers of the table."""
    arms = arms_named(lab, *STARS)
    target = target_of(list(arms.values()))
    rows = [
        [name, *STARS[name], estimate_text(epochs_to(arm, target), 1), estimate_text(values_of(arm, "test_accuracy"))]
        for name, arm in arms.items()
    ]
    columns = ["optimizer", "speed, as printed", "quality, as printed", f"epochs to {target:.3f}", "test accuracy"]
    printed = Table("Table 11-2, as printed and as measured", columns, rows)
    parts = [
        *(epochs_ratio(arms, name, "sgd") for name in ("momentum", "adagrad", "rmsprop", "adam")),
        *(better(arms, name, "adagrad") for name in ("sgd", "momentum", "adam")),
    ]
    return Outcome(parts, [printed, arms_table(arms), rates_table(arms)], REDUCED)


CLAIM: Final = Claim(
    name="optimizers",
    statement="Table 11-2: momentum is faster than SGD, adaptive optimizers are faster still. AdaGrad ends worst.",
    section="Faster optimizers",
    hypothesis="Momentum, AdaGrad, RMSProp and Adam reach SGD's loss sooner. AdaGrad's accuracy is the lowest.",
    measure=measure,
)
