"""Checks that a contestant does the same work, by its losses or its probabilities."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from jaxdeep.train.history import null_if_not_finite

BOUNDS: Final[Mapping[str, float]] = {"elu": 0.15, "swish": 0.15, "alpha_dropout": 0.06}
"""Configuration -> bound of the relative difference of the first epoch's mean loss from jaxdeep's.

Over ten steps from the same weights float32 programs agree to 2e-5 (tests/test_bench_contest.py). Over an epoch they do
not. Probably the cause is that the slope of SELU jumps at 0, where the last bit of an activation decides, 20 layers
deep. Honest peers were seen to differ by up to 0.9% (selu), 0.7% (bn), 2.7% (alpha_dropout) and 5.3% (elu). For
alpha_dropout the masks differ too. The raw inputs of elu make the first steps violent.
"""
DEFAULT_BOUND: Final = 0.03
"""Bound of the relative difference for every other configuration."""


def other_work(outcome: Mapping[str, Any], reference: Mapping[str, Any], bound: float) -> str | None:
    """Return why a contestant does other work, or None if nothing speaks against it.

    Args:
        outcome: Outcome in `bench.contest.contest` of a contestant that did not fail.
        reference: Outcome of the contestant to compare with.
        bound: Bound of the relative difference of the first epoch's mean loss.

    Returns:
        A reason in words, or None.
    """
    losses, expected = _losses(outcome), _losses(reference)
    if any(loss is None for loss in losses):
        return "a loss is not finite"
    difference = losses[0] / expected[0] - 1
    if abs(difference) > bound:
        return f"first epoch's loss {losses[0]:.4f}, not {expected[0]:.4f} ({difference:+.1%}, allowed {bound:.1%})"
    if len(losses) > 1 and expected[-1] < expected[0] and losses[-1] >= losses[0]:
        return f"loss does not fall: {losses[0]:.4f}, then {losses[-1]:.4f}"
    return None


def _losses(outcome: Mapping[str, Any]) -> Sequence[Any]:
    """Return the mean loss of each epoch, the warm-up first."""
    return [epoch["loss"] for epoch in (outcome["warm_up"], *outcome["epochs"])]


def checked_outcomes(outcomes: Mapping[str, Mapping[str, Any]], config: str) -> dict[str, dict[str, Any]]:
    """Return the outcomes of a contest, each with `other_work` as a reason or None.

    Args:
        outcomes: Outcomes in `bench.contest.contest`. They are compared with jaxdeep, or else with the first.
        config: Name of the configuration, which gives the bound.

    Returns:
        Name of a contestant -> outcome.
    """
    bound = BOUNDS.get(config, DEFAULT_BOUND)
    return _compared(
        outcomes, "jaxdeep", lambda outcome, reference: {"other_work": other_work(outcome, reference, bound)}
    )


def _compared(
    outcomes: Mapping[str, Mapping[str, Any]], preferred: str, compare: Callable[[Any, Any], Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the outcomes. Each that has not failed gets the comparison with the preferred one."""
    running = {name: outcome for name, outcome in outcomes.items() if "failed" not in outcome}
    reference = running.get(preferred) or next(iter(running.values()), None)
    return {
        name: {**outcome, **(compare(outcome, reference) if name in running else {"other_work": None})}
        for name, outcome in outcomes.items()
    }


PLAIN_BOUND: Final = 1e-3
"""Bound of the mean absolute difference of probabilities without dropout.

Float32 programs were seen to agree to 2e-7.
"""
STD_BOUND: Final = 0.02
"""Bound of the relative difference of the mean standard deviation over samples.

Over 100 samples of 10,000 images honest peers were seen to differ by up to .1%. Masks of 8 bits differ by .7%, because
their rate is 26/256 in place of .1. A rate of .11 in place of .1 makes 4%. In the other network .22 in place of .2
makes 6%.
"""
NOISE_BOUND: Final = 1.2
"""Bound of the squared differences of the means over their expectation by Monte Carlo noise.

Honest peers were seen from .99 to 1.01. Means that are off by a sixteenth of the standard deviation make 1.2.
"""


