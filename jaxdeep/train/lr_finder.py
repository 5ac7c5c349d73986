"""The learning rate range test: batch losses while the rate rises geometrically, over several seeds at once."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config, Hyper, Settings
from jaxdeep.config.seeds import plain_seeds
from jaxdeep.config.values import NotPlain, number, shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import step
from jaxdeep.train.checks import check_fits
from jaxdeep.train.programs import FAST, compile_with, traced

DIVERGED: Final = 4.0
"""A run has diverged when its running mean loss is so many times the lowest before."""
RUNNING: Final = 0.9
"""Decay of that running mean."""
SMOOTHING_DECADES: Final = 0.1
"""Width (standard deviation) of the Gaussian that smooths the batch losses, in decades of the rate."""
CLIMB: Final = 0.1
"""The turning point is passed when the smoothed loss has climbed by this share of what it had fallen."""
BELOW_TURNING: Final = 10.0
"""A constant rate is suggested so many times below the turning point; 1cycle starts there and climbs to it."""


FEWEST_STEPS: Final = 100
"""Epochs are repeated up to this number of steps: fewer leave too few losses in a decade of the rate to read."""


class RangeTest(NamedTuple):
    """What a range test found, for S seeds and N steps.

    Attributes:
        seeds: [S].
        rates: [N], learning rate of each step; N is an epoch's steps, or a multiple of them where they are few.
        losses: [S, N], each batch's loss before its step, in nats; NaN from the step on at which a seed diverged.
        smoothed: [S, N], likewise.
        turning_points: [S], highest rates before the smoothed loss climbs; NaN where it did not fall, or did not climb.
        suggestions: [S], learning rates; NaN likewise.
        rule: by which they are suggested, in words.
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
        """Geometric mean of the suggestions; NaN where there is none."""
        found = self.suggestions[np.isfinite(self.suggestions)]
        return float(np.exp(np.log(found).mean())) if len(found) else float("nan")


