"""The state that a run carries from epoch to epoch, as one pytree on the device."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdeep.config import Hyper, Settings, Static, Train
from jaxdeep.nn.dnn import BatchStats, Network, Params
from jaxdeep.optim.constraints import max_norm, scale_first
from jaxdeep.optim.optimizers import optimizer
from jaxdeep.optim.plateau import Plateau, first_plateau
from jaxdeep.optim.schedules import Rates
from jaxdeep.optim.sparsity import keep_zeros


class Best(NamedTuple):
    """The best epoch. It is the epoch with the best `train.monitor` so far, or the last one with `train.keep="last"`.

    Attributes:
        params: Weights after the best epoch.
        batch_stats: Moving means and variances of batch normalisation after the best epoch.
        epoch: Number of the best epoch, counted from 1. It is 0 before the first one.
        val_loss: Validation loss of the best epoch in nats. It is infinite before the first one.
        val_accuracy: Validation accuracy of the best epoch, in [0, 1].
    """

    params: Params
    batch_stats: BatchStats
    epoch: jax.Array
    val_loss: jax.Array
    val_accuracy: jax.Array


class TrainState(NamedTuple):
    """State of a run between two epochs.

    Attributes:
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        opt_state: State of the optimizer.
        key: Random key of the whole run. Epoch e draws from `fold_in(key, e)`, so a state determines all that follows.
        epoch: Number of finished epochs, int32.
        best: Best epoch so far.
        diverged: Whether a training or validation loss was not finite. Such a run is over.
        plateau: State of performance scheduling. None for other schedules.
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
    """Return the optimizer of a step with its constraints: the rate of reused layers, max-norm, and zeros that stay.

    Args:
        config: Static fields of the configuration.
        model: Network that the weights belong to.
        hyper: Traced numbers of the configuration.
        rates: Learning rate and momentum of the step.

    Returns:
        A transformation from gradients to updates of the trained stacks. Add its update to the parameters as it is.
    """
    steps = [optimizer(config.optim, rates)]
    if isinstance(config, Static) and config.trained.slowed:
        steps.append(scale_first(model, config.trained.slowed, hyper.rate_factor))
    if config.regularize.max_norm is not None:
        steps.append(max_norm(model, config.regularize.constrained, hyper.max_norm))
    if config.regularize.keeps_zeros:
        steps.append(keep_zeros(model))
    return optax.chain(*steps) if len(steps) > 1 else steps[0]


def trained_part(model: Network, params: Params) -> Params:
    """Return the weights of the stacks that are not frozen.

    Args:
        model: Network that the weights belong to.
        params: Weights of all its stacks.

    Returns:
        A mapping of the trained stacks' names to their weights.
    """
    frozen = {stack.name for stack in model.stacks if stack.frozen}
    return {name: weights for name, weights in params.items() if name not in frozen}


def initial_weights(model: Network, key: jax.Array) -> tuple[Params, BatchStats]:
    """Return the weights and moving statistics that a run draws.

    Args:
        model: Network to train.
        key: Random key that the whole training is drawn from.
    """
    return model.init(jax.random.split(key)[0])


def init_state(config: Settings, model: Network, hyper: Hyper, key: jax.Array) -> TrainState:
    """Return the state before the first epoch.

    Args:
        config: Static fields of the configuration.
        model: Network to train.
        hyper: Traced numbers of the configuration.
        key: Random key, such as `jax.random.key(seed)`.

    Returns:
        A state whose `best` holds the initial weights and an infinite val_loss.
    """
    params, batch_stats = initial_weights(model, key)
    run_key = jax.random.split(key)[1]
    infinite = jnp.full((), jnp.inf, config.train.dtype)
    zero = jnp.zeros((), config.train.dtype)
    best_params, best_stats = jax.tree.map(
        jnp.copy, (params, batch_stats)
    )  # a donated buffer may stand in one place only
    best = Best(best_params, best_stats, jnp.zeros((), jnp.int32), infinite, zero)
    optimizer_of_start = transformation(config, model, hyper, Rates(hyper.learning_rate, hyper.beta_1))
    opt_state = optimizer_of_start.init(trained_part(model, params))
    plateau = first_plateau(config.train.dtype) if config.schedule.kind == "plateau" else None
    none, no = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.bool_)
    return TrainState(params, batch_stats, opt_state, run_key, none, best, no, plateau)


class Limits(NamedTuple):
    """What ends S runs.

    Attributes:
        epochs: Largest number of epochs of each run, integers [S].
        patience: Epochs in a row without a better one after which each run stops, integers [S].
    """

    epochs: np.ndarray
    patience: np.ndarray


def is_over(train: Train | Limits, state: TrainState, began: Any = 0) -> np.ndarray:
    """Return whether a run has reached its last epoch, stopped early or diverged.

    It reads the device.

    Args:
        train: Epochs and patience of one run, or of each of S runs.
        state: State between two epochs of one run, or of S runs with leaves [S, ...].
        began: Number of epochs before the present phase, a scalar or [S]. The patience counts from there.

    Returns:
        A boolean for one run, or booleans [S].
    """
    epoch, best_epoch, diverged = jax.device_get((state.epoch, state.best.epoch, state.diverged))
    return diverged | (epoch >= train.epochs) | (epoch - np.maximum(best_epoch, began) >= train.patience)
