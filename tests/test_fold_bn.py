"""A network whose batch normalisation is folded away: the same logits, for every place that it can stand in."""

import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import jax
import keras_oracle
import numpy as np
import pytest
from small_data import lean_compilation, small_dataset
from small_runs import TRAINED, drawn_run, trained_run

from experiments import fashion_mnist
from jaxdeep.compress import fold_batch_norm, folding
from jaxdeep.config import Config
from jaxdeep.config.choices import NormPlace
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.forward import model_of, scaled

BN = TRAINED.updated({"model.batch_norm": True})
PLACES: dict[str, Config] = {
    **{place: BN.updated({"model.batch_norm_place": place}) for place in get_args(NormPlace)},
    "before, without biases": BN.updated({"model.use_bias": False}),
    "of the input only": TRAINED.updated({"model.batch_norm_input": True}),
    "after, and of the input": BN.updated({"model.batch_norm_place": "after", "model.batch_norm_input": True}),
    "stacks that become one": BN.updated({"model.batch_norm_input": True, "model.units": (36, 36, 36)}),
    "one layer": BN.updated({"model.batch_norm_place": "after", "model.units": (7,)}),
    "with slopes": BN.updated({"model.activation": "prelu", "model.units": (36, 36)}),
    "raw rows": BN.updated({"model.batch_norm_input": True, "data.scaling": "none"}),
}


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def logits(run: Run) -> np.ndarray:
    rows = scaled(run.config, run.data, run.data.test.images)
    return np.asarray(model_of(run.config, run.data).apply(run.params, run.batch_stats, rows)[0])


def worst(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("place", list(PLACES))
def test_the_logits_stay(place):
    config = PLACES[place]
    run = drawn_run(replace(config, data=TRAINED.data))
    run = replace(run, config=config, data=small_dataset(config)) if config.data != TRAINED.data else run
    folded = fold_batch_norm(run)
    assert worst(logits(folded), logits(run)) < 2e-6  # found: 4e-7
    assert not jax.tree.leaves(folded.batch_stats)
    model = folded.config.model
    assert (model.batch_norm, model.batch_norm_input, model.use_bias) == (False, False, True)
    assert not [path for path in keras_oracle.per_layer(folded.params) if "norm" in path]
    assert np.array_equal(folded.test_correct, run.test_correct) or config.data != TRAINED.data
    assert run.config == config  # the given run is unchanged
    assert jax.tree.leaves(run.batch_stats)


@pytest.mark.parametrize(
    "place", [name for name in PLACES if name in ("before", "after", "of the input only", "after, and of the input")]
)
def test_the_logits_are_those_of_keras_with_its_batch_normalisation(place):
    run = drawn_run(PLACES[place])
    oracle = keras_oracle.build(run.config, run.data.inputs, run.data.classes)
    rows, labels = scaled(run.config, run.data, run.data.test.images), run.data.test.labels
    weights, stats = keras_oracle.per_layer(run.params), keras_oracle.per_layer(run.batch_stats)
    loss, accuracy = oracle.evaluate(weights, stats, np.asarray(rows), np.asarray(labels))
    with keras_oracle.relaxed():
        theirs = np.asarray(oracle.network(rows, training=False))
    folded = fold_batch_norm(run)
    assert worst(logits(folded), theirs) < 2e-6  # found: 3e-7
    assert folded.test_loss == pytest.approx(loss, rel=1e-5)
    assert folded.test_accuracy == pytest.approx(accuracy)


def test_a_network_without_batch_normalisation_is_refused():
    with pytest.raises(UserError, match="no batch normalisation"):
        fold_batch_norm(trained_run())


def test_other_logits_are_refused(monkeypatch):
    """As a connection around a normalisation would give them."""
    monkeypatch.setattr(folding, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="cannot be folded: a connection of the network leads around it"):
        fold_batch_norm(drawn_run(BN))


def test_real_images_have_the_same_logits():
    if not os.environ.get("JAXDEEP_DATA"):
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files")
    images = load_images("fashion_mnist", source="fashion_mnist", data_dir=Path(os.environ["JAXDEEP_DATA"]))
    config = fashion_mnist.BN.updated({"train.epochs": 1, "train.batch_size": 1_000})
    run = fit(config, Dataset.from_images(images, config.data), seed=0)
    folded = fold_batch_norm(run)
    assert worst(logits(folded), logits(run)) < 1e-5
    assert abs(folded.test_accuracy - run.test_accuracy) < 5e-4
