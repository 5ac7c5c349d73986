"""A network whose batch normalisation is folded away: the same logits, for every place that it can stand in."""

from dataclasses import replace
from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import keras_oracle
import numpy as np
import pytest
from small_data import lean_compilation, small_dataset
from small_runs import TRAINED, drawn_run, trained_run

from jaxdeep.compress import fold_batch_norm
from jaxdeep.compress.weights import with_weights
from jaxdeep.config import Config
from jaxdeep.config.choices import NormPlace
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run
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
    with jax.enable_x64(True):
        config = PLACES[place].updated({"train.dtype": "float64"})
        data = small_dataset(config)
        drawn = drawn_run(PLACES[place])
        wide = partial(jnp.asarray, dtype="float64")
        params, stats = jax.tree.map(wide, (drawn.params, drawn.batch_stats))
        run = with_weights(replace(drawn, data=data), params, stats, config)
        oracle = keras_oracle.build(config, data.inputs, data.classes)
        rows, labels = scaled(config, data, data.test.images), data.test.labels
        loss, accuracy = oracle.evaluate(
            keras_oracle.per_layer(params), keras_oracle.per_layer(stats), np.asarray(rows), np.asarray(labels)
        )
        with keras_oracle.relaxed():
            theirs = np.asarray(oracle.network(rows, training=False))
        folded = fold_batch_norm(run)
        assert worst(logits(folded), theirs) < 1e-13
        assert folded.test_loss == pytest.approx(loss, rel=1e-12)
        assert folded.test_accuracy == pytest.approx(accuracy)


def test_a_network_without_batch_normalisation_is_refused():
    with pytest.raises(UserError, match="no batch normalisation"):
        fold_batch_norm(trained_run())


def test_weights_that_fold_to_other_logits_are_refused():
    """Kernels that overflow when they are folded have no such network."""
    run = drawn_run(BN)
    params = jax.tree.map(lambda leaf: leaf * 1e30, run.params)
    with pytest.raises(UserError, match="cannot be folded"):
        fold_batch_norm(replace(run, params=params))