def agreement(predicted: Mapping[str, Any], reference: Mapping[str, Any], samples: int) -> dict[str, float | None]:
    """Compare a contestant's probabilities with another's.

    Two means over M samples of one distribution differ by noise of variance (s^2 + t^2) / (M - 1), where s and t are
    the standard deviations over the samples. Squared differences and variances are summed over images and classes. The
    ratio `noise` is then 1 on the average, and near 1 for many images.

    Args:
        predicted: Mapping with `plain`, `mean` and `std` of the contestant, each [N, C]. `std` is None for a prediction
            of one plain pass.
        reference: Mapping with `plain`, `mean` and `std` of the other contestant, each [N, C].
        samples: M, number of samples.

    Returns:
        `plain` is the mean absolute difference of the plain probabilities. `std` is the mean standard deviation, and
        `std_ratio` is its ratio to the other's. `noise` is the ratio of squared differences to variances. A figure
        without a meaning is None.
    """
    (plain, mean, std), (reference_plain, reference_mean, reference_std) = (
        [np.asarray(mapping[name] or 0.0, np.float64) for name in ("plain", "mean", "std")]
        for mapping in (predicted, reference)
    )
    figures: dict[str, float | None] = {"plain": float(np.abs(plain - reference_plain).mean())}
    figures |= dict.fromkeys(("std", "std_ratio", "noise"))
    if predicted["std"] is not None:
        figures["std"] = float(std.mean())
        if reference_std.any():
            variance = (np.square(std) + np.square(reference_std)).sum() / (samples - 1)
            figures["std_ratio"] = float(std.mean() / reference_std.mean())
            figures["noise"] = float(np.square(mean - reference_mean).sum() / variance)
    return figures


def other_samples(figures: Mapping[str, float | None]) -> str | None:
    """Return why a contestant's samples differ from the reference's, or None if nothing speaks against it.

    Args:
        figures: Figures of the contestant, from `agreement`.

    Returns:
        A reason in words, or None.
    """
    plain, std, ratio, noise = (figures[name] for name in ("plain", "std", "std_ratio", "noise"))
    if not all(math.isfinite(value) for value in figures.values() if value is not None):
        return "a probability is not finite"
    if plain is not None and plain > PLAIN_BOUND:
        return f"without dropout, probabilities differ by {plain:.1e} on the average (allowed {PLAIN_BOUND:.0e})"
    if std == 0:
        return "no two passes differ: dropout is off"
    if ratio is not None and abs(ratio - 1) > STD_BOUND:
        return f"standard deviation {ratio - 1:+.1%} (allowed {STD_BOUND:.0%}): another rate"
    if noise is not None and noise > NOISE_BOUND:
        return f"mean probabilities differ by {noise:.2f} of what noise makes of it (allowed {NOISE_BOUND})"
    return None


def checked_predictions(outcomes: Mapping[str, Mapping[str, Any]], samples: int) -> dict[str, dict[str, Any]]:
    """Return the outcomes of a contest of predictions, each with `agreement` and `other_work`.

    They replace `probabilities`, which are large.

    Args:
        outcomes: Outcomes in `bench.contest.contest`. They are compared with jaxdeep-mc, or else with the first.
        samples: M, number of samples.

    Returns:
        Name of a contestant -> outcome.
    """

    def compare(outcome: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
        figures = agreement(outcome["probabilities"], reference["probabilities"], samples)
        finite = {name: null_if_not_finite(value) for name, value in figures.items()}
        return {"agreement": finite, "other_work": other_samples(figures)}

    return {
        name: {key: value for key, value in outcome.items() if key != "probabilities"}
        for name, outcome in _compared(outcomes, "jaxdeep-mc", compare).items()
    }
