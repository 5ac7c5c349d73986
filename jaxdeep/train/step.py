"""The training program: a step, an epoch of steps. Pure functions of state, numbers and data."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep.config import Config, Hyper
from jaxdeep.data.augmentation import augmented
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.optim.constraints import penalty
from jaxdeep.optim.plateau import next_plateau
from jaxdeep.optim.schedules import Length, Rates, rates_at
from jaxdeep.train.evaluation import cross_entropy, evaluate, is_hit, model_of, scaled
from jaxdeep.train.state import Best, TrainState, init_state, transformation

AUGMENTATION = 2**31
"""What a batch's key is folded with for its augmentation; layers fold in 0, 1, ..."""


class Batch(NamedTuple):
    """Which rows a step takes.

    Attributes:
        rows: [B], indices of training rows.
        counted: [B], booleans. The others repeat rows that count and stand there for the shape only. None: all count.
    """

    rows: jax.Array
    counted: jax.Array | None = None

    def size(self, dtype: Any) -> Any:
        """Rows that count."""
        return len(self.rows) if self.counted is None else self.counted.sum(dtype=dtype)


class Metrics(NamedTuple):
    """What an epoch reports.

    Attributes:
        train_loss: mean loss over the epoch's images, each taken before its step, with dropout on; in nats. A loss is
            the cross-entropy, and l1's and l2's penalty where there is one.
        train_accuracy: likewise, in [0, 1].
        val_loss: mean loss of the validation images after the epoch, in nats.
        val_accuracy: likewise, in [0, 1].
        learning_rate: of the epoch's last step.
    """

    train_loss: jax.Array
    train_accuracy: jax.Array
    val_loss: jax.Array
    val_accuracy: jax.Array
    learning_rate: jax.Array


def batch_loss(
    params: Params, config: Config, batch_stats: BatchStats, hyper: Hyper, data: Dataset, batch: Batch, key: jax.Array
) -> tuple[jax.Array, tuple[BatchStats, jax.Array]]:
    """Mean loss of a batch, with dropout on and batch normalisation by the batch's own statistics.

    Args:
        params: to differentiate by.
        config: of the run; static.
        batch_stats: before the step.
        hyper: traced numbers.
        data: its training rows are used.
        batch: which rows.
        key: of the batch's dropout masks and augmentation.

    Returns:
        The loss in nats; the new batch_stats and the number of hits.
    """
    model = model_of(config, data)
    images, labels = data.train.take(batch.rows)
    if config.data.augmented:
        images = augmented(jax.random.fold_in(key, AUGMENTATION), images, data.image_shape, config.data)
    logits, batch_stats = model.apply(
        params,
        batch_stats,
        scaled(config, data, images),
        key=key,
        dropout_rate=hyper.dropout_rate,
        update_stats=True,
        counted=batch.counted,
    )

    loss = jnp.sum(cross_entropy(logits, labels), where=batch.counted) / batch.size(logits.dtype)
    if config.regularize.has_penalty:
        loss += penalty(config.regularize, hyper, model, params)
    return loss, (batch_stats, jnp.sum(is_hit(logits, labels), where=batch.counted))


