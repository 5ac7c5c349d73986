"""One table: every configuration of the experiments through every behaviour that all must show."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import small_dataset

from experiments.cifar import CONFIGS
from jaxdeep.config import Config, Data, Optim
from jaxdeep.train import step
from jaxdeep.train.fit import Run, fit

NAMES = list(CONFIGS)
EPOCHS = 6


@cache
def small(name: str) -> Config:
    """The configuration on small rows: narrower and shallower, all else its own."""
    config = CONFIGS[name].config
    return replace(
        config,
        data=Data(scaling=config.data.scaling, valid_size=50),
        model=replace(config.model, units=(16,) * 4),
        optim=replace(config.optim, learning_rate=20 * config.optim.learning_rate),
        train=replace(config.train, epochs=EPOCHS, patience=EPOCHS),
    )


@cache
def trained(name: str) -> Run:
    return fit(small(name), small_dataset(small(name)), seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls_and_all_is_finite(name) -> None:
    run = trained(name)
    losses = [record.train_loss for record in run.history]
    assert len(losses) == EPOCHS
    assert losses[-1] < 0.8 * losses[0]
    assert all(np.isfinite(record).all() for record in run.history)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(run.params))
    assert not run.diverged
    assert run.test_accuracy > 0.5  # chance is 0.25


@pytest.mark.parametrize("name", NAMES)
def test_the_best_weights_are_those_of_the_lowest_validation_loss(name) -> None:
    run = trained(name)
    best = min(run.history, key=lambda record: record.val_loss)
    assert (run.best_epoch, run.val_loss, run.val_accuracy) == (best.epoch, best.val_loss, best.val_accuracy)
    loss, accuracy = step.evaluate(run.config, run.params, run.batch_stats, run.data, run.data.valid)
    np.testing.assert_allclose((loss, accuracy), (run.val_loss, run.val_accuracy), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_equals_eager(name) -> None:
    # plain SGD shows gradients as they are; Nadam makes steps of the rounding noise of biases before a BN
    config = replace(small(name), optim=Optim(optimizer="sgd", learning_rate=1e-2))
    data = small_dataset(config)
    state = step.start(config, config.hyper(), data, jax.random.key(0))
    batch = step.Batch(jnp.arange(32), jnp.arange(32) < 22)
    arguments = (state, config.hyper(), data, batch, jax.random.key(1))
    compiled, figures = jax.jit(step.train_step, static_argnums=0)(config, *arguments)
    with jax.disable_jit():
        eager, eager_figures = step.train_step(config, *arguments)
    np.testing.assert_allclose(figures, eager_figures, rtol=1e-5)
    before, after, same = (jax.tree.leaves((s.params, s.batch_stats)) for s in (state, compiled, eager))
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    for one, other in zip(after, same, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4 * max(jnp.abs(other).max(), 1e-3))


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_compiles_once_for_all_seeds(name) -> None:
    trained(name)
    compiled: list[str] = []

    def listen(event: str, _: float, **__: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        fit(small(name), small_dataset(small(name)), seed=1)
        assert not compiled
        jax.jit(lambda x: 2 * x)(1.0)
        assert compiled  # or nothing would be heard
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_run_ends_in_the_same_bits(name, tmp_path) -> None:
    class Stop(Exception):
        pass

    def stop_at_3(history) -> None:
        if len(history) == 3:
            raise Stop

    config, data = small(name), small_dataset(small(name))
    with pytest.raises(Stop):
        fit(config, data, seed=0, checkpoints=tmp_path, on_epoch=stop_at_3)
    seen: list[int] = []
    run = fit(config, data, seed=0, checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history)))
    assert seen == [3, 4, 5, 6]
    whole = trained(name)
    for one, other in zip(jax.tree.leaves(run.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_array_equal(one, other)
    without_time = [[record[:-1] for record in history] for history in (run.history, whole.history)]
    assert without_time[0] == without_time[1]
    assert (run.test_loss, run.test_accuracy) == (whole.test_loss, whole.test_accuracy)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_differ_and_the_same_seed_does_not(name) -> None:
    config, data = small(name), small_dataset(small(name))
    again, other = fit(config, data, seed=0), fit(config, data, seed=1)
    assert again.history[-1].train_loss == trained(name).history[-1].train_loss
    assert other.history[-1].train_loss != again.history[-1].train_loss
