"""A small trained run, and runs of other networks with drawn weights, which need no training."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from small_data import SMALL, small_dataset

from jaxdeep.config import Config
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.forward import model_of
from jaxdeep.train.weights import with_weights

TRAINED = SMALL.updated({"model.activation": "elu", "model.kernel_init": "he_normal", "train.keep": "last"})


@cache
def trained_run() -> Run:
    """A network that classifies most rows."""
    return fit(TRAINED, small_dataset(TRAINED), seed=0)


def drawn_run(config: Config, spread: float = 0.5) -> Run:
    """A run whose weights, biases and statistics are all drawn, so that no value is a default.

    The spread is the standard deviation of weights and biases.
    """
    run = trained_run()
    shapes = jax.eval_shape(model_of(config, run.data).init, jax.eval_shape(jax.random.key, 0))
    rng = np.random.default_rng(0)

    def draw(place: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        is_spread = place[-1].key in ("var", "scale")
        values = rng.uniform(0.2, 3, leaf.shape) if is_spread else rng.normal(0, spread, leaf.shape)
        return jnp.asarray(values, config.train.dtype)

    params, batch_stats = jax.tree_util.tree_map_with_path(draw, shapes)
    return with_weights(run, params, batch_stats, config)
