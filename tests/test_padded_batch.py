"""The last batch, filled up to the size of the others, is the smaller batch that it stands for."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import QUICK

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.data.info import Split
from jaxdeep.nn import layers
from jaxdeep.train import forward, step
from jaxdeep.train.evaluate import confusion_counts
from jaxdeep.train.state import TrainState, init_state

BATCH, CLASSES, UNITS = 32, 3, 10
LEFT = (1, 3, *(pytest.param(left, marks=pytest.mark.slow) for left in (2, 8)))
DATA = Data("standardize", valid_size=15)
NORMED = Model((UNITS,) * 20, "elu", "he_normal", batch_norm=True)
quick = partial(jax.jit, compiler_options=QUICK)


def depth(layers: int, model: Model = NORMED) -> Model:
    return replace(model, units=(UNITS,) * layers)


def case(model: Model, left: int, dtype: Any) -> tuple[Config, TrainState, Dataset, forward.Batch, jax.Array]:
    """A configuration, its first state, and the last batch of its first epoch, which has this many rows of its own."""
    config = Config(DATA, model, Optim(learning_rate=1e-3), Train(batch_size=BATCH, epochs=2, dtype=dtype))
    count = BATCH + left + 15
    rng = np.random.default_rng(left)
    labels = np.arange(count + 15) % CLASSES
    rows = rng.normal(size=(count + 15, 12)) * 3 + labels[:, None]
    dataset = Dataset.from_arrays(rows[:count], labels[:count], rows[count:], labels[count:], data=DATA)
    with jax.ensure_compile_time_eval():
        model_ = forward.model_of(config, dataset)
    state = quick(partial(init_state, config, model_, config.hyper()))(jax.random.key(0))
    batches, keys = step.epoch_batches(config, state, dataset)
    last = jax.tree.map(lambda leaf: leaf[-1], batches)
    assert int(last.mask.sum()) == left
    return config, state, dataset, last, keys[-1]


@lru_cache(maxsize=1)
def program(config: Config) -> Callable:
    """(params, batch_stats, data, batch, key) -> ((loss, (statistics, hits)), gradients), compiled by shapes."""
    hyper = jax.tree.map(lambda value: jnp.asarray(value, config.train.dtype), config.hyper())
    of = jax.value_and_grad(forward.batch_loss, has_aux=True)
    return quick(lambda params, stats, data, batch, key: of(params, config, stats, hyper, data, batch, key))


def gradients(config: Config, state: TrainState, data: Dataset, batch: forward.Batch, key: jax.Array) -> tuple:
    """Loss, gradients and new moving statistics of a batch."""
    found = program(config)(state.params, state.batch_stats, data, batch, key)
    (loss, (stats, _)), weights = found
    return loss, weights, stats


def alone(batch: forward.Batch, left: int) -> forward.Batch:
    """The rows that count, without the others.

    Their number stays an argument of the program. A constant 3 is turned into a factor 1/3 by XLA, and behind 100
    layers with statistics of three rows that rounding alone moves a float64 loss by 1e-8.
    """
    return forward.Batch(batch.rows[:left], jnp.ones(left, bool))


def furthest(one: Any, other: Any) -> float:
    """The largest difference of two leaves, in shares of the leaf's largest value."""

    def of_leaf(a: Any, b: Any) -> float:
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        return float(np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0), 1e-30))

    assert jax.tree.all(jax.tree.map(lambda leaf: bool(np.isfinite(leaf).all()), (one, other)))
    return max(jax.tree.leaves(jax.tree.map(of_leaf, one, other)))


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("layers", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", ["before", "after"])
def test_in_float64_loss_gradients_and_statistics_are_those_of_the_smaller_batch(place, layers, left):
    with jax.enable_x64(True):
        given = case(replace(depth(layers), batch_norm_place=place), left, "float64")
        *rest, batch, key = given
        filled, smaller = gradients(*given), gradients(*rest, alone(batch, left), key)
    assert float(filled[0]) == pytest.approx(float(smaller[0]), rel=1e-9)
    assert furthest(weights_of(filled[1]), weights_of(smaller[1])) < 1e-9
    assert furthest(filled[2], smaller[2]) < 1e-9


def weights_of(tree: Any) -> Any:
    """All but the biases before a batch normalisation, whose gradients are rounding noise about 0."""
    return {
        name: {part: leaves for part, leaves in of.items() if part != "dense" or "norm" not in of}
        | ({"kernel": of["dense"]["kernel"]} if "norm" in of else {})
        for name, of in tree.items()
    }


def permuted(tree: Any, orders: np.ndarray) -> Any:
    """The same network with the hidden units of each layer in another order; also of its gradients and statistics."""
    found = {}
    for name, of in tree.items():
        first = int(name.split("_")[1])
        leaves, structure = jax.tree.flatten_with_path(of)
        count = len(leaves[0][1]) if leaves else 0
        changed = []
        for path, leaf in leaves:
            rows = []
            for index in range(count):
                layer, value = first + index, leaf[index]
                if layer < len(orders) and value.shape[0] == UNITS:
                    value = value[orders[layer]]
                if "kernel" in jax.tree_util.keystr(path) and layer > 0:
                    value = value[:, orders[layer - 1]]
                rows.append(value)
            changed.append(jnp.stack(rows))
        found[name] = structure.unflatten(changed)
    return found


def test_the_hidden_units_can_stand_in_any_order():
    with jax.enable_x64(True):
        config, state, data, batch, key = case(depth(5), 8, "float64")
        orders = np.stack([np.random.default_rng(layer).permutation(UNITS) for layer in range(5)])
        other = state._replace(params=permuted(state.params, orders), batch_stats=permuted(state.batch_stats, orders))
        loss, found, _ = gradients(config, state, data, batch, key)
        reordered, of_reordered, _ = gradients(config, other, data, batch, key)
    assert float(loss) == pytest.approx(float(reordered), rel=1e-12)
    assert furthest(weights_of(permuted(of_reordered, np.argsort(orders, 1))), weights_of(found)) < 1e-10


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("layers", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_in_float32_it_differs_by_no_more_than_the_order_of_the_hidden_units_makes(layers, left):
    given = case(depth(layers), left, "float32")
    config, state, data, batch, key = given
    filled = gradients(*given)
    smaller = gradients(config, state, data, alone(batch, left), key)
    reordered = 0.0
    for seed in range(3):
        orders = np.stack([np.random.default_rng((seed, layer)).permutation(UNITS) for layer in range(layers)])
        inverse = np.argsort(orders, 1)
        other = state._replace(params=permuted(state.params, orders), batch_stats=permuted(state.batch_stats, orders))
        _, found, _ = gradients(config, other, data, alone(batch, left), key)
        reordered = max(reordered, furthest(weights_of(permuted(found, inverse)), weights_of(smaller[1])))
    rounding = float(np.finfo(np.float32).eps)  # of one row alone all is 0, in whatever order
    assert furthest(weights_of(filled[1]), weights_of(smaller[1])) <= max(reordered, rounding)


RANDOM = {
    "dropout": replace(NORMED, dropout="dropout", dropout_sites="every", dropout_rate=0.3),
    "alpha_dropout": replace(NORMED, dropout="alpha_dropout", dropout_sites="after_hidden", dropout_rate=0.3),
    "rrelu": replace(NORMED, activation="rrelu"),
    "rrelu, after": replace(NORMED, activation="rrelu", batch_norm_place="after"),
}


@pytest.mark.parametrize("left", [1, *(pytest.param(left, marks=pytest.mark.slow) for left in (2, 3, 8))])
@pytest.mark.parametrize("name", RANDOM)
def test_with_random_layers_it_is_the_smaller_batch_with_the_first_rows_of_the_whole_ones_masks(
    name, left, monkeypatch
):
    uniform = jax.random.uniform

    def of_whole_batch(key: jax.Array, shape: tuple[int, ...], *more: Any) -> jax.Array:
        return uniform(key, (BATCH, *shape[1:]), *more)[: shape[0]]

    with jax.enable_x64(True):
        given = case(RANDOM[name], left, "float64")
        *rest, batch, key = given
        filled = gradients(*given)
        monkeypatch.setattr(layers.jax.random, "uniform", of_whole_batch)
        program.cache_clear()
        smaller = gradients(*rest, alone(batch, left), key)
    assert float(filled[0]) == pytest.approx(float(smaller[0]), rel=1e-9)
    assert furthest(weights_of(filled[1]), weights_of(smaller[1])) < 1e-9
    assert furthest(filled[2], smaller[2]) < 1e-9


@pytest.mark.parametrize(
    "name",
    ["alpha_dropout", "rrelu", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dropout", "rrelu, after"))],
)
def test_with_random_layers_deep_in_float32_one_row_in_the_last_batch_leaves_all_finite(name):
    loss, found, stats = gradients(*case(depth(100, RANDOM[name]), 1, "float32"))
    assert np.isfinite(loss)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((found, stats)))


@pytest.mark.parametrize("place", ["before", "input"])
def test_behind_the_only_dropout_deep_in_float32_all_is_finite_too(place):
    first_only = (0.3, *(0.0,) * 100)
    units = (UNITS,) * 100
    model = replace(NORMED, units=units, activation="relu", dropout_rate=first_only, batch_norm_place=place)
    loss, found, stats = gradients(*case(model, 2, "float32"))
    assert np.isfinite(loss)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((found, stats)))


@pytest.mark.parametrize("left", [1, 5, 31])
def test_what_fills_a_batch_up_are_its_own_rows(left):
    *_, batch, _ = case(depth(2), left, "float32")
    assert set(np.asarray(batch.rows)) == set(np.asarray(batch.rows[:left]))


@pytest.mark.parametrize("count", [1, 5, 7, 8])
def test_a_padded_split_has_the_order_of_its_numbers(count: int) -> None:
    """Rows that count come in the order of their random numbers, whatever stands behind them."""
    split = Split(jnp.zeros((8, 2)), jnp.zeros(8, jnp.int32), count=jnp.int32(count))
    key = jax.random.key(count)
    order = np.asarray(step._padded_order(key, split, 3, 3))
    np.testing.assert_array_equal(order[:count], np.argsort(jax.random.bits(key, (8,))[:count], stable=True))
    assert set(order) == set(range(count))


def test_rows_that_only_fill_a_split_are_in_no_confusion() -> None:
    labels = np.arange(90) % CLASSES
    rows = np.random.default_rng(0).normal(size=(90, 4))
    config = Config(replace(DATA, classes=(2, 0), per_class=10), Model((UNITS,)))
    whole = Dataset.from_arrays(rows[:70], labels[:70], rows[70:], labels[70:], data=config.data)
    data = datasets_of_seeds(whole, config.data, (0,))[0]
    assert data.test.size == 13 < data.test.capacity
    state = quick(partial(step.start, config, config.hyper(), data))(jax.random.key(0))
    found = quick(partial(confusion_counts, config))(state.params, state.batch_stats, data, data.test)
    np.testing.assert_array_equal(found.sum(1), np.bincount(data.test.own_labels))
