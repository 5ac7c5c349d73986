"""Frozen layers, and layers that are unfrozen later, against Keras 3 with `trainable = False`, in float64."""

from typing import Any

import jax
import keras
import keras_oracle
import numpy as np
import pytest
from small_data import SMALL, small_arrays

from bench.peers import keras_mlp
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.train import phases, step
from jaxdeep.train.programs import compile_program, traced
from jaxdeep.train.source import layers_of

pytestmark = pytest.mark.usefixtures("x64")

CLASSES, ROWS = 4, 64
BASE = SMALL.updated(
    {
        "train.dtype": "float64",
        "train.epochs": 4,
        "train.batch_size": 16,
        "train.keep": "last",
        "model.units": (8, 8, 8, 8),
    }
)
THAWED = {"transfer.unfreeze": 1, "transfer.unfreeze_epoch": 2}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "adam, layers in the middle": (
        {
            "optim.optimizer": "adam",
            "transfer.frozen": (0, 2),
            "model.batch_norm": (True, False, True, True),
            "model.use_bias": False,
        },
        lambda rate: keras.optimizers.Adam(rate),
    ),
    "sgd with momentum, the first layers": (
        {
            "optim.optimizer": "momentum",
            "transfer.frozen": (0, 1, 2),
            "model.batch_norm": True,
            "model.batch_norm_place": "after",
            "model.batch_norm_input": True,
            "model.activation": "elu",
            "regularize.l2": 1e-2,
        },
        lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_two_phases_are_those_of_keras(case: str) -> None:
    """The second one follows `compile` with a new optimizer, from the latest weights."""
    changes, optimizer = CASES[case]
    config = BASE.updated({**changes, **THAWED})
    data = rows(config)
    oracle = keras_oracle.build(config, data.inputs, CLASSES)
    listed = (*oracle.network.trainable_variables, *oracle.network.non_trainable_variables)
    names = [name for name in (*oracle.trainable, *oracle.moving) if name is not None]
    variables = dict(zip(names, listed, strict=True))
    stages = phases.stages_of(config, data)
    entry, state = phases.first_entry(stages[0], None, jax.random.key(0)), None
    for stage in stages:
        program, own = compile_program(config, stage.shapes, stage.trained), stage.features(entry)
        state = stage.entered(program.start(traced(config), own, jax.random.key(0)), entry)
        if stage is stages[0]:
            for name, value in named(
                {**entry.layers, **layers_of(stage.model, state.params, state.batch_stats)}
            ).items():
                variables[name].assign(value)
        frozen = {f"{index}" for index in stage.phase.frozen}
        with keras_oracle.relaxed():
            for layer in oracle.network.layers:
                own_names = [name for name, of in variables.items() if any(of is each for each in layer.variables)]
                layer.trainable = not {name.split("/")[0] for name in own_names} & frozen
            loss, metric = keras_mlp.loss_and_metric(oracle.network)
            oracle.network.compile(optimizer(config.optim.learning_rate), loss, metrics=[metric])
        losses, expected = [], []
        while int(state.epoch) < stage.phase.last:
            batches, _ = step.epoch_batches(stage.static, state, own)
            assert batches.mask is None
            means = []
            for batch in np.asarray(batches.rows):
                images, labels = (np.asarray(part) for part in data.train.take(batch))
                x = (np.float64(images) - np.asarray(data.mean)) * np.asarray(data.scale)
                with keras_oracle.relaxed():
                    oracle.network.reset_metrics()
                    means.append(oracle.network.train_on_batch(x, labels)[0])
            state, metrics = program.epoch(state, traced(config), own)
            losses.append(float(metrics.train_loss))
            expected.append(np.mean(means))
        np.testing.assert_allclose(losses, expected, rtol=1e-6)  # Keras keeps its mean in float32
        entry = stage.left(state, entry)
        theirs = {name: np.asarray(variable.value) for name, variable in variables.items()}
        assert keras_oracle.difference(named(entry.layers), theirs) < 1e-9


def rows(config: Config) -> Dataset:
    images, labels = small_arrays(ROWS + 50)
    return Dataset.from_arrays(images, labels, *small_arrays(20, seed=1), data=config.data)


def named(layers: Any) -> dict[str, np.ndarray]:
    """Variables of layers by the names that Keras's have here. A kernel is [inputs, units] there."""
    found = {}
    for index, (params, batch_stats) in layers.items():
        for tree in (params, batch_stats):
            for place, leaf in jax.tree.leaves_with_path(tree):
                name = "/".join(entry.key for entry in place)
                found[f"{index}/{name}"] = leaf.T if name == "dense/kernel" else leaf
    return found
