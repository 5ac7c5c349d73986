"""What the tests of transfer share: a source with drawn weights, layers by their index, and runs to compare."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from small_data import SMALL

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import model_of
from jaxdeep.train.source import Layers, layers_of

TARGET = SMALL.updated(
    {"transfer.layers": 2, "transfer.added": (12,), "train.keep": "last", "optim.optimizer": "momentum"}
)
"""Two of three hidden layers are reused and frozen. The third one is new."""
ALL: dict[str, Any] = {"transfer.layers": 3, "transfer.added": ()}
"""All three are reused."""
FIGURES = ("best_epoch", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "train_loss", "diverged")


def drawn_source(config: Config, data: Dataset, seed: int = 0) -> Run:
    """A run whose weights and statistics are all drawn, so that none has a value that it would start with."""
    config = Config(config.data, config.model, train=config.train)
    shapes = jax.eval_shape(model_of(config, data).init, jax.eval_shape(jax.random.key, 0))
    rng = np.random.default_rng(seed)

    def draw(place: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> jax.Array:
        is_spread = place[-1].key in ("var", "scale")
        values = rng.uniform(0.5, 2, leaf.shape) if is_spread else rng.normal(0, 0.3, leaf.shape)
        return jnp.asarray(values, config.train.dtype)

    params, batch_stats = jax.tree_util.tree_map_with_path(draw, shapes)
    figures = dict.fromkeys(("val_loss", "val_accuracy", "test_loss", "test_accuracy"), 0.0)
    seconds = dict.fromkeys(("compile_seconds", "checkpoint_seconds"), 0.0)
    rows = dict.fromkeys(("val_correct", "test_correct"), np.zeros(0, np.bool_))
    return Run(config, data, seed, (), params, batch_stats, 1, **figures, **rows, **seconds, diverged=False)


def layers(run: Run) -> Layers:
    """Weights and moving statistics of a run's layers by index."""
    return layers_of(model_of(run.config, run.data), run.params, run.batch_stats)


def is_same(one: Any, other: Any) -> bool:
    """Whether two layers are the same to the bit."""
    left, right = jax.tree.leaves(one), jax.tree.leaves(other)
    return len(left) == len(right) and all(np.array_equal(*pair) for pair in zip(left, right, strict=True))


def changed_layers(run: Run, source: Run) -> list[int]:
    """Indices of the hidden layers that are not the source's to the bit."""
    mine, theirs = layers(run), layers(source)
    return [index for index in range(len(run.config.network.units)) if not is_same(mine[index], theirs[index])]


def assert_same_run(one: Run, other: Run) -> None:
    """All but the seconds, to the bit."""
    for left, right in zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True):
        np.testing.assert_array_equal(left, right)
    left, right = ([record[:-1] for record in run.history] for run in (one, other))
    np.testing.assert_equal(left, right)
    for name in FIGURES:
        np.testing.assert_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.test_correct, other.test_correct)


def assert_close_run(one: Run, other: Run, tolerance: float) -> None:
    """All but the seconds, to a tolerance relative to 1 + |x|."""
    for left, right in zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
    histories = ([record[:-1] for record in run.history] for run in (one, other))
    np.testing.assert_allclose(*histories, rtol=tolerance, atol=tolerance)
    for name in FIGURES:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(one.test_correct, other.test_correct)
