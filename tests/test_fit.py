"""The loop: when it stops, what it keeps, what it refuses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import a_users_own
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep.config import Config, Optim, Schedule
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train import programs, step
from jaxdeep.train.evaluate import evaluate
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.forward import probabilities
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.programs import compile_program, traced
from jaxdeep.train.state import TrainState


@pytest.fixture(scope="module", autouse=True)
def little_optimisation() -> Iterator[None]:
    with lean_compilation():
        yield


def with_train(**changes) -> Config:
    return replace(SMALL, train=replace(SMALL.train, **changes))


def soon_overfitted() -> Dataset:
    """Small rows whose validation labels say nothing."""
    images, labels = small_arrays(200)
    labels[:50] = np.random.default_rng(5).permutation(labels[:50])
    return Dataset.from_arrays(images, labels, data=SMALL.data)


started = jax.jit(step.start, static_argnums=0)
evaluated = jax.jit(evaluate, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def one_epoch(config: Config, state: TrainState, data: Dataset) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    rates = step.epoch_rates(config, state, config.hyper(), data)
    return step.train_epoch(config, state, config.hyper(), rates, data)


def stop_after(epochs: int) -> Callable[[Sequence[EpochRecord]], None]:
    """An `on_epoch` that interrupts a run."""

    def on_epoch(history: Sequence[EpochRecord]) -> None:
        if len(history) == epochs:
            raise InterruptedError

    return on_epoch


def assert_same_run(one: Run, other: Run) -> None:
    """All but the seconds, to the bit."""
    for left, right in zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True):
        np.testing.assert_array_equal(left, right)
    assert [record[:-1] for record in one.history] == [record[:-1] for record in other.history]
    for name in ("best_epoch", "val_loss", "test_loss", "test_accuracy"):
        assert getattr(one, name) == getattr(other, name)


def test_stops_after_patience_epochs_without_a_lower_validation_loss() -> None:
    run = fit(with_train(epochs=60, patience=3), soon_overfitted())
    losses = [record.val_loss for record in run.history]
    assert run.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == run.best_epoch + 3 < 60


def test_the_highest_accuracy_chooses_the_epoch_where_it_is_monitored() -> None:
    """The first of equal ones, and the run ends when none was higher for a while."""
    slow = SMALL.updated({"optim.learning_rate": 1e-3, "train.epochs": 60, "train.patience": 3})
    data = soon_overfitted()
    config = slow.updated({"train.monitor": "val_accuracy"})
    run = fit(config, data)
    accuracies, losses = (np.array([getattr(of, name) for of in run.history]) for name in ("val_accuracy", "val_loss"))
    assert run.best_epoch == int(np.argmax(accuracies)) + 1
    assert len(run.history) == run.best_epoch + 3 < 60
    assert run.val_accuracy == accuracies.max()
    assert run.val_loss == losses[run.best_epoch - 1] > losses.min()
    by_loss = fit(slow, data)
    shared = min(len(run.history), len(by_loss.history))
    assert [of[:-1] for of in run.history[:shared]] == [of[:-1] for of in by_loss.history[:shared]]


def test_a_first_epoch_without_a_correct_row_is_the_best_until_a_better_one() -> None:
    state = started(SMALL, SMALL.hyper(), small_dataset(SMALL), jax.random.key(0))
    config, none = with_train(monitor="val_accuracy"), state.best
    for loss, accuracy, expected in ((2.0, 0.0, True), (2.0, 0.1, True), (jnp.nan, 0.5, False), (jnp.inf, 0.5, False)):
        first = none._replace(epoch=jnp.int32(1), val_loss=jnp.float32(loss), val_accuracy=jnp.float32(accuracy))
        assert bool(step.is_better(config, first, none)) is expected
    first = none._replace(epoch=jnp.int32(1), val_loss=jnp.float32(2.0), val_accuracy=jnp.float32(0.5))
    same = first._replace(epoch=jnp.int32(2), val_loss=jnp.float32(1.0))
    assert not step.is_better(config, same, first)
    assert step.is_better(config, same._replace(val_accuracy=jnp.float32(0.6)), first)


@pytest.mark.parametrize("resample", [False, True])
def test_the_best_weights_are_evaluated_on_the_training_rows_and_their_confusions_counted(resample: bool) -> None:
    config = SMALL.updated(
        {
            "data.resample": resample,
            "model.dropout_sites": "every",
            "model.dropout_rate": 0.2,
            "regularize.l2": 1e-3,
            "optim.learning_rate": 1e-3,
        }
    )
    run = fit(config, small_dataset(config))
    loss, accuracy, _ = evaluated(config, run.params, run.batch_stats, config.hyper(), run.data, run.data.train)
    np.testing.assert_allclose((run.train_loss, run.train_accuracy), (loss, accuracy), rtol=1e-6)
    assert run.train_loss != run.history[run.best_epoch - 1].train_loss  # which is with dropout, before each step
    labels = np.asarray(run.data.test.labels)
    found = probabilities(config, run.params, run.batch_stats, run.data, run.data.test.images).argmax(1)
    expected = [[np.sum((labels == true) & (found == got)) for got in range(4)] for true in range(4)]
    np.testing.assert_array_equal(run.confusion, expected)
    assert np.trace(run.confusion) == run.test_correct.sum() < labels.size


def test_confusions_of_many_classes_are_not_counted() -> None:
    rng = np.random.default_rng(0)
    for classes in (30, 31):
        rows, labels = rng.normal(size=(8 * classes, 4)), np.arange(8 * classes) % classes
        config = with_train(epochs=1).updated({"data.valid_size": classes})
        run = fit(config, Dataset.from_arrays(rows, labels, data=config.data))
        assert (run.confusion is None) is (classes == 31)
        assert np.isfinite(run.train_loss)


def test_where_the_last_weights_are_kept_nothing_stops_early() -> None:
    config, data = with_train(epochs=12, patience=1, keep="last"), soon_overfitted()
    run = fit(config, data)
    losses = [record.val_loss for record in run.history]
    assert len(losses) == run.best_epoch == 12
    assert run.val_loss == losses[-1] > min(losses)
    loss, accuracy, _ = evaluated(config, run.params, run.batch_stats, config.hyper(), data, data.valid)
    np.testing.assert_allclose((loss, accuracy), (losses[-1], run.history[-1].val_accuracy), rtol=1e-6)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_diverged_epoch_is_not_kept(keep: str) -> None:
    config = replace(
        with_train(keep=keep),
        model=replace(SMALL.model, activation="relu"),
        optim=Optim("sgd", learning_rate=0.01),
        schedule=Schedule("piecewise", boundaries_epochs=(2,), factors=(1.0, 1e30)),
    )
    with pytest.warns(JaxdeepWarning, match=r"seed 42 diverged in epoch 3: .* Its weights are from epoch 2\. Lower "):
        run = fit(config, small_dataset(config))
    assert run.diverged
    assert len(run.history) == 3
    assert run.best_epoch == 2
    assert run.val_loss == run.history[1].val_loss
    assert np.isfinite([run.test_loss, run.test_accuracy, run.train_loss, run.train_accuracy]).all()
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(run.params))


def test_every_training_row_is_seen_once_an_epoch() -> None:
    data = small_dataset(SMALL)
    config = replace(SMALL, optim=replace(SMALL.optim, learning_rate=1e-30))
    state = started(config, config.hyper(), data, jax.random.key(0))
    expected = evaluated(config, state.params, state.batch_stats, config.hyper(), data, data.train)[:2]
    _, seen = one_epoch(config, state, data)
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_each_epoch_has_another_order() -> None:
    data = small_dataset(SMALL)
    state = started(SMALL, SMALL.hyper(), data, jax.random.key(0))
    first, _ = one_epoch(SMALL, state, data)
    second, _ = one_epoch(SMALL, state._replace(epoch=state.epoch + 1), data)
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
    with pytest.warns(JaxdeepWarning, match=r"diverged in epoch 1: .* untrained\. Lower .* \(now 1e\+30\)") as told:
        run = fit(config, small_dataset(config))
    assert [warning.filename for warning in told] == [__file__]  # where fit was called
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
    program, hyper = compile_program(SMALL, data), traced(SMALL)
    state = program.start(hyper, data, jax.random.key(0))
    other = hyper._replace(learning_rate=hyper.learning_rate * 2)
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


@pytest.mark.slow
def test_no_tracer_leaks_from_an_epoch() -> None:
    data = small_dataset(SMALL)
    with jax.checking_leaks():
        state = step.start(SMALL, SMALL.hyper(), data, jax.random.key(0))
        _, metrics = jax.jit(step.run_epoch, static_argnums=0)(SMALL, state, SMALL.hyper(), data)
    assert jnp.isfinite(metrics.val_loss)


def by_keras_rule(schedule: Schedule, val_losses: Sequence[float]) -> tuple[list[float], list[int]]:
    """The factor of each epoch's rate, and after each epoch how many epochs have been waited for a lower val_loss."""
    factor, best, wait = 1.0, np.inf, 0
    factors, waits = [], []
    for val_loss in val_losses:
        factors.append(factor)
        if val_loss < best - schedule.min_delta:
            best, wait = val_loss, 0
        else:
            wait += 1
        if wait == schedule.patience_epochs:
            factor, wait = factor * schedule.factor, 0
        waits.append(wait)
    return factors, waits


