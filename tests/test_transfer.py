"""Frozen layers stay as they are to the bit, and the source of a run stays as it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset
from small_transfer import ALL, TARGET, assert_same_run, changed_layers, drawn_source, is_same, layers

from jaxdeep import load
from jaxdeep.config import Trained
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train.fit import fit
from jaxdeep.train.phases import stages_of
from jaxdeep.train.programs import spec_of


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


LAYER = r"layer_\d"
NETWORKS: dict[str, dict[str, Any]] = {
    "before the activation": {"model.batch_norm": True, "model.batch_norm_input": True, "model.activation": "prelu"},
    "after it": {"model.batch_norm": True, "model.batch_norm_place": "after", "model.activation": "elu"},
    "of the input": {
        "model.batch_norm": (True, True, False),
        "model.batch_norm_place": "input",
        "model.dropout_rate": (0.2, 0.2, 0.0, 0.1),
    },
}
"""Batch normalisation in all places, slopes that are trained, and dropout in frozen layers."""


@pytest.mark.parametrize(
    ("network", "frozen"),
    [
        ("before the activation", "reused"),
        ("before the activation", (1,)),
        ("after it", (0, 2)),
        ("of the input", (0, 1)),
    ],
)
def test_frozen_layers_are_the_sources_to_the_bit(network: str, frozen: Any) -> None:
    config = TARGET.updated({**NETWORKS[network], **ALL, "transfer.frozen": frozen, "train.epochs": 2})
    data = small_dataset(config)
    source = drawn_source(config, data)
    run = fit(config, data, source=source)
    kept = (0, 1, 2) if frozen == "reused" else frozen
    assert changed_layers(run, source) == [index for index in range(3) if index not in kept]


def test_each_phase_keeps_its_own_frozen_layers() -> None:
    changes = {**ALL, "transfer.unfreeze": 2, "transfer.unfreeze_epoch": 1, "transfer.gradual": True}
    config = TARGET.updated({**NETWORKS["before the activation"], **changes})
    data = small_dataset(config)
    source = drawn_source(config, data)
    found = [changed_layers(fit(config, data, source=source, until=epochs), source) for epochs in (1, 2, 3)]
    assert found == [[], [2], [1, 2]]


@pytest.mark.parametrize(
    ("frozen", "trained", "stacks"),
    [
        ((0, 1), Trained((), 2), {"layer_2", "layer_3"}),
        ((1,), Trained((1,), 0), {"layer_0", "layer_2", "layer_3"}),
        ((0, 2), Trained((2,), 1), {"layer_1", "layer_3"}),
    ],
)
@pytest.mark.parametrize("optimizer", ["nadam", "momentum"])
def test_the_optimizer_has_no_leaf_for_a_frozen_layer(
    optimizer: str, frozen: Any, trained: Trained, stacks: set[str]
) -> None:
    config = TARGET.updated({"transfer.frozen": frozen, "optim.optimizer": optimizer, "model.batch_norm": True})
    data = small_dataset(config)
    (stage,) = stages_of(config, data)
    assert stage.trained == trained
    state = spec_of(config, [stage.shapes], stage.trained).state
    of_optimizer = {
        key for place, _ in jax.tree.leaves_with_path(state.opt_state) for key in re.findall(LAYER, str(place))
    }
    assert of_optimizer == stacks
    assert {*state.params} == stacks | {f"layer_{index}" for index in trained.frozen}


def test_training_never_changes_the_source() -> None:
    """In 001 the reused layers were A's own, so that training B changed A."""
    config = TARGET.updated({**ALL, "transfer.frozen": "none", "model.batch_norm": True})
    data = small_dataset(config)
    source = drawn_source(config, data)
    before = jax.tree.map(np.array, (source.params, source.batch_stats))
    run = fit(config, data, source=source)
    assert changed_layers(run, source) == [0, 1, 2]
    now = jax.tree.leaves((source.params, source.batch_stats))
    assert not any(leaf.is_deleted() for leaf in now)
    assert is_same(before, (source.params, source.batch_stats))
    assert_same_run(fit(config, data, source=source), run)  # from the same weights again


def test_a_kept_head_is_the_sources_and_a_new_one_the_seeds_own() -> None:
    data = small_dataset(SMALL)
    source = drawn_source(SMALL, data)
    rate = {"optim.learning_rate": 1e-30, "train.epochs": 1, **ALL, "transfer.frozen": "none"}
    kept, new = (fit(TARGET.updated({**rate, "transfer.head": head}), data, source=source) for head in ("kept", "new"))
    scratch = fit(SMALL.updated({"optim.learning_rate": 1e-30, "train.epochs": 1}), data)
    assert is_same(layers(kept)[3], layers(source)[3])
    for mine, own in zip(*(jax.tree.leaves(layers(of)[3]) for of in (new, scratch)), strict=True):
        np.testing.assert_allclose(mine, own, atol=1e-20)
    assert changed_layers(kept, source) == changed_layers(new, source) == []