def find_learning_rate(
    config: Config, data: Dataset, seeds: Sequence[int], *, lowest: float = 1e-5, highest: float = 10.0
) -> RangeTest:
    """Train with a rate of lowest x (highest / lowest)^(i / N) at step i of N, from each seed's first weights.

    N steps are an epoch, or as many epochs as FEWEST_STEPS take where an epoch has fewer.

    The weights are thrown away: nothing of it remains. The configuration's schedule does not run; it decides what is
    suggested: the turning point for 1cycle's highest rate, a tenth of it for any other.

    Args:
        config: of the run.
        data: its training rows are used, in the order of the run's first epochs.
        seeds: of the runs.
        lowest: first learning rate, above 0.
        highest: the rate that would follow the last one.

    Returns:
        Losses, and a suggested `optim.learning_rate` for each seed.

    Raises:
        UserError: a range that does not rise, a seed out of 0 .. 2^32 - 1, or a configuration that does not fit the
            data.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3.
    """
    try:
        lowest, highest = number(lowest), number(highest)
        is_rising = 0 < lowest < highest < float("inf")
    except NotPlain:
        is_rising = False
    if not is_rising:
        shown_range = f"from {shown(lowest)} to {shown(highest)}"
        raise UserError(f"learning rates {shown_range}; allowed: rising, above 0 and within a float32")
    seeds = plain_seeds(seeds)
    check_fits(config, data)
    dtype = config.train.dtype
    epoch_steps = step.length_of(config, data).epoch_steps
    epochs = -(-FEWEST_STEPS // epoch_steps)
    steps = epochs * epoch_steps
    rates = lowest * (highest / lowest) ** (np.arange(steps) / steps)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    arguments = (traced(config), data, jnp.asarray(rates, dtype), keys)
    program = compile_with(jax.jit(partial(_all_losses, config.static(), epochs)).lower(*arguments), FAST)
    losses = np.asarray(program(*arguments), np.float64)
    smoothed = np.stack([_smoothed(of_seed, rates) for of_seed in losses])
    turning = np.asarray([_turning_point(rates, of_seed) for of_seed in smoothed])
    rule = f"the highest rate before the smoothed batch loss climbs by {CLIMB:.0%} of what it had fallen"
    if config.schedule.kind == "onecycle":
        return RangeTest(seeds, rates, losses, smoothed, turning, turning, rule)
    rule = f"1/{BELOW_TURNING:g} of {rule}"
    return RangeTest(seeds, rates, losses, smoothed, turning, turning / BELOW_TURNING, rule)


def _all_losses(
    config: Settings, epochs: int, hyper: Hyper, data: Dataset, rates: jax.Array, keys: jax.Array
) -> jax.Array:
    """[S, N]. A `vmap` is the faster way on an accelerator, one after the other on a CPU."""
    of_seed = partial(_losses, config, epochs, hyper, data, rates)
    return jax.lax.map(of_seed, keys) if jax.default_backend() == "cpu" else jax.vmap(of_seed)(keys)


def _losses(config: Settings, epochs: int, hyper: Hyper, data: Dataset, rates: jax.Array, key: jax.Array) -> jax.Array:
    """[N], NaN from divergence on."""
    state = step.start(config, hyper, data, key)
    numbers = jnp.arange(epochs, dtype=state.epoch.dtype)
    of_epochs = jax.vmap(lambda epoch: step.epoch_batches(config, state._replace(epoch=epoch), data))(numbers)
    batches, keys = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), of_epochs)
    nan = jnp.full((), jnp.nan, config.train.dtype)

    def one(carry: tuple, inputs: tuple) -> tuple[tuple, jax.Array]:
        def go_on(carry: tuple) -> tuple[tuple, jax.Array]:
            state, mean, lowest, _ = carry
            index, batch, batch_key, rate = inputs
            state, (total, _) = step.train_step(config, state, hyper, Rates(rate, hyper.beta_1), data, batch, batch_key)
            loss = total / batch.size(total.dtype)
            mean = RUNNING * mean + (1 - RUNNING) * loss
            unbiased = mean / (1 - RUNNING ** (index + 1))
            diverged = ~(unbiased <= DIVERGED * lowest)  # which NaN is not, either
            return (state, mean, jnp.minimum(lowest, unbiased), diverged), jnp.where(diverged, nan, loss)

        return jax.lax.cond(carry[-1], lambda carry: (carry, nan), go_on, carry)

    zero, infinite = jnp.zeros((), rates.dtype), jnp.full((), jnp.inf, rates.dtype)
    indices = jnp.arange(len(rates), dtype=rates.dtype)
    first = (state, zero, infinite, jnp.zeros((), jnp.bool_))
    return jax.lax.scan(one, first, (indices, batches, keys, rates))[1]


def _smoothed(losses: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Batch losses, smoothed to both sides, so that the curve is not read late."""
    from scipy.ndimage import gaussian_filter1d  # 0.2 s to import

    counted = np.isfinite(losses)
    found = np.full_like(losses, np.nan)
    if counted.any():
        steps_per_decade = 1 / np.log10(rates[1] / rates[0]) if len(rates) > 1 else 1.0
        found[counted] = gaussian_filter1d(losses[counted], SMOOTHING_DECADES * steps_per_decade, mode="nearest")
    return found


def _turning_point(rates: np.ndarray, smoothed: np.ndarray) -> float:
    counted = smoothed[np.isfinite(smoothed)]
    if not len(counted) or (lowest := int(counted.argmin())) == 0:
        return float("nan")
    fallen = counted[: lowest + 1].max() - counted[lowest]
    above = np.flatnonzero(counted[lowest:] > counted[lowest] + CLIMB * fallen)
    if len(above):
        return float(rates[lowest + above[0] - 1])
    diverged = len(counted) < len(smoothed)
    return float(rates[len(counted) - 1]) if diverged else float("nan")