def test_a_run_interrupted_while_it_waits_at_a_plateau_has_the_same_rates_and_bits(tmp_path: Path) -> None:
    schedule = Schedule("plateau", factor=0.5, patience_epochs=3, min_delta=0.05)
    config = replace(with_train(epochs=18, patience=18), schedule=schedule)
    whole = fit(config, small_dataset(config))
    factors, waits = by_keras_rule(schedule, [record.val_loss for record in whole.history])
    rates = [record.learning_rate for record in whole.history]
    np.testing.assert_allclose(rates, config.optim.learning_rate * np.array(factors), rtol=1e-6)
    interrupted = next(epoch for epoch, wait in enumerate(waits, 1) if wait == 2 and factors[epoch - 1] < 1)
    assert rates[0] > rates[interrupted - 1] > rates[interrupted + 1]  # it falls before and after
    with pytest.raises(InterruptedError):
        fit(config, small_dataset(config), checkpoints=tmp_path, on_epoch=stop_after(interrupted))
    seen: list[int] = []
    resumed = fit(
        config, small_dataset(config), checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history))
    )
    assert seen[0] == interrupted
    assert_same_run(resumed, whole)


def test_the_rates_of_a_1cycle_run_are_those_of_its_epochs_last_steps() -> None:
    config = replace(
        with_train(epochs=8, keep="last"), optim=Optim("sgd", learning_rate=0.2), schedule=Schedule("onecycle")
    )
    run = fit(config, small_dataset(config))
    steps, done = 40, 5 * np.arange(1, 9) - 1
    half = (steps - steps // 10 - 1) // 2
    expected = np.interp(done, [0, half, 2 * half, steps], [0.02, 0.2, 0.02, 0.02 / 1_000])
    np.testing.assert_allclose([record.learning_rate for record in run.history], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "rows", "message"),
    [
        (
            {"schedule": Schedule("onecycle", total_steps=21)},
            (6, 6),
            "schedule.total_steps is 21, and the run has 4 epochs of 4 steps, 16 in all. Give None or 16",
        ),
        ({"data": replace(SMALL.data, flip=True)}, (36,), "need images, found .36,."),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_anything_is_compiled(
    changes: dict, rows: tuple[int, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SMALL, **changes)
    images, labels = small_arrays(200)
    data = Dataset.from_arrays(images.reshape(200, *rows), labels, data=config.data)
    monkeypatch.setattr(programs, "compiled", None)
    with pytest.raises(UserError, match=message):
        fit(config, data)


@pytest.mark.parametrize(
    ("part", "field", "own", "another"),
    [
        ("model", "activation", a_users_own.snake, a_users_own.snail),
        ("model", "kernel_init", a_users_own.flat, a_users_own.flatter),
        ("model", "head_init", a_users_own.flat, a_users_own.flatter),
        ("optim", "optimizer", a_users_own.heavy_ball, a_users_own.light_ball),
        ("schedule", "kind", a_users_own.sawtooth, a_users_own.sharper_sawtooth),
    ],
)
def test_a_users_own_function_trains_and_continues_as_itself_only(
    part: str, field: str, own: Callable, another: Callable, tmp_path: Path
) -> None:
    def with_function(function: Callable) -> Config:
        return replace(SMALL, **{part: replace(getattr(SMALL, part), **{field: function})})

    config, data = with_function(own), small_dataset(SMALL)
    whole, plain = fit(config, data), fit(SMALL, data)
    assert whole.history[-1].train_loss < whole.history[0].train_loss
    assert whole.history[0].train_loss != plain.history[0].train_loss
    with pytest.raises(InterruptedError):
        fit(config, data, checkpoints=tmp_path, on_epoch=stop_after(2))
    names = (f"a_users_own.{function.__name__}" for function in (own, another))
    with pytest.raises(UserError, match=r"config.{}.{} \(there '{}', here '{}'\)".format(part, field, *names)):
        fit(with_function(another), data, checkpoints=tmp_path)
    assert_same_run(fit(config, data, checkpoints=tmp_path), whole)


def test_numpys_seeds_are_seeds_and_a_run_of_theirs_is_kept(tmp_path: Path) -> None:
    data = small_dataset(SMALL)
    for seed in (np.int64(3), np.uint32(3), np.array(3)):
        run = fit(SMALL, data, seed, checkpoints=tmp_path)  # pyright: ignore[reportArgumentType]
        assert (run.seed, type(run.seed)) == (3, int)
    assert len(list(tmp_path.iterdir())) == 1  # one run, which was found again


@pytest.mark.parametrize("seed", [-1, 2**32, np.int64(-1), 2**70, 3.5, "3", None, True, np.float32(3), np.bool_(True)])
def test_another_seed_is_refused_before_anything_is_made(tmp_path: Path, seed: object) -> None:
    with pytest.raises(UserError, match=r"^seed is .*\. Allowed: a whole number in 0 \.\. 4294967295\.$"):
        fit(SMALL, small_dataset(SMALL), seed, checkpoints=tmp_path / "kept")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "kept").exists()


def test_the_largest_seed_is_one_of_its_own() -> None:
    config = with_train(epochs=1)
    losses = {fit(config, small_dataset(config), seed).val_loss for seed in (0, 2**32 - 1, 2**31)}
    assert len(losses) == 3


def test_what_json_has_not_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    data = small_dataset(SMALL)
    assert data.info is not None
    numpys = replace(data, info=data.info._replace(digest=np.str_("text"), name=np.int64(4)))
    fit(SMALL, numpys, checkpoints=tmp_path / "numpy", until=1)
    seen: list[object] = []
    for wrong in (object(), {1, 2}, b"bytes", 1j):
        other = replace(data, info=data.info._replace(name=wrong))  # pyright: ignore[reportArgumentType]
        with pytest.raises(UserError, match="cannot be recorded with"):
            fit(SMALL, other, checkpoints=tmp_path / "wrong", on_epoch=seen.append)
    assert not seen
    assert not (tmp_path / "wrong").exists()
