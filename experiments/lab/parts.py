"""Parts that many claims have: one arm is better than, equal to, or sooner than another."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from experiments.lab.claim import INFINITY, RATIO, Part
from experiments.lab.contrasts import accuracy, epochs_to, never_reached, ratio
from experiments.lab.kept import Arm
from experiments.lab.lab import values_of

HALF_A_POINT: Final = 0.5
"""Smallest effect of interest, in points of accuracy."""
CLOSE_TO_BEST: Final = 1.05
"""Multiple of a lowest mean loss at which a target lies."""


def better(arms: Mapping[str, Arm], first: str, second: str, margin: float = HALF_A_POINT) -> Part:
    """Return the part that the first arm has a higher test accuracy than the second.

    Args:
        arms: Trained arms by name.
        first: Name of the arm that the claim prefers.
        second: Name of the other arm.
        margin: Smallest effect of interest in points.
    """
    text = f"{first} reaches a higher test accuracy than {second}."
    return Part(f"{first} - {second}", text, accuracy(arms[first], arms[second]), margin=margin)


def not_better(arms: Mapping[str, Arm], first: str, second: str, within: float = HALF_A_POINT) -> Part:
    """Return the part that the first arm gains less than half a point of test accuracy on the second.

    Args:
        arms: Trained arms by name.
        first: Name of the arm that gains nothing, as the claim says.
        second: Name of the other arm.
        within: Gain in points from which on the claim is wrong.
    """
    text = f"{first} gains less than {within:g} points of test accuracy on {second}."
    return Part(f"{first} - {second}", text, accuracy(arms[first], arms[second]), low=-INFINITY, high=within)


def same(arms: Mapping[str, Arm], first: str, second: str, within: float = HALF_A_POINT) -> Part:
    """Return the part that two arms have the same test accuracy, to half a point.

    Args:
        arms: Trained arms by name.
        first: Name of one arm.
        second: Name of the other arm.
        within: Largest difference in points that counts as none.
    """
    text = f"The test accuracies of {first} and {second} differ by less than {within:g} points."
    return Part(f"{first} - {second}", text, accuracy(arms[first], arms[second]), low=-within, high=within)


def target_of(arms: Sequence[Arm]) -> float:
    """Return a validation loss that all arms come to: 1.05 times the worst of their mean best losses.

    Args:
        arms: Trained arms.
    """
    return CLOSE_TO_BEST * max(float(np.nanmean(values_of(arm, "val_loss"))) for arm in arms)


def epochs_ratio(
    arms: Mapping[str, Arm], first: str, second: str, low: float = 0.0, high: float = 1.0, what: str = "sooner than"
) -> Part:
    """Return the part on the epochs that two arms take to a common validation loss.

    Args:
        arms: Trained arms by name.
        first: Name of the arm whose epochs are the numerator.
        second: Name of the arm whose epochs are the denominator.
        low: Lower end of the ratio that the claim says.
        high: Upper end of the ratio that the claim says.
        what: Words of the claim between the two names.
    """
    target = target_of([arms[first], arms[second]])
    epochs = [epochs_to(arms[name], target) for name in (first, second)]
    text = f"{first} reaches a validation loss of {target:.3f} {what} {second}, in epochs."
    return Part(f"epochs to target, {first} / {second}", text, ratio(*epochs), RATIO, low, high)


def target_cells(arms: Mapping[str, Arm], target: float) -> dict[str, list[str]]:
    """Return columns of a table: epochs to a target and seeds that never reach it.

    Args:
        arms: Trained arms by name.
        target: Validation loss to reach.
    """
    epochs = [f"{np.mean(epochs_to(arm, target)):.1f}" for arm in arms.values()]
    return {f"epochs to {target:.3f}": epochs, "never": [str(never_reached(arm, target)) for arm in arms.values()]}
