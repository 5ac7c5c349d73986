r"""Schedules: the learning rate as a function of the steps done, as factors of `optim.learning_rate`.

Each builder returns an optax schedule, count -> factor, so that `optax.scale_by_schedule` takes it too. Counts may be
arrays; all arithmetic is in their type, or in float32 where they are whole numbers, as optax's own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep import config
from jaxdeep.config.optim import WITH_MOMENTUM
from jaxdeep.config.values import LARGEST_INT
from jaxdeep.errors import UserError

Factor = Callable[[jax.Array], Any]
"""An optax schedule: steps done before a step -> what a rate is multiplied by, or what a momentum is."""


class Rates(NamedTuple):
    """What an optimizer takes a step with.

    Attributes:
        learning_rate: the step's.
        beta_1: its momentum, or decay of the first moment.
    """

    learning_rate: Any
    beta_1: Any


class Length(NamedTuple):
    """How long a run is.

    Attributes:
        epoch_steps: steps of an epoch, the last, smaller batch counted.
        epochs: of the run, without early stopping.
    """

    epoch_steps: int
    epochs: int

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.epoch_steps * self.epochs


def power(decay_steps: float, exponent: float = 1.0) -> Factor:
    """1 / (1 + count / decay_steps)^exponent: Keras's `decay` is 1 / decay_steps."""
    return lambda count: (1 + count / decay_steps) ** -exponent


def exponential(factor: float, decay_steps: float, every: int = 1) -> Factor:
    """factor^(count / decay_steps), constant within each `every` steps.

    Args:
        factor: of a decay.
        decay_steps: steps of a decay.
        every: an epoch's steps for a rate that falls between epochs; 1: at each step.
    """

    def at(count: jax.Array) -> jax.Array:
        past = jnp.floor((count + 0.5) / every)  # XLA's count / every may be a rounding below the whole number
        return factor ** (past * every / decay_steps)

    return at


def piecewise(boundaries: tuple[int, ...], factors: tuple[float, ...]) -> Factor:
    """The factor whose boundary has not been reached; the last one behind all boundaries.

    Args:
        boundaries: rising counts.
        factors: one more than boundaries.
    """

    def at(count: jax.Array) -> jax.Array:
        dtype = jnp.result_type(count, float)
        reached = jnp.searchsorted(jnp.asarray(boundaries, dtype), jnp.asarray(count, dtype), side="right")
        return jnp.asarray(factors, dtype)[reached]

    return at


def onecycle(steps: int) -> Factor:
    """From 1/10 up to 1 in h = (N - N // 10 - 1) // 2 of the N steps, back in h, to 1/10,000 in the rest; linearly.

    Source: Smith, "A disciplined approach to neural network hyper-parameters: Part 1" (2018), with the lengths and ends
    that the chapter's code has.
    """
    half = _half_of_cycle(steps)
    lines = (
        optax.linear_schedule(0.1, 1.0, half),
        optax.linear_schedule(1.0, 0.1, half),
        optax.linear_schedule(0.1, 1e-4, steps - 2 * half),
    )
    return optax.join_schedules(lines, [half, 2 * half])


def onecycle_momentum(steps: int, low: float = 0.85, high: float = 0.95) -> Factor:
    """Momentum: from high down to low while the rate of `onecycle` rises, back up while it falls, then high."""
    half = _half_of_cycle(steps)
    lines = (optax.linear_schedule(high, low, half), optax.linear_schedule(low, high, half))
    return optax.join_schedules(lines, [half])


def cosine(steps: int) -> Factor:
    """(1 + cos(pi count / steps)) / 2.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), equation 5.
    """
    return optax.cosine_decay_schedule(1.0, steps)


def warmed_up(schedule: Factor, steps: int) -> Factor:
    """From 0 up to 1, linearly, in so many steps, and the schedule behind them."""
    rise: Factor = optax.linear_schedule(0.0, 1.0, steps)
    return optax.join_schedules((rise, schedule), [steps])  # pyright: ignore[reportArgumentType]


