"""Mistakes of the learning rate: out of its optimizer's range, or on a schedule that does not fit the run."""

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config, Schedule
from jaxdeep.data.dataset import Dataset
from jaxdeep.lint.finding import Finding
from jaxdeep.optim.schedules import Length, exponential, power
from jaxdeep.train.step import length_of

LITTLE: Final = 0.9
"""Share of the rate. A schedule that keeps more than this to the last step has done nothing."""
NOTHING: Final = 1e-6
"""Share of the rate. A rate below this share of itself trains nothing any more."""


LOOKS: Final = 33
"""Steps at which a schedule that is a function is asked for its factor."""


class Range(NamedTuple):
    """Learning rates, from the lowest to the highest, with which an optimizer trains."""

    low: float
    high: float


GRADIENTS: Final = ("sgd", "momentum", "nesterov", "optax.optimistic_gradient_descent", "optax.sgd")
"""Optimizers with steps in proportion to the gradient, which inputs of 0 to 255 multiply by thousands."""
RANGES: Final = {
    **dict.fromkeys(GRADIENTS, Range(1e-6, 10.0)),
    **dict.fromkeys(("momentum", "nesterov"), Range(1e-6, 1.0)),
    **dict.fromkeys(("adagrad", "ftrl", "optax.adagrad", "optax.sm3"), Range(1e-6, 1.0)),
    **dict.fromkeys(("rmsprop", "adam", "adamax", "adamw", "nadam"), Range(1e-7, 0.1)),
    **dict.fromkeys(("optax.adabelief", "optax.adam", "optax.adamax", "optax.adamaxw"), Range(1e-7, 0.1)),
    **dict.fromkeys(("optax.adamw", "optax.adan", "optax.amsgrad", "optax.lion", "optax.nadam"), Range(1e-7, 0.1)),
    **dict.fromkeys(("optax.nadamw", "optax.novograd", "optax.radam", "optax.rmsprop"), Range(1e-7, 0.1)),
    **dict.fromkeys(("optax.sign_sgd", "optax.signum", "optax.yogi"), Range(1e-7, 0.1)),
}
"""Learning rates by optimizer. Other optimizers, and a user's own, have a scale of their own and are not judged.

The chapter's sources search SGD from 1e-5 to 10 (where it ends in NaN) and Nadam from 1e-5 to 1e-2. Bengio, "Practical
recommendations for gradient-based training of deep architectures" (2012), section 3.3, has 1e-6 to 1 for inputs that
are standardised or in 0..1. A momentum of .9 multiplies a step by 10. With Adam and its like a weight moves by up to
the rate itself in a step: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), section 2.1. A tenth is
the standard deviation of LeCun's weights with 100 inputs.
"""


def rate_out_of_range(config: Config, data: Dataset) -> Finding | None:
    """Find a highest learning rate that is not in the RANGES of its optimizer.

    SGD on inputs that are not scaled may need any small rate, so that its lower end does not hold there.
    """
    optim, schedule = config.optim, config.schedule
    allowed = RANGES.get(optim.optimizer) if isinstance(optim.optimizer, str) else None
    if allowed is None:
        return None
    highest = optim.learning_rate * _highest_factor(schedule, length_of(config, data))
    is_raw = optim.optimizer in GRADIENTS and config.data.scaling == "none"
    if (is_raw or allowed.low <= highest) and highest <= allowed.high:
        return None
    effect = "a larger one wipes out the weights" if highest > allowed.high else "a smaller one trains next to nothing"
    return Finding(
        "rate-out-of-range",
        f"the learning rate is {highest:g}, and optim.optimizer {optim.optimizer!r} trains with {allowed.low:g} to "
        f"{allowed.high:g}: {effect}. Take one of these, as --find-lr suggests it.",
        11,
    )


