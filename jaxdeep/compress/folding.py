"""Batch normalisation folded into the dense layers, which then give the same logits without it."""

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.errors import UserError
from jaxdeep.nn.folding import WITHOUT_NORM, folded
from jaxdeep.train.forward import model_of, scaled
from jaxdeep.train.run import Run, check_stack
from jaxdeep.train.weights import with_weights
from jaxdeep.train.xla_options import FAST, compile_with

TOLERANCE: Final = 1e-4
"""Largest difference of two logits over the largest absolute logit that rounding explains."""
CHECKED_ROWS: Final = 256
"""Number of validation rows whose logits are compared."""


def fold_batch_norm(run: Run) -> Run:
    """Fold every batch normalisation into a dense layer.

    With its moving statistics, batch normalisation is an affine map of each feature. In front of a dense layer, or
    behind an activation, it is folded into the dense layer that follows. Between a dense layer and its activation, it
    is folded into that layer. The folded network has plain dense layers with biases. It predicts the same, without
    dropout, up to rounding.

    A dropout layer between a normalisation and the dense layer that it is folded into now drops other values. So MC
    dropout changes. A penalty in the losses changes with the kernels too.

    Args:
        run: Finished run, which stays as it is.

    Returns:
        A run whose configuration has no batch normalisation. Its losses and accuracies are evaluated anew.

    Raises:
        UserError: The run has no batch normalisation or no best epoch, or a connection of its network leads around a
            batch normalisation.

    Source: y = W (g (x - m) / sqrt(v + e) + b) with the constants of Ioffe and Szegedy, "Batch Normalization" (2015),
    algorithm 2.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    run.check_trained()
    check_stack(run, "fold_batch_norm")
    if not jax.tree.leaves(run.batch_stats):
        raise UserError("the run's network has no batch normalisation. Serve it as it is.")
    config = run.config.updated(WITHOUT_NORM)
    before, after = (model_of(of, run.data) for of in (run.config, config))
    weights = folded(before, after, run.params, run.batch_stats, run.config.train.dtype)
    if weights is None:
        raise _refusal()
    params, batch_stats = weights
    _check_logits(run, config, params, batch_stats)
    return with_weights(run, params, batch_stats, config)


def _check_logits(run: Run, config: Config, params: Any, batch_stats: Any) -> None:
    """Refuse weights with other logits than the unfolded network."""

    def logits(weights: list[Any], images: jax.Array) -> list[jax.Array]:
        rows, configs = scaled(config, run.data, images), (run.config, config)
        return [model_of(of, run.data).apply(*own, rows)[0] for of, own in zip(configs, weights, strict=True)]

    images, _ = run.data.valid.take(jnp.arange(min(CHECKED_ROWS, run.data.valid.size)))
    weights = [(run.params, run.batch_stats), (params, batch_stats)]
    before, after = map(np.asarray, compile_with(jax.jit(logits).lower(weights, images), FAST)(weights, images))
    if not np.abs(before - after).max() <= TOLERANCE * np.abs(before).max():
        raise _refusal()


def _refusal() -> UserError:
    return UserError(
        "batch normalisation cannot be folded: a connection of the network leads around it, or its values are too "
        "large for the type of the weights. Serve the network as it is."
    )
