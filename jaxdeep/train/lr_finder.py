"""The learning rate range test.

It records batch losses while the rate rises geometrically. Several seeds run at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config, Hyper, Settings
from jaxdeep.config.seeds import plain_seeds
from jaxdeep.config.values import NotPlain, number, shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.data.subsets import unpadded
from jaxdeep.errors import UserError
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import step
from jaxdeep.train.checks import check_fits
from jaxdeep.train.programs import traced
from jaxdeep.train.xla_options import FAST, compile_with

DIVERGED: Final = 4.0
"""Multiple of the lowest running mean loss so far. A seed whose running mean exceeds it has diverged."""
RUNNING: Final = 0.9
"""Decay of the running mean loss for each step."""
SMOOTHING_DECADES: Final = 0.1
"""Standard deviation of the Gaussian that smooths the batch losses, in decades of the rate."""
CLIMB: Final = 0.1
"""Share of its fall that the smoothed loss climbs back when it has passed the turning point."""
BELOW_TURNING: Final = 10.0
"""Ratio of the turning point to the suggested constant rate. 1cycle starts there and climbs to the turning point."""


FEWEST_STEPS: Final = 100
"""Number of steps up to which epochs are repeated. Fewer steps leave too few losses in a decade of the rate to read."""


class RangeTest(NamedTuple):
    """Results of a range test for S seeds and N steps.

    Attributes:
        seeds: Seeds [S] that were run.
        rates: Learning rate [N] of each step. N is a multiple of an epoch's steps.
        losses: Loss [S, N] of each batch before its step, in nats. NaN from the step at which a seed diverged.
        smoothed: Smoothed losses [S, N] in nats. NaN from the step at which a seed diverged.
        turning_points: Highest rate [S] before the smoothed loss climbs. NaN if it did not fall or did not climb.
        suggestions: Suggested learning rate [S]. NaN if there is no turning point.
        rule: Rule of the suggestion in words.
    """

    seeds: tuple[int, ...]
    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    turning_points: np.ndarray
    suggestions: np.ndarray
    rule: str

    @property
    def suggestion(self) -> float:
        """Return the geometric mean of the suggestions. It is NaN if no seed has one."""
        finite = self.suggestions[np.isfinite(self.suggestions)]
        return float(np.exp(np.log(finite).mean())) if len(finite) else float("nan")


def find_learning_rate(
    config: Config, data: Dataset, seeds: Sequence[int], *, lowest: float = 1e-5, highest: float = 10.0
) -> RangeTest:
    """Train briefly at rising learning rates and suggest one.

    Step i of N has the rate lowest x (highest / lowest)^(i / N). Each seed starts at its first weights. N steps are one
    epoch. If an epoch has fewer than FEWEST_STEPS steps, epochs are repeated until these are reached.

    The weights are thrown away and nothing is kept. The configuration's schedule does not run. It decides the
    suggestion. For 1cycle that is the turning point as the highest rate. For any other schedule it is a tenth of the
    turning point.

    Args:
        config: Configuration whose learning rate is searched.
        data: Data set whose training rows are used in the order of the first epochs of training. With `data.resample`,
            each seed has its own.
        seeds: Seeds to run, integers in 0 .. 2^32 - 1.
        lowest: First learning rate, above 0.
        highest: Learning rate that would follow the last one.

    Returns:
        The losses and a suggested `optim.learning_rate` for each seed.

    Raises:
        UserError: The range does not rise, a seed is out of its range, or the configuration does not fit the data.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3.
    """
    try:
        lowest, highest = number(lowest), number(highest)
        is_rising = 0 < lowest < highest < float("inf")
    except NotPlain:
        is_rising = False
    if not is_rising:
        shown_range = f"from {shown(lowest)} to {shown(highest)}"
        raise UserError(f"learning rates {shown_range} are no rising range. Give 0 < lowest < highest in a float32.")
    seeds = plain_seeds(seeds)
    check_fits(config, data)
    check_trains_all(config)
    datasets = tuple(unpadded(own) for own in datasets_of_seeds(data, config.data, seeds).values())
    dtype = config.train.dtype
    epoch_steps = step.length_of(config, datasets[0]).epoch_steps
    epochs = -(-FEWEST_STEPS // epoch_steps)
    steps = epochs * epoch_steps
    rates = lowest * (highest / lowest) ** (np.arange(steps) / steps)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    arguments = (traced(config), datasets[0], jnp.asarray(rates, dtype), keys, _own_rows(config, datasets))
    is_parallel = jax.default_backend() != "cpu"
    losses_of = partial(all_losses, config.static(), epochs, is_parallel)
    program = compile_with(jax.jit(losses_of).lower(*arguments), FAST)
    losses = np.asarray(program(*arguments), np.float64)
    smoothed = np.stack([smoothed_losses(seed_losses, rates) for seed_losses in losses])
    turning = np.asarray([_turning_point(rates, seed_losses) for seed_losses in smoothed])
    rule = f"the highest rate before the smoothed batch loss climbs by {CLIMB:.0%} of what it had fallen"
    if config.schedule.kind == "onecycle":
        return RangeTest(seeds, rates, losses, smoothed, turning, turning, rule)
    rule = f"1/{BELOW_TURNING:g} of {rule}"
    return RangeTest(seeds, rates, losses, smoothed, turning, turning / BELOW_TURNING, rule)


def check_trains_all(config: Config) -> None:
    """Refuse a configuration that a range test, which trains all layers from new weights, says nothing about.

    Args:
        config: Configuration whose learning rate is searched.

    Raises:
        UserError: Layers are reused or frozen.
    """
    if config.transfer.is_used:
        raise UserError(
            "a range test trains all layers from new weights, and transfer reuses or freezes some. "
            "Vary optim.learning_rate in a study, or remove the fields of transfer."
        )


class _OwnRows(NamedTuple):
    """The training rows of each seed. The images are shared.

    Attributes:
        rows: Indices [S, n] of the training rows.
        mean: Means [S, ...] that scale the images.
        scale: Scales [S, ...] of the images.
    """

    rows: jax.Array
    mean: jax.Array
    scale: jax.Array


def _own_rows(config: Config, datasets: Sequence[Dataset]) -> _OwnRows | None:
    """Return the training rows of each seed's data set, or None if all seeds share them."""
    if not config.data.resample:
        return None
    return _OwnRows(
        jnp.stack([jnp.asarray(data.train.rows) for data in datasets]),
        jnp.stack([data.mean for data in datasets]),
        jnp.stack([data.scale for data in datasets]),
    )


