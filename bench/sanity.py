"""Does a contestant do the same work? Its losses or its probabilities say so: one that does other work is no peer."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from jaxdeep.train.history import null_if_not_finite

BOUNDS: Final[Mapping[str, float]] = {"elu": 0.15, "swish": 0.15, "alpha_dropout": 0.06}
"""Of the relative difference of the first epoch's mean loss from jaxdeep's, by configuration.

Over ten steps from the same weights float32 programs agree to 2e-5 (tests/test_bench_contest.py). Over an epoch they
do not, probably since the slope of SELU jumps at 0: the last bit of an activation near 0 decides it, 20 layers deep.
Honest peers were seen to differ by up to 0.9% (selu), 0.7% (bn), 2.7% (alpha_dropout, where the masks differ too) and
5.3% (elu, whose raw inputs make the first steps violent).
"""
DEFAULT_BOUND: Final = 0.03


def other_work(outcome: Mapping[str, Any], reference: Mapping[str, Any], bound: float) -> str | None:
    """Why a contestant is no peer; None where nothing speaks against it.

    Args:
        outcome: of the contestant, as of `bench.contest.contest`; not failed.
        reference: of the one that it is compared with.
        bound: of the relative difference of the first epoch's mean loss.
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
    return [epoch["loss"] for epoch in (outcome["warm_up"], *outcome["epochs"])]


def judged(outcomes: Mapping[str, Mapping[str, Any]], config: str) -> dict[str, dict[str, Any]]:
    """The outcomes of a contest, each with `other_work`: the reason, or None.

    Args:
        outcomes: as of `bench.contest.contest`, the one that they are compared with first, or named jaxdeep.
        config: name of the configuration, for its bound.
    """
    bound = BOUNDS.get(config, DEFAULT_BOUND)
    return _compared(outcomes, "jaxdeep", lambda one, other: {"other_work": other_work(one, other, bound)})


def _compared(
    outcomes: Mapping[str, Mapping[str, Any]], preferred: str, compare: Callable[[Any, Any], Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The outcomes, each that has not failed with what the comparison with one of them finds."""
    running = {name: outcome for name, outcome in outcomes.items() if "failed" not in outcome}
    reference = running.get(preferred) or next(iter(running.values()), None)
    return {
        name: {**outcome, **(compare(outcome, reference) if name in running else {"other_work": None})}
        for name, outcome in outcomes.items()
    }


PLAIN_BOUND: Final = 1e-3
"""Of the mean absolute difference of probabilities without dropout; float32 programs were seen to agree to 2e-7."""
STD_BOUND: Final = 0.02
"""Of the relative difference of the mean standard deviation over samples.

Over 100 samples of 10,000 images honest peers were seen to differ by up to .1%, masks of 8 bits, whose rate is 26/256
in place of .1, by .7%. A rate of .11 in place of .1 makes 4%; in the other network .22 in place of .2 makes 6%.
"""
NOISE_BOUND: Final = 1.2
"""Of the squared differences of the means over what Monte Carlo noise makes of them, seen from .99 to 1.01.

Means that are off by a sixteenth of the standard deviation make 1.2 of it.
"""


def agreement(found: Mapping[str, Any], reference: Mapping[str, Any], samples: int) -> dict[str, float | None]:
    """How a contestant's probabilities compare with another's.

    Two means over M samples of one distribution differ by noise of variance (s^2 + t^2) / (M - 1), where s and t are
    the standard deviations over the samples. What is measured is summed over images and classes: `noise` is then 1 on
    the average, and near it where the images are many.

    Args:
        found: plain, mean and std, each [N, C], as of `bench.peers.predictor`; std is None of a plain pass.
        reference: the other's.
        samples: M.

    Returns:
        plain: mean absolute difference of the plain probabilities; std: mean standard deviation; std_ratio: over the
        other's; noise: squared differences of the means over what noise makes of them. None where it has no meaning.
    """
    (plain, mean, std), (its_plain, its_mean, its_std) = (
        [np.asarray(one[name] or 0.0, np.float64) for name in ("plain", "mean", "std")] for one in (found, reference)
    )
    figures: dict[str, float | None] = {"plain": float(np.abs(plain - its_plain).mean())}
    figures |= dict.fromkeys(("std", "std_ratio", "noise"))
    if found["std"] is not None:
        figures["std"] = float(std.mean())
        if its_std.any():
            variance = (np.square(std) + np.square(its_std)).sum() / (samples - 1)
            figures["std_ratio"] = float(std.mean() / its_std.mean())
            figures["noise"] = float(np.square(mean - its_mean).sum() / variance)
    return figures


def other_samples(figures: Mapping[str, float | None]) -> str | None:
    """Why a contestant is no peer by its `agreement`; None where nothing speaks against it."""
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


def judged_predictions(outcomes: Mapping[str, Mapping[str, Any]], samples: int) -> dict[str, dict[str, Any]]:
    """The outcomes of a contest of predictions, each with `agreement` and `other_work` in place of `probabilities`.

    Args:
        outcomes: as of `bench.contest.contest`, the one that they are compared with first, or named jaxdeep-mc.
        samples: M.
    """

    def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        figures = agreement(one["probabilities"], other["probabilities"], samples)
        finite = {name: null_if_not_finite(value) for name, value in figures.items()}
        return {"agreement": finite, "other_work": other_samples(figures)}

    judged = _compared(outcomes, "jaxdeep-mc", compare)
    return {name: {key: value for key, value in one.items() if key != "probabilities"} for name, one in judged.items()}