def train_step(
    config: Config, state: TrainState, hyper: Hyper, rates: Rates, data: Dataset, batch: Batch, key: jax.Array
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """One update on a batch.

    Args:
        config: of the run; static.
        state: before the step.
        hyper: traced numbers.
        rates: of this step.
        data: its training rows are used.
        batch: which rows.
        key: of the batch's dropout masks and augmentation.

    Returns:
        The state with new params, batch_stats and opt_state; the batch's summed loss and its number of hits.
    """
    (loss, (batch_stats, hits)), gradients = jax.value_and_grad(batch_loss, has_aux=True)(
        state.params, config, state.batch_stats, hyper, data, batch, key
    )
    optimizer = transformation(config, model_of(config, data), hyper, rates)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = state._replace(params=params, batch_stats=batch_stats, opt_state=opt_state)
    return state, (loss * batch.size(loss.dtype), hits)


def length_of(config: Config, data: Dataset) -> Length:
    """Steps of an epoch, and epochs, of a run."""
    count = data.train.size
    return Length(-(-count // min(config.train.batch_size, count)), config.train.epochs)


def epoch_rates(config: Config, state: TrainState, hyper: Hyper, data: Dataset) -> Rates:
    """Learning rate and momentum of each step of the coming epoch: [steps] each."""
    length = length_of(config, data)
    begins = state.epoch * length.epoch_steps
    counts = (begins + jnp.arange(length.epoch_steps, dtype=jnp.int32)).astype(config.train.dtype)
    rates = rates_at(config.schedule, config.optim, hyper, length, counts)
    if state.plateau is not None:
        rates = rates._replace(learning_rate=rates.learning_rate * state.plateau.factor)
    return rates


def epoch_keys(state: TrainState) -> tuple[jax.Array, jax.Array]:
    """The keys of the coming epoch: of the order of its rows, and of its batches' random numbers."""
    shuffle_key, batch_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
    return shuffle_key, batch_key


def epoch_batches(config: Config, state: TrainState, data: Dataset) -> tuple[Batch, jax.Array]:
    """The coming epoch's batches: every training row once, in an order drawn from the run's key.

    The last batch holds what is left. It is filled up with its own rows in turn, which do not count a second time, so
    that all steps are one program. A row of another batch would have no part in batch normalisation's statistics: with
    one counted row their variance is 0, and a stranger grows 30 times a layer until it overflows, and 0 x inf is NaN.

    Returns:
        The batches, their leaves [steps, B], and each one's key, [steps].
    """
    shuffle_key, batch_key = epoch_keys(state)
    count = data.train.size
    batch_size = min(config.train.batch_size, count)
    steps = length_of(config, data).epoch_steps
    filling = steps * batch_size - count
    order = jax.random.permutation(shuffle_key, count)
    if filling:
        last = order[(steps - 1) * batch_size :]
        order = jnp.concatenate([order, jnp.resize(last, (filling,))])
    counted = jnp.arange(steps * batch_size) < count
    batches = Batch(*(rows.reshape(steps, batch_size) for rows in (order, counted)))
    if not filling:
        batches = batches._replace(counted=None)
    return batches, jax.vmap(partial(jax.random.fold_in, batch_key))(jnp.arange(steps))


def train_epoch(
    config: Config, state: TrainState, hyper: Hyper, rates: Rates, data: Dataset
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """A step on each of the epoch's batches.

    Args:
        config: of the run; static.
        state: before the epoch.
        hyper: traced numbers.
        rates: of its steps, as of `epoch_rates`: [steps] each.
        data: its training rows are used.

    Returns:
        The state after the epoch's steps; the training rows' mean loss and accuracy.
    """

    def step(state: TrainState, inputs: tuple[Batch, jax.Array, Rates]):
        batch, key, rates = inputs
        return train_step(config, state, hyper, rates, data, batch, key)

    batches, keys = epoch_batches(config, state, data)
    state, (losses, hits) = jax.lax.scan(step, state, (batches, keys, rates))
    count = data.train.size
    return state, (losses.sum() / count, hits.sum(dtype=losses.dtype) / count)


def run_epoch(config: Config, state: TrainState, hyper: Hyper, data: Dataset) -> tuple[TrainState, Metrics]:
    """Train for an epoch, evaluate on the validation rows, keep the weights if they are the best.

    Args:
        config: of the run; static.
        state: before the epoch; donated where this is compiled.
        hyper: traced numbers.
        data: training and validation rows.

    Returns:
        The state after the epoch, and its figures.
    """
    rates = epoch_rates(config, state, hyper, data)
    state, (train_loss, train_accuracy) = train_epoch(config, state, hyper, rates, data)
    val_loss, val_accuracy, _ = evaluate(config, state.params, state.batch_stats, hyper, data, data.valid)
    epoch = state.epoch + 1
    candidate = Best(state.params, state.batch_stats, epoch, val_loss, val_accuracy)
    better = val_loss < state.best.val_loss if config.train.keep == "best" else jnp.isfinite(val_loss)
    best = jax.tree.map(partial(jnp.where, better), candidate, state.best)
    diverged = ~(jnp.isfinite(train_loss) & jnp.isfinite(val_loss))
    state = state._replace(epoch=epoch, best=best, diverged=state.diverged | diverged)
    if state.plateau is not None:
        plateau = next_plateau(config.schedule, state.plateau, val_loss, hyper.plateau_factor)
        state = state._replace(plateau=plateau)
    return state, Metrics(train_loss, train_accuracy, val_loss, val_accuracy, rates.learning_rate[-1])


def start(config: Config, hyper: Hyper, data: Dataset, key: jax.Array) -> TrainState:
    """The state before the first epoch of `config` on `data`."""
    return init_state(config, model_of(config, data), hyper, key)