def test_layers_are_added_on_top_of_reused_ones() -> None:
    config = TARGET.updated({"transfer.added": (7, 5)})
    data = small_dataset(config)
    source = drawn_source(SMALL, data)
    run = fit(config, data, source=source)
    shapes = [layer[0]["dense"]["kernel"].shape for layer in layers(run).values()]
    assert shapes == [(12, 36), (12, 12), (7, 12), (5, 7), (4, 5)]
    assert [index for index in (0, 1) if is_same(layers(run)[index], layers(source)[index])] == [0, 1]
    assert run.history[-1].train_loss < run.history[0].train_loss


def test_a_frozen_head_stays() -> None:
    config = TARGET.updated({**ALL, "transfer.head": "kept", "transfer.frozen": (3,)})
    data = small_dataset(config)
    source = drawn_source(config, data)
    run = fit(config, data, source=source)
    assert is_same(layers(run)[3], layers(source)[3])
    assert changed_layers(run, source) == [0, 1, 2]


def test_predictions_are_the_same_bits_when_loaded_and_on_the_scale_of_the_source(tmp_path: Path) -> None:
    """The target's own rows have other means and deviations."""
    config = TARGET.updated({"train.epochs": 2, "transfer.unfreeze": 1, "transfer.unfreeze_epoch": 1})
    images, labels = small_arrays(200, seed=3)
    data = Dataset.from_arrays(images // 2, labels, data=config.data)
    source = fit(SMALL.updated({"train.epochs": 1}), small_dataset(SMALL))
    run = fit(config, data, source=source)
    np.testing.assert_array_equal(run.data.mean, source.data.mean)
    np.testing.assert_array_equal(run.data.scale, source.data.scale)
    assert not np.array_equal(run.data.mean, data.mean)
    run.save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    np.testing.assert_array_equal(loaded.predict(images // 2), run.predict(images // 2))
    assert loaded.config == run.config
    assert loaded.history == run.history
    source.save(tmp_path / "source.npz")
    assert_same_run(fit(config, data, source=tmp_path / "source.npz"), run)


def test_labels_that_a_head_has_no_unit_for_cannot_reach_it() -> None:
    """003 fed 5 .. 9 to five units. Labels are encoded, and the classes of a subset become 0, 1, ..."""
    images, labels = small_arrays(200)
    data = Dataset.from_arrays(images, labels + 5, data=SMALL.data)
    run = fit(TARGET, data, source=drawn_source(SMALL, small_dataset(SMALL)))
    assert data.classes == 4
    assert np.isfinite(run.test_loss)
    upper = TARGET.updated({"data.classes": (2, 3), "transfer.head": "kept"})
    with pytest.raises(UserError, match=r"^the output layer is kept, .* units 4 there, 2 here\. .* to new\.$"):
        fit(upper, small_dataset(SMALL), source=drawn_source(SMALL, small_dataset(SMALL)))


def test_the_updates_of_reused_layers_are_multiplied() -> None:
    """One step of plain SGD, and its recurrence: the same gradients, and rates of their own."""
    one = {"optim.optimizer": "sgd", "train.epochs": 1, "train.batch_size": 150, "optim.learning_rate": 0.1}
    config = TARGET.updated({**one, "transfer.frozen": "none"})
    data = small_dataset(config)
    source = drawn_source(config, data)
    plain, slow = (
        layers(fit(config.updated({"transfer.rate_factor": factor}), data, source=source)) for factor in (1, 0.25)
    )
    begun = layers(fit(config.updated({"optim.learning_rate": 1e-30}), data, source=source))
    for index in range(4):
        factor = 0.25 if index < 2 else 1
        for whole, part, old in zip(*(jax.tree.leaves(of[index][0]) for of in (plain, slow, begun)), strict=True):
            np.testing.assert_allclose(part - old, factor * (whole - old), rtol=2e-3, atol=1e-6)
            assert not np.array_equal(whole, old)


def test_the_confusions_of_chosen_classes_are_those_of_their_own_test_rows() -> None:
    """The rows behind them only fill the shape."""
    config = TARGET.updated({"data.classes": (3, 1), "train.epochs": 1})
    data = small_dataset(SMALL)
    run = fit(config, data, source=drawn_source(SMALL, data))
    assert run.confusion is not None
    assert run.confusion.sum() == run.data.test.size == run.test_correct.size < data.test.size
    assert np.trace(run.confusion) == run.test_correct.sum()