def all_losses(
    config: Settings,
    epochs: int,
    is_parallel: bool,
    hyper: Hyper,
    data: Dataset,
    rates: jax.Array,
    keys: jax.Array,
    own_rows: _OwnRows | None,
) -> jax.Array:
    """Return the batch losses [S, N] of all seeds.

    Args:
        config: Static fields of the configuration.
        epochs: Number of epochs.
        is_parallel: Whether the seeds run side by side, by `vmap`. One seed after the other is faster on a CPU.
        hyper: Traced numbers of the configuration.
        data: Data set whose training rows are used.
        rates: Learning rate [N] of each step.
        keys: Random key [S] of each seed.
        own_rows: Training rows of each seed. None if all seeds share them.

    Returns:
        Losses in nats. They are NaN from a seed's divergence on.
    """

    def seed_losses(of_seed: tuple[jax.Array, _OwnRows | None]) -> jax.Array:
        key, own = of_seed
        if own is None:
            return _losses(config, epochs, hyper, data, rates, key)
        train = data.train._replace(rows=own.rows)
        own_data = replace(data, train=train, mean=own.mean, scale=own.scale)
        return _losses(config, epochs, hyper, own_data, rates, key)

    seeds = (keys, own_rows)
    return jax.vmap(seed_losses)(seeds) if is_parallel else jax.lax.map(seed_losses, seeds)


def _losses(config: Settings, epochs: int, hyper: Hyper, data: Dataset, rates: jax.Array, key: jax.Array) -> jax.Array:
    """Return the batch losses [N] of one seed. They are NaN from its divergence on."""
    state = step.start(config, hyper, data, key)
    epoch_numbers = jnp.arange(epochs, dtype=state.epoch.dtype)
    all_epochs = jax.vmap(lambda epoch: step.epoch_batches(config, state._replace(epoch=epoch), data))(epoch_numbers)
    batches, keys = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), all_epochs)
    nan = jnp.full((), jnp.nan, config.train.dtype)

    def run_step(carry: tuple, inputs: tuple) -> tuple[tuple, jax.Array]:
        def take_step(carry: tuple) -> tuple[tuple, jax.Array]:
            state, mean, lowest, _ = carry
            index, batch, batch_key, rate = inputs
            state, (total, _) = step.train_step(config, state, hyper, Rates(rate, hyper.beta_1), data, batch, batch_key)
            loss = total / batch.size(total.dtype)
            mean = RUNNING * mean + (1 - RUNNING) * loss
            unbiased = mean / (1 - RUNNING ** (index + 1))
            diverged = ~(unbiased <= DIVERGED * lowest)  # true for NaN too
            return (state, mean, jnp.minimum(lowest, unbiased), diverged), jnp.where(diverged, nan, loss)

        return jax.lax.cond(carry[-1], lambda carry: (carry, nan), take_step, carry)

    zero, infinite = jnp.zeros((), rates.dtype), jnp.full((), jnp.inf, rates.dtype)
    indices = jnp.arange(len(rates), dtype=rates.dtype)
    first = (state, zero, infinite, jnp.zeros((), jnp.bool_))
    return jax.lax.scan(run_step, first, (indices, batches, keys, rates))[1]


def smoothed_losses(losses: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return smoothed batch losses.

    They are smoothed to both sides so that the curve is not read late.

    Args:
        losses: Loss of each batch [N] in nats. NaN from the step on at which the run diverged.
        rates: Learning rate of each step [N], rising geometrically.
    """
    from scipy.ndimage import gaussian_filter1d  # takes 0.2 s to import

    is_finite = np.isfinite(losses)
    smoothed = np.full_like(losses, np.nan)
    if is_finite.any():
        steps_per_decade = 1 / np.log10(rates[1] / rates[0]) if len(rates) > 1 else 1.0
        smoothed[is_finite] = gaussian_filter1d(losses[is_finite], SMOOTHING_DECADES * steps_per_decade, mode="nearest")
    return smoothed


def _turning_point(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """Return the highest rate before the smoothed loss climbs, or NaN."""
    finite = smoothed[np.isfinite(smoothed)]
    if not len(finite) or (lowest := int(finite.argmin())) == 0:
        return float("nan")
    fall = finite[: lowest + 1].max() - finite[lowest]
    above = np.flatnonzero(finite[lowest:] > finite[lowest] + CLIMB * fall)
    if len(above):
        return float(rates[lowest + above[0] - 1])
    diverged = len(finite) < len(smoothed)
    return float(rates[len(finite) - 1]) if diverged else float("nan")
