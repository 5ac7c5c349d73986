"""Does a contestant do the same work? Its losses say so: a peer that does other work is no peer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

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
    running = {name: outcome for name, outcome in outcomes.items() if "failed" not in outcome}
    reference = running.get("jaxdeep") or next(iter(running.values()), None)
    bound = BOUNDS.get(config, DEFAULT_BOUND)
    return {
        name: {
            **outcome,
            "other_work": other_work(outcome, reference, bound) if name in running and reference else None,
        }
        for name, outcome in outcomes.items()
    }