def factor_of(schedule: config.Schedule, length: Length) -> Factor | None:
    """The factor of a configuration's schedule; None where it never changes by the count alone.

    Args:
        schedule: its kind and numbers.
        length: of the run.

    Raises:
        UserError: the schedule's length is not the run's.
    """
    check_length(schedule, length)
    steps = length.steps - schedule.warmup_steps
    if not isinstance(schedule.kind, str):
        factor = schedule.kind
    else:
        factor = _factor_by_name(schedule, length.epoch_steps, steps)
    if schedule.warmup_steps == 0:
        return factor
    return warmed_up(factor or jnp.ones_like, schedule.warmup_steps)


def momentum_of(schedule: config.Schedule, optim: config.Optim, length: Length) -> Factor | None:
    """The momentum of a 1cycle schedule where the optimizer is one with momentum; else None: it is beta_1."""
    if schedule.kind != "onecycle" or optim.optimizer not in WITH_MOMENTUM:
        return None
    return onecycle_momentum(length.steps, schedule.momentum_low, schedule.momentum_high)


def rates_at(
    schedule: config.Schedule, optim: config.Optim, hyper: config.Hyper, length: Length, counts: jax.Array
) -> Rates:
    """Learning rate and momentum of steps.

    Args:
        schedule: its kind and numbers.
        optim: the optimizer.
        hyper: traced numbers.
        length: of the run.
        counts: [N], steps done before each, floating.

    Returns:
        [N] each.
    """
    factor, momentum = factor_of(schedule, length), momentum_of(schedule, optim, length)

    def at_counts(schedule: Factor | None) -> jax.Array:
        if schedule is None:
            return jnp.ones_like(counts)
        return jnp.asarray(jax.vmap(schedule)(counts), counts.dtype)  # a user's own takes one count

    return Rates(
        hyper.learning_rate * at_counts(factor),
        jnp.full_like(counts, hyper.beta_1) if momentum is None else at_counts(momentum),
    )


def check_length(schedule: config.Schedule, length: Length) -> None:
    """Refuse a schedule that does not fit the run.

    Raises:
        UserError: says both lengths.
    """
    run = f"the run has {length.epochs} epochs of {length.epoch_steps} steps, {length.steps} in all"
    total = schedule.total_steps
    if total is not None and total != length.steps:
        raise UserError(f"schedule.total_steps is {total}, and {run}; allowed: None or {length.steps}")
    if schedule.warmup_steps >= length.steps:
        raise UserError(f"schedule.warmup_steps is {schedule.warmup_steps}, and {run}; allowed: fewer than these")
    edges, warmup = schedule.boundaries_epochs, schedule.warmup_steps
    if edges and edges[-1] * length.epoch_steps + warmup >= length.steps:
        raise UserError(
            f"schedule.boundaries_epochs is {edges}, behind {warmup} steps of warm-up, and {run}: the last factor "
            "would never hold"
        )
    if schedule.kind in ("onecycle", "cosine") and length.steps > LARGEST_INT:
        raise UserError(f"schedule.kind is {schedule.kind!r}, and {run}; allowed: {LARGEST_INT} steps at most")
    if schedule.kind == "onecycle" and _half_of_cycle(length.steps) < 1:
        raise UserError(f"schedule.kind is 'onecycle', and {run}: too few for a cycle; allowed: 3 or more")


def _factor_by_name(schedule: config.Schedule, epoch_steps: int, steps: int) -> Factor | None:
    match schedule.kind:
        case "power":
            return power(schedule.decay_steps or 1, schedule.exponent)
        case "exponential":
            if schedule.decay_steps is not None:
                return exponential(schedule.factor, schedule.decay_steps)
            return exponential(schedule.factor, schedule.decay_epochs * epoch_steps, every=epoch_steps)
        case "piecewise":
            return piecewise(tuple(epoch * epoch_steps for epoch in schedule.boundaries_epochs), schedule.factors)
        case "onecycle":
            return onecycle(steps)
        case "cosine":
            return cosine(steps)
    return None


def _half_of_cycle(steps: int) -> int:
    return (steps - steps // 10 - 1) // 2
