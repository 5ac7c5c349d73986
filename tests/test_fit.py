"""The loop: when it stops, what it keeps, what it refuses."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import SMALL, small_arrays, small_dataset

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train import step
from jaxdeep.train.fit import fit
from jaxdeep.train.program import compile_program


def with_train(**changes) -> Config:
    return replace(SMALL, train=replace(SMALL.train, **changes))


def test_stops_after_patience_epochs_without_a_lower_validation_loss() -> None:
    images, labels = small_arrays(200)
    labels[:50] = np.random.default_rng(5).permutation(labels[:50])  # validation labels that say nothing: overfits soon
    config = with_train(epochs=60, patience=3)
    run = fit(config, Dataset.from_arrays(images, labels, data=config.data))
    losses = [record.val_loss for record in run.history]
    assert run.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == run.best_epoch + 3 < 60


def test_every_training_row_is_seen_once_an_epoch() -> None:
    data = small_dataset(SMALL)
    config = replace(SMALL, optim=replace(SMALL.optim, learning_rate=1e-30))
    state = step.start(config, config.hyper(), data, jax.random.key(0))
    expected = step.evaluate(config, state.params, state.batch_stats, data, data.train)
    _, seen = step.train_epoch(config, state, config.hyper(), data)
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_each_epoch_has_another_order() -> None:
    data = small_dataset(SMALL)
    state = step.start(SMALL, SMALL.hyper(), data, jax.random.key(0))
    first, _ = step.train_epoch(SMALL, state, SMALL.hyper(), data)
    second, _ = step.train_epoch(SMALL, state._replace(epoch=state.epoch + 1), SMALL.hyper(), data)
    assert not jnp.array_equal(first.params["layer_0"]["dense"]["kernel"], second.params["layer_0"]["dense"]["kernel"])


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    run = fit(with_train(batch_size=1_000, epochs=2), small_dataset(SMALL))
    assert len(run.history) == 2


def test_a_diverged_run_ends_and_says_so() -> None:
    config = replace(
        SMALL,
        model=replace(SMALL.model, activation="relu"),
        optim=replace(SMALL.optim, optimizer="sgd", learning_rate=1e30),
    )
    run = fit(config, small_dataset(config))
    assert run.diverged
    assert len(run.history) == 1
    assert run.best_epoch == 0
    assert np.isnan([run.val_loss, run.val_accuracy, run.test_loss, run.test_accuracy]).all()


def test_predicted_probabilities_are_those_that_were_tested() -> None:
    run = fit(SMALL, small_dataset(SMALL))
    images, labels = small_arrays(60, seed=1)
    probabilities = run.predict(images)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose((probabilities.argmax(1) == labels).mean(), run.test_accuracy, rtol=1e-6)
    np.testing.assert_allclose(-np.log(probabilities[np.arange(60), labels]).mean(), run.test_loss, rtol=1e-4)


def test_another_learning_rate_needs_no_other_program() -> None:
    data = small_dataset(SMALL)
    program = compile_program(SMALL, data)
    state = program.start(program.hyper, data, jax.random.key(0))
    other = program.hyper._replace(learning_rate=program.hyper.learning_rate * 2)
    _, metrics = program.epoch(state, other, data)
    assert metrics.learning_rate == other.learning_rate


def test_float64_without_x64_is_refused() -> None:
    with pytest.raises(UserError, match="jax_enable_x64"):
        fit(with_train(dtype="float64"), small_dataset(SMALL))


def test_float64_is_the_type_of_all_weights() -> None:
    with jax.enable_x64(True):
        config = with_train(dtype="float64", epochs=1)
        run = fit(config, small_dataset(config))
        assert {leaf.dtype for leaf in jax.tree.leaves(run.params)} == {jnp.dtype("float64")}


def test_floating_rows_of_a_users_own_are_trained_on_as_they_are() -> None:
    images, labels = small_arrays(200)
    config = replace(SMALL, data=replace(SMALL.data, scaling="none"))
    run = fit(config, Dataset.from_arrays(images.astype(np.float32) / 255, labels, data=config.data))
    assert run.history[-1].train_loss < run.history[0].train_loss


def test_no_tracer_leaks_from_an_epoch() -> None:
    data = small_dataset(SMALL)
    with jax.checking_leaks():
        state = step.start(SMALL, SMALL.hyper(), data, jax.random.key(0))
        _, metrics = jax.jit(step.run_epoch, static_argnums=0)(SMALL, state, SMALL.hyper(), data)
    assert jnp.isfinite(metrics.val_loss)
