"""Contrasts of arms: differences of a figure with their standard errors."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from experiments.lab.kept import Arm
from jaxdeep.analysis.differences import Difference, from_variance, paired, paired_correct

PERCENT: Final = 100.0


def accuracy(first: Arm, second: Arm) -> Difference:
    """Return the difference of two arms' test accuracies over seeds and images, in points.

    Args:
        first: Arm whose accuracy is the minuend.
        second: Arm whose accuracy is the subtrahend. Its seeds are the same.
    """
    one, other = first.study.correct, second.study.correct
    assert one is not None
    assert other is not None
    usable = [
        index
        for index, pair in enumerate(zip(first.study.trials, second.study.trials, strict=True))
        if not any(trial.is_left_out for trial in pair)
    ]
    if len(usable) < 2:
        return unknown(len(usable))
    return scaled(paired_correct(one.test[usable], other.test[usable]), PERCENT)


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return the mean difference of a figure over seeds. Seeds without a finite figure in both do not count.

    Args:
        first: Figure of each seed of the minuend.
        second: Figure of each seed of the subtrahend, with the same seeds.
    """
    pairs = [pair for pair in zip(first, second, strict=True) if all(map(math.isfinite, pair))]
    if len(pairs) < 2:
        return unknown(len(pairs))
    return paired([one for one, _ in pairs], [other for _, other in pairs])


def ratio(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return the mean logarithm of a figure's ratio over seeds.

    Args:
        first: Positive figure of each seed of the numerator.
        second: Positive figure of each seed of the denominator, with the same seeds.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return difference([float(np.log(value)) for value in first], [float(np.log(value)) for value in second])


def mean(values: Sequence[float]) -> Difference:
    """Return the mean of a figure over seeds, as a difference from 0.

    Args:
        values: Figure of each seed. Values that are not finite do not count.
    """
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return unknown(len(finite))
    count = len(finite)
    return from_variance(float(np.mean(finite)), count, float(np.var(finite, ddof=1)) / count, 0.0, count - 1)


def log_mean(values: Sequence[float]) -> Difference:
    """Return the mean logarithm of a positive figure over seeds, for a part in the unit RATIO.

    Args:
        values: Positive figure of each seed.
    """
    return mean([math.log(value) if value > 0 else math.nan for value in values])


def exact(value: float, count: int) -> Difference:
    """Return a value that has no error, such as a count or the result of a formula.

    Args:
        value: The value.
        count: Number of cases in which it was found.
    """
    return Difference(value, value, value, float(value == 0), count, 0.0, max(count - 1, 1), 0.0)


def unknown(count: int) -> Difference:
    """Return a difference that too few seeds have, which is undecided.

    Args:
        count: Number of seeds that have the figure.
    """
    return Difference(math.nan, math.nan, math.nan, math.nan, count, 0.0, 1.0, 0.0)


def scaled(effect: Difference, factor: float) -> Difference:
    """Return a difference in another unit.

    Args:
        effect: Difference to scale.
        factor: Positive factor of the unit.
    """
    sizes = {name: getattr(effect, name) * factor for name in ("difference", "low", "high", "error")}
    return effect._replace(**sizes, fixed=effect.fixed * factor**2)


def epochs_to(arm: Arm, target: float, figure: str = "val_loss") -> list[float]:
    """Return the number of epochs after which each seed has reached a target.

    The crossing is interpolated within its epoch. A seed that never reaches the target has one epoch more than it was
    trained, which understates it.

    Args:
        arm: Trained arm.
        target: Loss to reach from above, or accuracy to reach from below.
        figure: Name of a figure of an epoch.
    """
    falls = figure.endswith("loss")
    return [_crossing([getattr(record, figure) for record in of], target, falls=falls) for of in arm.study.histories]


def _crossing(values: Sequence[float], target: float, *, falls: bool) -> float:
    def reached(value: float) -> bool:
        return value <= target if falls else value >= target

    for epoch, value in enumerate(values, 1):
        if reached(value):
            if epoch == 1:
                return 1.0
            before = values[epoch - 2]
            return epoch - 1 + (before - target) / (before - value)
    return len(values) + 1.0


def never_reached(arm: Arm, target: float, figure: str = "val_loss") -> int:
    """Return the number of seeds that never reach a target.

    Args:
        arm: Trained arm.
        target: Loss to reach from above, or accuracy to reach from below.
        figure: Name of a figure of an epoch.
    """
    return sum(epochs > len(of) for epochs, of in zip(epochs_to(arm, target, figure), arm.study.histories, strict=True))
