"""Outputs of frozen layers that are computed once train the same network as outputs that are computed in each step."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import jax
import pytest
from small_data import lean_compilation, small_arrays
from small_transfer import ALL, TARGET, assert_close_run, drawn_source

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.train import phases
from jaxdeep.train.features import computed_once, shapes_with_features
from jaxdeep.train.fit import fit
from jaxdeep.train.source import Source

TOLERANCE = 1e-10
BASE = TARGET.updated({"train.dtype": "float64", "train.epochs": 2})

CACHED: dict[str, tuple[int, dict[str, Any]]] = {
    "selu": (2, {}),
    "batch norm": (2, {"model.batch_norm": True, "model.batch_norm_input": True, "model.use_bias": False}),
    "batch norm behind": (2, {"model.batch_norm": True, "model.batch_norm_place": "after"}),
    "dropout in trained layers": (2, {"model.dropout_rate": (0.0, 0.0, 0.3, 0.2)}),
    "dropout in the second layer": (1, {"model.dropout_rate": (0.0, 0.3, 0.0, 0.2)}),
    "no scaling": (2, {"data.scaling": "none", "optim.learning_rate": 1e-5}),
    "unit": (2, {"data.scaling": "unit"}),
    "classes": (2, {"data.classes": (3, 1, 0)}),
    "rows of each class": (2, {"data.per_class": 7, "data.valid_per_class": 5, "model.batch_norm": True}),
    "resampled": (2, {"data.resample": True}),
    "no source": (2, {"transfer.layers": None, "transfer.added": (), "transfer.frozen": (0, 1)}),
    "penalties": (2, {"regularize.l1": 1e-3, "regularize.l2": 1e-2, "regularize.max_norm": 0.6}),
    "skips": (2, {"model.skip": True}),
    "sigmoid head": (2, {"data.classes": (0, 2), "model.head": "sigmoid"}),
    "glu": (2, {"model.activation": "glu"}),
    "two phases": (3, {**ALL, "transfer.unfreeze": 2, "transfer.unfreeze_epoch": 1}),
    "slowed": (1, {"transfer.frozen": (0,), "transfer.rate_factor": 0.3}),
}
"""Number of layers that are computed once, and what is trained."""
UNCACHED: dict[str, dict[str, Any]] = {
    "dropout in the first layer": {"model.dropout_rate": (0.3, 0.0, 0.0, 0.0)},
    "rrelu": {"model.activation": "rrelu"},
    "shifted": {"data.shift_pixels": 1},
    "mirrored": {"data.flip": True},
    "the first layer is trained": {"transfer.frozen": (1,)},
    "nothing is frozen": {"transfer.frozen": "none"},
}


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with jax.enable_x64(True), lean_compilation():
        yield


def rows(config: Config) -> Dataset:
    return Dataset.from_arrays(*small_arrays(200), *small_arrays(60, seed=1), data=config.data.base())


@pytest.mark.parametrize("case", CACHED)
def test_features_that_are_computed_once_train_the_same_network(case: str) -> None:
    count, changes = CACHED[case]
    config = BASE.updated(changes)
    data = rows(config)
    source = drawn_source(config.updated({"model.head": "softmax"}), data) if config.transfer.layers else None
    chosen = datasets_of_seeds(data, config.data, (42,))[42]
    assert phases.stages_of(config, chosen)[0].trained.first == count
    run = fit(config, data, source=source)
    with mock.patch.object(phases, "computed_once", return_value=0):
        plain = fit(config, data, source=source)
    assert_close_run(run, plain, TOLERANCE)
    assert run.history[0].train_loss != run.history[1].train_loss


@pytest.mark.parametrize("case", UNCACHED)
def test_nothing_random_or_trained_is_computed_once(case: str) -> None:
    config = BASE.updated(UNCACHED[case])
    data = rows(config)
    assert computed_once(config, data, config.transfer.frozen_layers()) == 0
    assert shapes_with_features(config, data, 0) is data


def test_features_have_the_shapes_that_programs_are_compiled_for() -> None:
    config = BASE.updated({"data.classes": (3, 1, 0), "data.per_class": 7})
    data = rows(config)
    run = fit(config, data, source=drawn_source(config, data), until=1)
    (stage,) = phases.stages_of(config, run.data)
    entry = phases.first_entry(stage, Source(drawn_source(config, data)), jax.random.key(0))
    found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), stage.features(entry))
    expected = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), stage.shapes)
    assert jax.tree.leaves(found) == jax.tree.leaves(expected)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
