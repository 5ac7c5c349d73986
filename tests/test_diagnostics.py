"""Diagnostics of layers: each figure against NumPy, and all other bits as without them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import QUICK, SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.subsets import subset_of
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train import diagnose, step
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.forward import Batch, batch_loss
from jaxdeep.train.history import EpochRecord, from_rows, to_rows

ON = SMALL.updated({"train.diagnostics": True, "train.epochs": 3})
RELU = {"model.activation": "relu", "model.kernel_init": "he_normal"}
KINDS: dict[str, dict[str, Any]] = {
    "selu": {},
    "layers of different widths": {**RELU, "model.units": (12, 9, 9)},
    "bn, dropout and skip": {
        **RELU,
        "model.batch_norm": True,
        "model.skip": True,
        "model.dropout_sites": "every",
        "model.dropout_rate": 0.2,
    },
    "padded subset": {"data.classes": (3, 0, 1), "data.per_class": 30, "data.valid_per_class": 12},
    "augmented": {"data.shift_pixels": 1, "data.flip": True},
    "max_norm and pruning": {
        "regularize.max_norm": 0.8,
        "regularize.sparsity": 0.5,
        "regularize.prune_end_epoch": 2,
        "train.keep": "last",
    },
    "frozen, later trained": {
        **RELU,
        "model.dropout_sites": "every",
        "model.dropout_rate": 0.2,
        "transfer.frozen": (0, 1),
        "transfer.unfreeze": 1,
        "transfer.unfreeze_epoch": 2,
    },
    "outputs computed once": {"transfer.frozen": (0,), "transfer.unfreeze": 1, "transfer.unfreeze_epoch": 2},
}


@pytest.fixture(scope="module", autouse=True)
def little_optimisation():
    with lean_compilation():
        yield


def data_of(config: Config) -> Dataset:
    return subset_of(small_dataset(config), config.data)


def quick(function: Any) -> Any:
    """Compile a function of a configuration and its arguments with little optimisation, at its call."""
    jitted = jax.jit(function, static_argnums=0)
    return lambda *arguments: jitted.lower(*arguments).compile(QUICK)(*arguments[1:])


def figures(history: Sequence[EpochRecord]) -> list[tuple]:
    """The figures of each epoch without its time, and its diagnostics."""
    return [(tuple(record[:-1]), record.diagnostics) for record in history]


def assert_equal_bits(one: Run, other: Run) -> None:
    for left, right in zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True):
        np.testing.assert_array_equal(left, right)
    assert [record[:-1] for record in one.history] == [record[:-1] for record in other.history]
    assert (one.test_loss, one.best_epoch) == (other.test_loss, other.best_epoch)


def assert_equal_diagnostics(one: Sequence[EpochRecord], other: Sequence[EpochRecord], **tolerance: float) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.diagnostics is not None
        assert right.diagnostics is not None
        for values, expected in zip(left.diagnostics, right.diagnostics, strict=True):
            if tolerance:
                np.testing.assert_allclose(values, expected, **tolerance)
            else:
                np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_figures_keep_their_bits(kind: str) -> None:
    config = SMALL.updated({**KINDS[kind], "train.epochs": 3})
    without, with_diagnostics = (
        fit(chosen, data_of(config), seed=1) for chosen in (config, config.updated({"train.diagnostics": True}))
    )
    assert_equal_bits(without, with_diagnostics)
    assert all(record.diagnostics is None for record in without.history)
    for record in with_diagnostics.history:
        assert record.diagnostics is not None
        assert record.diagnostics.layers == 4
        assert all(len(values) == 4 for values in record.diagnostics)


class Layer(NamedTuple):
    """The weights of one layer, in NumPy."""

    kernel: np.ndarray
    bias: np.ndarray
    scale: np.ndarray | None
    offset: np.ndarray | None


def layers_of(params: Any) -> list[Layer]:
    """The layers of stacked weights in their order."""
    layers = []
    for name in sorted(params, key=lambda name: int(name.split("_")[1])):
        dense, norm = params[name]["dense"], params[name].get("norm")
        for index in range(len(dense["kernel"])):
            scales = (None, None) if norm is None else (norm["scale"][index], norm["bias"][index])
            layers.append(Layer(dense["kernel"][index], dense["bias"][index], *scales))
    return [Layer(*(None if leaf is None else np.asarray(leaf) for leaf in layer)) for layer in layers]


def expected_activations(layers: Sequence[Layer], x: np.ndarray, skips: Sequence[bool], act: Any) -> np.ndarray:
    """Mean, standard deviation and share of dead units of each layer, by NumPy, with the rows' own moments."""
    found = []
    for index, (layer, skip) in enumerate(zip(layers, skips, strict=True)):
        y = x @ layer.kernel.T + layer.bias
        if layer.scale is not None:
            y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-3) * layer.scale + layer.offset
        y = act(y) if index < len(layers) - 1 else y
        dead = (y == y[:1]).all(0).mean()
        x = y + x if skip else y
        found.append((x.mean(), x.std(), dead))
    return np.asarray(found).T


def selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(np.minimum(x, 0)) - 1))


def gradients_of(config: Config, state: Any, hyper: Any, data: Dataset, batch: Batch, key: jax.Array) -> Any:
    """The gradients of a batch's loss, by JAX alone."""
    loss = jax.grad(batch_loss, has_aux=True)
    return loss(state.params, config, state.batch_stats, hyper, data, batch, key)[0]


@pytest.mark.parametrize("kind", ["selu", "bn, dropout and skip", "padded subset"])
def test_each_figure_is_that_of_numpy_and_of_the_step(kind: str) -> None:
    """In float64. The update is the difference that the step really makes, and the gradient is of its own loss."""
    config = ON.updated({**KINDS[kind], "train.dtype": "float64"})
    with jax.enable_x64(True):
        data = data_of(config)
        hyper = config.hyper()
        state = quick(step.start)(config, hyper, data, jax.random.key(3))
        if kind == "bn, dropout and skip":  # a unit that is negative for all rows
            state = with_a_dead_unit(state)
        rates, (batches, keys) = step.epoch_rates(config, state, hyper, data), step.epoch_batches(config, state, data)
        arguments = (config, state, hyper, rates, data, batches, keys)
        found = quick(diagnose.diagnose)(*arguments).on_host()
        first: Batch = jax.tree.map(lambda leaf: leaf[0], batches)
        of_step = jax.tree.map(lambda leaf: leaf[0], rates)
        after, _ = quick(step.train_step)(config, state, hyper, of_step, data, first, keys[0])
        gradients = quick(gradients_of)(config, state, hyper, data, first, keys[0])
        order = np.asarray(batches.rows).ravel()[: diagnose.ROWS]
        order = order if batches.mask is None else order[np.asarray(batches.mask).ravel()[: diagnose.ROWS]]
        images = np.asarray(data.train.take(jnp.asarray(order))[0], np.float64)
        x = (images - np.asarray(data.mean, np.float64)) * np.asarray(data.scale, np.float64)
        is_relu = config.model.activation == "relu"
        act, skips = (lambda y: np.maximum(y, 0)) if is_relu else selu, [*config.model.skipped, False]
        before, changed, slopes = map(layers_of, (state.params, after.params, gradients))
    assert len(order) == data.train.size
    expected = expected_activations(before, x, skips, act)
    np.testing.assert_allclose(found[:3], expected, rtol=1e-10, atol=1e-12)
    assert found.dead_units[1] == (1 / 12 if is_relu else 0)
    np.testing.assert_allclose(found.gradient_mean, [of.kernel.mean() for of in slopes], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.gradient_std, [of.kernel.std() for of in slopes], rtol=1e-10)
    ratios = [
        np.linalg.norm(new.kernel - old.kernel) / np.linalg.norm(old.kernel)
        for new, old in zip(changed, before, strict=True)
    ]
    np.testing.assert_allclose(found.update_ratio, ratios, rtol=1e-9)


def with_a_dead_unit(state: Any) -> Any:
    """Give one unit of the second layer an offset behind batch normalisation that no row exceeds."""
    params = jax.tree.map(lambda leaf: leaf, state.params)
    (name,) = (name for name in params if name.startswith("layers_"))
    norm = params[name]["norm"]
    place = 1 - int(name.split("_")[1])
    params[name]["norm"] = {**norm, "bias": norm["bias"].at[place, 4].set(-100.0)}
    return state._replace(params=params)


def test_a_dead_relu_is_counted_behind_its_skip_connection_too() -> None:
    """With its bias far below 0 each unit is dead. The skip connection alone carries the rows on."""
    config = ON.updated({**RELU, "model.skip": True})
    data = data_of(config)
    state = quick(step.start)(config, config.hyper(), data, jax.random.key(0))
    state = state._replace(
        params=jax.tree.map_with_path(
            lambda path, leaf: leaf - 1e4 if path[-1].key == "bias" and path[0].key != "layer_3" else leaf, state.params
        )
    )
    _, metrics = quick(step.run_epoch)(config, state, config.hyper(), data)
    found = metrics.diagnostics
    assert found is not None
    assert found.dead_units.tolist() == [1, 1, 1, 1]  # the first layer has no skip connection: its width is another
    assert found.gradient_std[:3].tolist() == [0, 0, 0]


