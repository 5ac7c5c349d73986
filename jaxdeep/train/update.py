"""The gradient of a batch's loss and the update that the optimizer makes of it."""

from typing import Any, NamedTuple

import jax
import optax

from jaxdeep.config import Hyper, Settings
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.optim.schedules import Rates
from jaxdeep.train.forward import Batch, batch_loss, model_of
from jaxdeep.train.state import TrainState, trained_part, transformation


class Update(NamedTuple):
    """What a batch does to a state. Frozen layers are absent from the parameters' parts.

    Attributes:
        loss: Mean loss of the batch before the update, in nats.
        correct: Number of the batch's rows that are classified correctly before the update.
        gradients: Gradients of the loss by the trained weights.
        updates: Numbers that are added to the trained weights.
        trained: Trained weights before the update.
        batch_stats: New moving means and variances of batch normalisation.
        opt_state: New state of the optimizer.
    """

    loss: jax.Array
    correct: jax.Array
    gradients: Params
    updates: Any
    trained: Params
    batch_stats: BatchStats
    opt_state: optax.OptState


def batch_update(
    config: Settings, state: TrainState, hyper: Hyper, rates: Rates, data: Dataset, batch: Batch, key: jax.Array
) -> Update:
    """Return the update that one batch makes. Frozen layers have no gradient and no state of the optimizer.

    Args:
        config: Static fields of the configuration.
        state: State before the step.
        hyper: Traced numbers of the configuration.
        rates: Learning rate and momentum of this step.
        data: Data set whose training rows are used.
        batch: Indices of these rows.
        key: Random key of the batch's dropout masks and augmentation.

    Returns:
        Loss, gradients and updates, and the new states of batch normalisation and of the optimizer.
    """
    model = model_of(config, data)
    trained = trained_part(model, state.params)

    def loss_of(trained: Params) -> tuple[jax.Array, tuple[BatchStats, jax.Array]]:
        return batch_loss({**state.params, **trained}, config, state.batch_stats, hyper, data, batch, key)

    (loss, (batch_stats, correct)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trained)
    updates, opt_state = transformation(config, model, hyper, rates).update(gradients, state.opt_state, trained)
    return Update(loss, correct, gradients, updates, trained, batch_stats, opt_state)
