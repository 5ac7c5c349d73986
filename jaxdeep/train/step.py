"""The start of a run, a step, and an epoch of steps.

All are pure functions of state, traced numbers and data.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.info import Split
from jaxdeep.optim.plateau import next_plateau
from jaxdeep.optim.schedules import Length, Rates, rates_at
from jaxdeep.optim.sparsity import pruned, sparsity_after
from jaxdeep.train.diagnose import diagnose
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.evaluate import evaluate
from jaxdeep.train.forward import Batch, model_of
from jaxdeep.train.placement import by_rows
from jaxdeep.train.state import Best, TrainState, init_state, trained_part
from jaxdeep.train.update import batch_update


class Metrics(NamedTuple):
    """Figures of an epoch. A loss is the cross-entropy plus the penalties of l1 and l2 if there are any.

    Attributes:
        train_loss: Mean loss of the training rows in nats. Each is taken before its step and with dropout on.
        train_accuracy: Share of the training rows that were classified correctly before their step, in [0, 1].
        val_loss: Mean loss of the validation rows after the epoch in nats.
        val_accuracy: Share of the validation rows that are classified correctly after the epoch, in [0, 1].
        learning_rate: Learning rate of the epoch's last step.
        diagnostics: Figures of each layer before the epoch's first step. None without `train.diagnostics`.
    """

    train_loss: jax.Array
    train_accuracy: jax.Array
    val_loss: jax.Array
    val_accuracy: jax.Array
    learning_rate: jax.Array
    diagnostics: Diagnostics | None = None


def train_step(
    config: Settings, state: TrainState, hyper: Hyper, rates: Rates, data: Dataset, batch: Batch, key: jax.Array
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """Update the weights on one batch. Frozen layers have no gradient and no state of the optimizer.

    Args:
        config: Static fields of the configuration.
        state: State before the step.
        hyper: Traced numbers of the configuration.
        rates: Learning rate and momentum of this step.
        data: Data set whose training rows are used.
        batch: Indices of these rows.
        key: Random key of the batch's dropout masks and augmentation.

    Returns:
        The state with new params, batch_stats and opt_state. Then the batch's summed loss in nats and the number of its
        rows that are classified correctly.
    """
    update = batch_update(config, state, hyper, rates, data, batch, key)
    new: Any = optax.apply_updates(update.trained, update.updates)
    params = {**state.params, **new}
    state = state._replace(params=params, batch_stats=update.batch_stats, opt_state=update.opt_state)
    return state, (update.loss * batch.size(update.loss.dtype), update.correct)


def length_of(config: Settings, data: Dataset) -> Length:
    """Return the number of steps in an epoch and of epochs in a run.

    Args:
        config: Static fields of the configuration.
        data: Data set whose number of training rows is used.

    Returns:
        The length of a run without early stopping. Its steps are traced in a compiled program of a padded data set.
    """
    return Length(-(-data.train.size // _batch_size(config, data)), config.train.epochs)


def most_steps(config: Settings, data: Dataset) -> int:
    """Return the number of steps that an epoch's program has. Those behind the epoch's own steps do nothing.

    Args:
        config: Static fields of the configuration.
        data: Data set whose number of training rows is used. Rows that only fill the shape are among them.
    """
    return -(-data.train.capacity // _batch_size(config, data))


def _batch_size(config: Settings, data: Dataset) -> int:
    return min(config.train.batch_size, data.train.capacity)


def epoch_rates(config: Settings, state: TrainState, hyper: Hyper, data: Dataset) -> Rates:
    """Return the learning rate and the momentum of each step of the coming epoch.

    Args:
        config: Static fields of the configuration.
        state: State before the epoch.
        hyper: Traced numbers of the configuration.
        data: Data set whose number of training rows is used.

    Returns:
        Rates whose leaves have the shape [steps], with the steps of `most_steps`.
    """
    length = length_of(config, data)
    begins = state.epoch * length.epoch_steps
    counts = (begins + jnp.arange(most_steps(config, data), dtype=jnp.int32)).astype(config.train.dtype)
    rates = rates_at(config.schedule, config.optim, hyper, length, counts)
    if state.plateau is not None:
        rates = rates._replace(learning_rate=rates.learning_rate * state.plateau.factor)
    return rates


def epoch_keys(state: TrainState) -> tuple[jax.Array, jax.Array]:
    """Return two random keys of the coming epoch.

    Args:
        state: State before the epoch.

    Returns:
        The key of the order of the rows and the key of the batches' random numbers.
    """
    shuffle_key, batch_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
    return shuffle_key, batch_key


def epoch_batches(config: Settings, state: TrainState, data: Dataset) -> tuple[Batch, jax.Array]:
    """Return the batches of the coming epoch.

    They hold every training row once in an order drawn from the run's key. The last batch holds the rows that are left.
    It is filled up with its own rows in turn so that all steps are one program. These repeated rows do not count a
    second time.

    Batch normalisation's statistics would not cover a row of another batch. With one row in the mask the variance is 0.
    Such a row grows 30 times a layer until it overflows. Then 0 x inf is NaN.

    A padded data set has steps behind its own, in which no row counts.

    Args:
        config: Static fields of the configuration.
        state: State before the epoch.
        data: Data set whose number of training rows is used.

    Returns:
        The batches with leaves [steps, B] and a random key [steps] for each of them.
    """
    shuffle_key, batch_key = epoch_keys(state)
    count, is_padded = data.train.size, data.train.count is not None
    batch_size, steps = _batch_size(config, data), most_steps(config, data)
    filling = steps * batch_size - data.train.capacity
    if is_padded:
        order = _padded_order(shuffle_key, data.train, batch_size, steps)
    else:
        order = jax.random.permutation(shuffle_key, count)
        if filling:
            last = order[(steps - 1) * batch_size :]
            order = jnp.concatenate([order, jnp.resize(last, (filling,))])
    mask = jnp.arange(steps * batch_size, dtype=jnp.int32) < count
    batches = Batch(*(rows.reshape(steps, batch_size) for rows in (order, mask)))
    if not filling and not is_padded:
        batches = batches._replace(mask=None)
    if (own := data.train.weights_of(jnp.arange(data.train.capacity))) is not None:
        own = own.astype(config.train.dtype)
        batches = batches._replace(weights=(own / own.mean(where=data.train.mask))[batches.rows])
    return batches, jax.vmap(partial(jax.random.fold_in, batch_key))(jnp.arange(steps))


def _padded_order(key: jax.Array, train: Split, batch_size: int, steps: int) -> jax.Array:
    """Return the order of a padded split's rows.

    A random number of 32 bits is drawn for each row, and the rows that count are sorted by it. The number of a row does
    not depend on the rows behind it. The rows of the last batch fill it up in turn.

    Args:
        key: Random key of the order.
        train: Padded split.
        batch_size: Number B of rows in a batch.
        steps: Number of batches.

    Returns:
        Indices [steps x B] of rows that count.
    """
    places, count = jnp.arange(train.capacity, dtype=jnp.int32), jnp.asarray(train.size, jnp.int32)
    numbers = jax.random.bits(key, (train.capacity,), jnp.uint32)
    numbers = jnp.where(places < count, numbers, jnp.uint32(2**32 - 1))  # the sort is stable, so the others come last
    _, order = jax.lax.sort((numbers, places), num_keys=1)  # two keys take nearly twice the time
    begins = (count - 1) // batch_size * batch_size
    places = jnp.arange(steps * batch_size, dtype=jnp.int32)
    return order[jnp.where(places < count, places, begins + (places - count) % (count - begins))]


def train_epoch(
    config: Settings,
    state: TrainState,
    hyper: Hyper,
    rates: Rates,
    data: Dataset,
    batches: tuple[Batch, jax.Array] | None = None,
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """Take a step on each of the epoch's batches.

    Args:
        config: Static fields of the configuration.
        state: State before the epoch.
        hyper: Traced numbers of the configuration.
        rates: Learning rate and momentum of each step from `epoch_rates`. Their leaves have the shape [steps].
        data: Data set whose training rows are used.
        batches: Batches and keys from `epoch_batches`. None draws them.

    Returns:
        The state after the epoch's steps. Then the training rows' mean loss in nats and their accuracy in [0, 1].
    """

    def step(state: TrainState, inputs: tuple[Batch, jax.Array, Rates]):
        batch, key, rates = inputs

        def take(state: TrainState) -> Any:
            return train_step(config, state, hyper, rates, data, batch, key)

        if data.train.count is None:
            return take(state)
        assert batch.mask is not None
        nothing = jax.tree.map(lambda figure: jnp.zeros(figure.shape, figure.dtype), jax.eval_shape(take, state)[1])
        return jax.lax.cond(batch.mask[0], take, lambda state: (state, nothing), state)

    of_steps, keys = epoch_batches(config, state, data) if batches is None else batches
    state, (losses, correct) = jax.lax.scan(step, state, (of_steps, keys, rates))
    count = data.train.size if data.train.count is None else data.train.count.astype(losses.dtype)
    return state, (losses.sum() / count, correct.sum(dtype=losses.dtype) / count)


def run_epoch(config: Settings, state: TrainState, hyper: Hyper, data: Dataset) -> tuple[TrainState, Metrics]:
    """Train for an epoch, prune if the configuration says so, evaluate, and keep the weights if they are the best.

    Args:
        config: Static fields of the configuration.
        state: State before the epoch. A compiled program takes its memory.
        hyper: Traced numbers of the configuration.
        data: Data set whose training and validation rows are used.

    Returns:
        The state after the epoch and the epoch's figures.
    """
    rates = epoch_rates(config, state, hyper, data)
    of_steps, keys = epoch_batches(config, state, data)
    batches = (by_rows(of_steps), keys)
    diagnostics = diagnose(config, state, hyper, rates, data, *batches) if config.train.diagnostics else None
    state, (train_loss, train_accuracy) = train_epoch(config, state, hyper, rates, data, batches)
    if config.regularize.prunes:
        share = sparsity_after(config.regularize, state.epoch + 1, config.train.dtype)
        model = model_of(config, data)
        sparse = pruned(model, trained_part(model, state.params), share, config.regularize.prune_scope)
        state = state._replace(params={**state.params, **sparse})
    val_loss, val_accuracy, _ = evaluate(config, state.params, state.batch_stats, hyper, data, data.valid)
    epoch = state.epoch + 1
    candidate = Best(state.params, state.batch_stats, epoch, val_loss, val_accuracy)
    better = is_better(config, candidate, state.best)
    best = jax.tree.map(partial(jnp.where, better), candidate, state.best)
    diverged = ~(jnp.isfinite(train_loss) & jnp.isfinite(val_loss))
    state = state._replace(epoch=epoch, best=best, diverged=state.diverged | diverged)
    if state.plateau is not None:
        plateau = next_plateau(config.schedule, state.plateau, val_loss, hyper.plateau_factor)
        state = state._replace(plateau=plateau)
    last = -1 if data.train.count is None else length_of(config, data).epoch_steps - 1
    figures = (train_loss, train_accuracy, val_loss, val_accuracy, rates.learning_rate[last])
    return state, Metrics(*figures, diagnostics)


def is_better(config: Settings, candidate: Best, best: Best) -> jax.Array:
    """Return whether an epoch takes the place of the best one so far. An epoch whose loss is not finite never does.

    Args:
        config: Static fields of the configuration. train.keep and train.monitor decide.
        candidate: Epoch that has just ended.
        best: Best epoch so far, with an infinite val_loss before the first one.

    Returns:
        A boolean scalar.
    """
    if config.train.keep == "last":
        return jnp.isfinite(candidate.val_loss)
    if config.train.monitor == "val_loss":
        return candidate.val_loss < best.val_loss
    is_higher = (candidate.val_accuracy > best.val_accuracy) | (best.epoch == 0)
    return is_higher & jnp.isfinite(candidate.val_loss)


def start(config: Settings, hyper: Hyper, data: Dataset, key: jax.Array) -> TrainState:
    """Return the state before the first epoch.

    Args:
        config: Static fields of the configuration.
        hyper: Traced numbers of the configuration.
        data: Data set whose width and number of classes are used.
        key: Random key, such as `jax.random.key(seed)`.

    Returns:
        A state with initial weights and no finished epoch.
    """
    return init_state(config, model_of(config, data), hyper, key)