def test_frozen_layers_have_activations_and_no_gradients() -> None:
    config = ON.updated(KINDS["frozen, later trained"])
    first, _, third = (record.diagnostics for record in fit(config, data_of(config), seed=0).history)
    assert first is not None
    assert third is not None
    is_known = {name: np.isfinite(values).tolist() for name, values in first._asdict().items()}
    for name in ("activation_mean", "activation_std", "dead_units"):
        assert is_known[name] == [True] * 4
    for name in ("gradient_mean", "gradient_std", "update_ratio"):
        assert is_known[name] == [False, False, True, True]
    assert np.isfinite(third.update_ratio).tolist() == [False, True, True, True]


def test_layers_that_are_computed_once_have_no_figures() -> None:
    config = ON.updated(KINDS["outputs computed once"])
    first, _, third = (record.diagnostics for record in fit(config, data_of(config), seed=0).history)
    assert first is not None
    assert third is not None
    assert all(np.isfinite(values).tolist() == [False, True, True, True] for values in first)
    assert all(np.isfinite(values).all() for values in third)


@pytest.mark.parametrize("kind", ["bn, dropout and skip", "frozen, later trained"])
def test_an_interrupted_run_continues_to_the_same_diagnostics(kind: str, tmp_path: Path) -> None:
    config = ON.updated(KINDS[kind])
    data = data_of(config)
    whole = fit(config, data, seed=2)
    fit(config, data, seed=2, checkpoints=tmp_path, until=1)
    seen: list[list[tuple]] = []
    resumed = fit(config, data, seed=2, checkpoints=tmp_path, on_epoch=lambda history: seen.append(figures(history)))
    assert_equal_bits(whole, resumed)
    assert_equal_diagnostics(whole.history, resumed.history)
    assert len(seen[-1]) == 3


def test_trials_on_threads_and_trained_together_have_the_diagnostics_of_the_run_alone() -> None:
    configs = [ON.updated({"optim.learning_rate": rate, "train.epochs": 2}) for rate in (3e-3, 1e-2)]
    data = data_of(ON)
    trials = [Trial(config, 5, {"optim.learning_rate": config.optim.learning_rate}) for config in configs]
    alone = [fit(config, data, seed=5) for config in configs]
    on_threads = fit_all(trials, data, workers=2)
    batched = fit_batched(trials, [data, data], [None, None])
    for run, threaded, beside in zip(alone, on_threads, batched, strict=True):
        assert_equal_bits(run, threaded)
        assert_equal_diagnostics(run.history, threaded.history)
        assert_equal_diagnostics(run.history, beside.history, rtol=2e-4, atol=5e-7)


def test_a_saved_run_keeps_its_diagnostics(tmp_path: Path) -> None:
    from jaxdeep.train.saved import load

    run = fit(ON.updated({"train.epochs": 1}), data_of(ON), seed=0)
    run.save(tmp_path / "run.npz")
    assert_equal_diagnostics(load(tmp_path / "run.npz").history, run.history)


def test_a_history_is_json_with_diagnostics_or_without() -> None:
    history = fit(ON.updated({"train.epochs": 2}), data_of(ON), seed=0).history
    rows = json.loads(json.dumps(to_rows(history), allow_nan=False))
    assert figures(from_rows(rows)) == figures(history)
    plain = [row[:7] for row in rows]
    assert [record.diagnostics for record in from_rows(plain)] == [None, None]
    assert to_rows(from_rows(plain)) == plain


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: {**content, "dead_units": [0.5]},
        lambda content: {**content, "dead_units": "0000"},
        lambda content: {**content, "dead_units": [True] * 4},
        lambda content: {name: values for name, values in content.items() if name != "gradient_mean"},
        lambda _: [1, 2],
    ],
)
def test_what_is_no_diagnostics_is_refused(damage: Any) -> None:
    content = Diagnostics(*((0.5, 0.25, np.nan, 1.0),) * 6).to_json()
    assert Diagnostics.from_json(content).to_json() == content
    with pytest.raises(ValueError, match="diagnostics"):
        Diagnostics.from_json(damage(content))


def test_no_more_than_512_rows_are_looked_at() -> None:
    images, labels = small_arrays(900)
    config = ON.updated({"data.valid_size": 50, "train.epochs": 1})
    data = Dataset.from_arrays(images, labels, *small_arrays(60, seed=1), data=config.data)
    state = quick(step.start)(config, config.hyper(), data, jax.random.key(0))
    rows = np.asarray(step.epoch_batches(config, state, data)[0].rows).ravel()
    others = jnp.asarray(rows[diagnose.ROWS :])
    of_others = others if data.train.rows is None else data.train.rows[others]
    changed = replace(data, train=data.train._replace(images=data.train.images.at[of_others].set(0)))
    run = quick(step.run_epoch)
    one, other = (run(config, state, config.hyper(), of)[1].diagnostics for of in (data, changed))
    assert one is not None
    assert other is not None
    for values, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(values, expected)
