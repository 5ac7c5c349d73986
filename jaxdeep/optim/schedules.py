r"""Schedules that multiply `optim.learning_rate` by a factor of the steps done.

Each builder returns an optax schedule from a count to a factor. `optax.scale_by_schedule` takes it too. Counts may be
arrays. Arithmetic is in the type of the counts. Whole numbers become float32 as in optax.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep import config
from jaxdeep.config.optim import WITH_MOMENTUM
from jaxdeep.config.static import TracedNumber
from jaxdeep.config.values import LARGEST_INT
from jaxdeep.errors import UserError
from jaxdeep.optim.lines import Factor, half_cosine, in_type_of, joined, linear


class Rates(NamedTuple):
    """Numbers that an optimizer takes a step with.

    Attributes:
        learning_rate: Learning rate of the step.
        beta_1: Momentum of the step or decay of the first moment.
    """

    learning_rate: Any
    beta_1: Any


class Length(NamedTuple):
    """Length of a run.

    Attributes:
        epoch_steps: Number of steps in an epoch. The smaller last batch counts as one. It is traced in a compiled
            program of a padded data set.
        epochs: Number of epochs without early stopping. It is a mark in a program whose schedule does not count them.
    """

    epoch_steps: int
    epochs: int | TracedNumber

    @property
    def steps(self) -> int:
        """Return the number of steps in the whole run."""
        return self.epoch_steps * self.epochs  # pyright: ignore[reportOperatorIssue] (a mark raises a TypeError)

    @property
    def is_traced(self) -> bool:
        """Return whether a compiled program does not know the number of steps."""
        return isinstance(self.epoch_steps, jax.Array) or isinstance(self.epochs, TracedNumber)


def power(decay_steps: float, exponent: float = 1.0) -> Factor:
    """Return the schedule 1 / (1 + count / decay_steps)^exponent.

    Args:
        decay_steps: Number of steps above 0. Keras's `decay` is 1 / decay_steps.
        exponent: Exponent of the power.

    Returns:
        A schedule from a count to a factor.
    """
    return lambda count: (1 + count / decay_steps) ** -exponent


def exponential(factor: float, decay_steps: float, every: int = 1) -> Factor:
    """Return the schedule factor^(count / decay_steps).

    Args:
        factor: Number that decay_steps steps multiply the rate by.
        decay_steps: Number of steps in a decay, above 0.
        every: Number of steps within which the rate is constant. Give an epoch's steps to change it between epochs
            only.

    Returns:
        A schedule from a count to a factor.
    """

    def at(count: jax.Array) -> jax.Array:
        steps, decay = (in_type_of(count, number) for number in (every, decay_steps))
        past = jnp.floor((count + 0.5) / steps)  # count / steps may round to just below the whole number in XLA
        return factor ** (past * steps / decay)

    return at


def piecewise(boundaries: tuple[int, ...], factors: tuple[float, ...]) -> Factor:
    """Return a schedule that is constant between boundaries.

    Args:
        boundaries: Counts that rise. A factor holds until the count reaches its boundary.
        factors: One factor for each boundary and then a last one.

    Returns:
        A schedule from a count to a factor.
    """

    def at(count: jax.Array) -> jax.Array:
        dtype = jnp.result_type(count, float)
        reached = jnp.searchsorted(jnp.asarray(boundaries, dtype), jnp.asarray(count, dtype), side="right")
        return jnp.asarray(factors, dtype)[reached]

    return at


def onecycle(steps: int) -> Factor:
    """Return the 1cycle schedule of the learning rate.

    The N steps fall into three linear parts with h = (N - N // 10 - 1) // 2. The factor rises from 1/10 to 1 in h
    steps. It falls back to 1/10 in h steps. It falls to 1/10,000 in the remaining steps.

    Args:
        steps: Number N of steps in the cycle, 3 or more.

    Returns:
        A schedule from a count to a factor.

    Source: Smith, "A disciplined approach to neural network hyper-parameters: Part 1" (2018). Lengths and ends follow
    the chapter's code.
    """
    half = _half_of_cycle(steps)
    lines = (linear(0.1, 1.0, half), linear(1.0, 0.1, half), linear(0.1, 1e-4, steps - 2 * half))
    return joined(lines, [half, 2 * half])


def onecycle_momentum(steps: int, low: float = 0.85, high: float = 0.95) -> Factor:
    """Return the 1cycle schedule of the momentum.

    It falls from high to low while the rate of `onecycle` rises. It rises back to high while that rate falls. Then it
    stays high.

    Args:
        steps: Number of steps in the cycle, 3 or more.
        low: Lowest momentum.
        high: Highest momentum.

    Returns:
        A schedule from a count to a momentum.
    """
    half = _half_of_cycle(steps)
    return joined((linear(high, low, half), linear(low, high, half)), [half])


def cosine(steps: int) -> Factor:
    """Return the schedule (1 + cos(pi count / steps)) / 2.

    Args:
        steps: Number of steps until the factor is 0.

    Returns:
        A schedule from a count to a factor.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), equation 5.
    """
    return half_cosine(steps)


def warmed_up(schedule: Factor, steps: int) -> Factor:
    """Return a schedule that begins with a linear rise from 0 to 1.

    Args:
        schedule: Schedule that follows the rise. It counts from the end of the rise.
        steps: Number of steps that the rise takes.

    Returns:
        A schedule from a count to a factor.
    """
    rise: Factor = optax.linear_schedule(0.0, 1.0, steps)
    return optax.join_schedules((rise, schedule), [steps])  # pyright: ignore[reportArgumentType]


def factor_of(schedule: config.Schedule, length: Length) -> Factor | None:
    """Return the schedule of the learning rate that a configuration names.

    Args:
        schedule: Kind and numbers of the schedule.
        length: Length of a run.

    Returns:
        A schedule from a count to a factor. None if the factor does not depend on the count.

    Raises:
        UserError: The schedule does not fit the length of a run.
    """
    check_length(schedule, length)
    factor = _factor_by_name(schedule, length) if isinstance(schedule.kind, str) else schedule.kind
    if schedule.warmup_steps == 0:
        return factor
    return warmed_up(factor or jnp.ones_like, schedule.warmup_steps)


def momentum_of(schedule: config.Schedule, optim: config.Optim, length: Length) -> Factor | None:
    """Return the schedule of the momentum that a configuration names.

    Args:
        schedule: Kind and numbers of the schedule.
        optim: Configuration of the optimizer.
        length: Length of a run.

    Returns:
        A schedule from a count to a momentum for 1cycle with an optimizer that has a momentum. None if the momentum is
        the constant beta_1.
    """
    if schedule.kind != "onecycle" or optim.optimizer not in WITH_MOMENTUM:
        return None
    return onecycle_momentum(length.steps, schedule.momentum_low, schedule.momentum_high)


def rates_at(
    schedule: config.Schedule, optim: config.Optim, hyper: config.Hyper, length: Length, counts: jax.Array
) -> Rates:
    """Return the learning rate and the momentum of several steps.

    Args:
        schedule: Kind and numbers of the schedule.
        optim: Configuration of the optimizer.
        hyper: Traced numbers of the configuration.
        length: Length of a run.
        counts: Number of steps done before each step. Shape [N] of a floating type.

    Returns:
        Rates whose leaves have the shape [N].

    Raises:
        UserError: The schedule does not fit the length of a run.
    """
    factor, momentum = factor_of(schedule, length), momentum_of(schedule, optim, length)

    def at_counts(schedule: Factor | None) -> jax.Array:
        if schedule is None:
            return jnp.ones_like(counts)
        return jnp.asarray(jax.vmap(schedule)(counts), counts.dtype)  # a user's own schedule takes one count

    return Rates(
        hyper.learning_rate * at_counts(factor),
        jnp.full_like(counts, hyper.beta_1) if momentum is None else at_counts(momentum),
    )


def check_length(schedule: config.Schedule, length: Length) -> None:
    """Refuse a schedule that does not fit the length of a run.

    Args:
        schedule: Kind and numbers of the schedule.
        length: Length of a run.

    Raises:
        UserError: The run is shorter or longer than the schedule allows. The message names both lengths. A traced
            length is not checked.
    """
    if length.is_traced:
        return
    run = f"the run has {length.epochs} epochs of {length.epoch_steps} steps, {length.steps} in all"
    total = schedule.total_steps
    if total is not None and total != length.steps:
        raise UserError(f"schedule.total_steps is {total}, and {run}. Give None or {length.steps}.")
    if schedule.warmup_steps >= length.steps:
        raise UserError(f"schedule.warmup_steps is {schedule.warmup_steps}, and {run}. Give fewer warm-up steps.")
    edges, warmup = schedule.boundaries_epochs, schedule.warmup_steps
    if edges and edges[-1] * length.epoch_steps + warmup >= length.steps:
        raise UserError(
            f"schedule.boundaries_epochs is {edges}, behind {warmup} steps of warm-up, and {run}, so the last factor "
            "would never hold. Give earlier boundaries, or more epochs."
        )
    if schedule.kind in ("onecycle", "cosine") and length.steps > LARGEST_INT:
        raise UserError(f"schedule.kind is {schedule.kind!r}, and {run}. Give {LARGEST_INT} steps at most.")
    if schedule.kind == "onecycle" and _half_of_cycle(length.steps) < 1:
        raise UserError(f"schedule.kind is 'onecycle', and {run}, too few for a cycle. Give 3 or more.")


def _factor_by_name(schedule: config.Schedule, length: Length) -> Factor | None:
    """Return the schedule of a named kind without its warm-up."""
    epoch_steps = length.epoch_steps
    match schedule.kind:
        case "power":
            return power(schedule.decay_steps or 1, schedule.exponent)
        case "exponential":
            if schedule.decay_steps is not None:
                return exponential(schedule.factor, schedule.decay_steps)
            every: Any = jnp.asarray(epoch_steps, float) if isinstance(epoch_steps, jax.Array) else epoch_steps
            return exponential(schedule.factor, schedule.decay_epochs * every, every=every)
        case "piecewise":
            return piecewise(tuple(epoch * epoch_steps for epoch in schedule.boundaries_epochs), schedule.factors)
        case "onecycle":
            return onecycle(length.steps - schedule.warmup_steps)
        case "cosine":
            return cosine(length.steps - schedule.warmup_steps)
    return None


def _half_of_cycle(steps: int) -> int:
    """Return the number of steps in which the rate of a 1cycle schedule rises."""
    return (steps - steps // 10 - 1) // 2
