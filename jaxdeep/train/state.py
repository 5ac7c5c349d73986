"""Everything that a run carries from epoch to epoch, as one pytree on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdeep.config import Hyper, Settings
from jaxdeep.nn.dnn import BatchStats, Network, Params
from jaxdeep.optim.constraints import max_norm
from jaxdeep.optim.optimizers import optimizer
from jaxdeep.optim.plateau import Plateau, first_plateau
from jaxdeep.optim.schedules import Rates


class Best(NamedTuple):
    """The epoch whose weights are kept: the one with the lowest val_loss so far, or the last one.

    Attributes:
        params: its weights.
        batch_stats: its batch statistics.
        epoch: its number, counted from 1; 0 before there is one.
        val_loss: its validation loss; infinite before there is one.
        val_accuracy: its validation accuracy, in [0, 1].
    """

    params: Params
    batch_stats: BatchStats
    epoch: jax.Array
    val_loss: jax.Array
    val_accuracy: jax.Array


class TrainState(NamedTuple):
    """A run between two epochs.

    Attributes:
        params: weights.
        batch_stats: moving means and variances of batch normalisation.
        opt_state: what the optimizer keeps.
        key: of the whole run; epoch e draws from `fold_in(key, e)`, so the state at e says all that follows.
        epoch: epochs finished, int32.
        best: the epoch whose weights will be kept.
        diverged: whether a training or validation loss was not finite; such a run is over.
        plateau: of performance scheduling, where the learning rate follows it.
    """

    params: Params
    batch_stats: BatchStats
    opt_state: optax.OptState
    key: jax.Array
    epoch: jax.Array
    best: Best
    diverged: jax.Array
    plateau: Plateau | None = None


def transformation(config: Settings, model: Network, hyper: Hyper, rates: Rates) -> optax.GradientTransformation:
    """From gradients to what is added to the parameters: optimizer and constraint.

    Args:
        config: of the run.
        model: the network.
        hyper: its traced numbers.
        rates: of the step.
    """
    step = optimizer(config.optim, rates)
    if config.regularize.max_norm is None:
        return step
    return optax.chain(step, max_norm(model, config.regularize.constrained, hyper.max_norm))


def init_state(config: Settings, model: Network, hyper: Hyper, key: jax.Array) -> TrainState:
    """The state before the first epoch.

    Args:
        config: of the run.
        model: the network.
        hyper: its traced numbers.
        key: of the run, as of `jax.random.key(seed)`.

    Returns:
        The state; `best` holds the initial weights, with an infinite val_loss.
    """
    init_key, run_key = jax.random.split(key)
    params, batch_stats = model.init(init_key)
    infinite = jnp.full((), jnp.inf, config.train.dtype)
    zero = jnp.zeros((), config.train.dtype)
    best_params, best_stats = jax.tree.map(jnp.copy, (params, batch_stats))  # a donated buffer stands in one place only
    best = Best(best_params, best_stats, jnp.zeros((), jnp.int32), infinite, zero)
    opt_state = transformation(config, model, hyper, Rates(hyper.learning_rate, hyper.beta_1)).init(params)
    plateau = first_plateau(config.train.dtype) if config.schedule.kind == "plateau" else None
    none, no = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.bool_)
    return TrainState(params, batch_stats, opt_state, run_key, none, best, no, plateau)


def is_over(config: Settings, state: TrainState) -> np.ndarray:
    """Whether a run has reached its last epoch, stopped early or diverged (reads the device).

    Args:
        config: of the run.
        state: between two epochs; of one run, or of several, its leaves then [S, ...].

    Returns:
        A boolean, or [S] of them.
    """
    epoch, best_epoch, diverged = jax.device_get((state.epoch, state.best.epoch, state.diverged))
    return diverged | (epoch >= config.train.epochs) | (epoch - best_epoch >= config.train.patience)