def schedule_without_effect(config: Config, data: Dataset) -> Finding | None:
    """Find a schedule under which the rate hardly changes before the run is over.

    Power and exponential schedules have no effect where more than LITTLE of the rate is left in the last step. A
    plateau lowers the rate for epoch patience_epochs + 2 at the earliest, and early stopping may come before it.
    """
    schedule, train, length = config.schedule, config.train, length_of(config, data)
    if schedule.kind in ("power", "exponential"):
        left = _factor(config, length, length.steps - 1)
        if left <= LITTLE:
            return None
        field = _decay_field(config)
        reason = f"{field} is {getattr(schedule, field.partition('.')[2])} in {_run(length)}: {left:.0%} of the rate "
        return Finding("schedule-without-effect", f"{reason}are left at the end. Make it shorter, or use constant.", 7)
    if schedule.kind != "plateau":
        return None
    patience = schedule.patience_epochs
    if train.epochs < patience + 2:
        reason = f"a run of {train.epochs} epochs is over before it lowers the rate"
        mend = f"Train for {patience + 2} epochs or more, or use a smaller one."
    elif train.keep == "best" and patience >= train.patience:
        reason = f"early stopping, with train.patience {train.patience}, ends the run before it lowers the rate"
        mend = "Make it smaller than train.patience."
    else:
        return None
    return Finding("schedule-without-effect", f"schedule.patience_epochs is {patience}: {reason}. {mend}", 7)


def schedule_too_short(config: Config, data: Dataset) -> Finding | None:
    """Find a power or exponential schedule that takes the rate below NOTHING of itself in the run's first half."""
    length = length_of(config, data)
    if config.schedule.kind not in ("power", "exponential"):
        return None
    left = _factor(config, length, length.steps // 2)
    if not left < NOTHING:
        return None
    field = _decay_field(config)
    return Finding(
        "schedule-too-short",
        f"{field} is {getattr(config.schedule, field.partition('.')[2])} in {_run(length)}: the rate is {left:.0e} of "
        "itself in the middle, and the rest of the run trains nothing. Make it longer.",
        7,
    )


def schedule_cut_short(config: Config, data: Dataset) -> Finding | None:
    """Find a 1cycle or cosine schedule, whose gain comes at its end, in a run that early stopping may end before it."""
    del data
    schedule, train = config.schedule, config.train
    if schedule.kind not in ("onecycle", "cosine") or train.keep == "last" or train.patience >= train.epochs:
        return None
    return Finding(
        "schedule-cut-short",
        f"schedule.kind is {schedule.kind!r} for {train.epochs} epochs, and early stopping with train.patience "
        f"{train.patience} may end the run while the rate is high. Use train.keep last, or a patience of "
        f"{train.epochs}.",
        7,
    )


def _highest_factor(schedule: Schedule, length: Length) -> float:
    """Return the highest of a schedule's factors. A function is asked at LOOKS steps, evenly spread."""
    if callable(schedule.kind):
        steps = np.linspace(0, length.steps - 1, LOOKS, dtype=np.float32)
        return max(float(schedule.kind(step)) for step in jnp.asarray(steps))
    return max(schedule.factors) if schedule.kind == "piecewise" else 1.0


def _factor(config: Config, length: Length, step: int) -> float:
    """Return the factor of a power or exponential schedule at a step. Steps of the warm-up do not count."""
    schedule, count = config.schedule, max(step - config.schedule.warmup_steps, 0)
    if schedule.kind == "power":
        return float(power(schedule.decay_steps or 1, schedule.exponent)(count))  # pyright: ignore[reportArgumentType]
    if schedule.decay_steps is not None:
        factor = exponential(schedule.factor, schedule.decay_steps)
    else:
        factor = exponential(schedule.factor, schedule.decay_epochs * length.epoch_steps, every=length.epoch_steps)
    return float(factor(count))  # pyright: ignore[reportArgumentType]


def _decay_field(config: Config) -> str:
    return "schedule.decay_epochs" if config.schedule.decay_steps is None else "schedule.decay_steps"


def _run(length: Length) -> str:
    return f"a run of {length.epochs} epochs and {length.steps:,} steps"
