"""Splits that are padded to a bucket: the same figures as the rows alone, and one program for many subsets."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import LEAN, SMALL, compilations, lean_compilation, small_dataset

from jaxdeep import Config, Dataset, Run, Trial, fit, fit_all
from jaxdeep.data.subsets import subset_of, unpadded
from jaxdeep.optim.plateau import first_plateau
from jaxdeep.study.batched import fit_batched
from jaxdeep.train import lr_finder, step
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.programs import compile_program, traced
from jaxdeep.train.state import TrainState

BASE = small_dataset(SMALL)
CLASSES = (0, 2, 3)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def config_of(**fields: Any) -> Config:
    return SMALL.updated({"data.classes": CLASSES, **fields})


def as_arrays(own: Dataset) -> Dataset:
    """The same rows as a data set of their own arrays."""
    assert own.info is not None
    assert own.info.data is not None
    rest = np.concatenate([own.valid.own_images, own.train.own_images]).reshape(-1, *own.image_shape)
    labels = np.concatenate([own.valid.own_labels, own.train.own_labels])
    data = replace(own.info.data.base(), valid_size=own.valid.size)
    test = own.test.own_images.reshape(-1, *own.image_shape), own.test.own_labels
    return Dataset.from_arrays(rest, labels, *test, data=data)


def first_epoch(config: Config, data: Dataset) -> tuple[Any, Any, Any]:
    """The state before and after an epoch, and the epoch's figures."""
    program, hyper = compile_program(config, data), traced(config)
    before = program.start(hyper, data, jax.random.key(3))
    kept = jax.tree.map(np.asarray, before.params)
    after, metrics = program.epoch(before, hyper, data)
    return kept, after, metrics


@cache
def first_state() -> TrainState:
    config = config_of()
    data = subset_of(BASE, config.data)
    return compile_program(config, data).start(traced(config), data, jax.random.key(5))


def state_at(epoch: int) -> TrainState:
    """A state before an epoch, whose batches and rates read its key and its epoch alone."""
    return first_state()._replace(epoch=jnp.asarray(epoch, jnp.int32))


EPOCH = jax.jit(step.epoch_batches, static_argnums=0)

MODELS = {
    "plain": {},
    "batch_norm": {"model.batch_norm": True, "model.batch_norm_input": True},
    "penalty": {"regularize.l2": 0.01},
}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_on_all_rows_is_the_step_on_the_rows_alone(name) -> None:
    """Of 110 rows in a bucket of 112, all in one batch: the order does not matter."""
    whole = {"train.batch_size": 200, "optim.optimizer": "sgd", "optim.learning_rate": 0.1}
    config = config_of(**whole, **MODELS[name])
    own = subset_of(BASE, config.data)
    alone = as_arrays(own)
    assert (own.train.size, own.train.capacity, alone.train.size) == (110, 112, 110)
    plain = replace(config, data=alone.info.data)  # pyright: ignore[reportOptionalMemberAccess]
    (before, after, metrics), (same, other, expected) = first_epoch(config, own), first_epoch(plain, alone)
    jax.tree.map(np.testing.assert_array_equal, before, same)
    for figure, wanted in zip(jax.tree.leaves(metrics), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(figure, wanted, rtol=2e-5)
    for one, two in zip(*(jax.tree.leaves((of.params, of.batch_stats)) for of in (after, other)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_an_evaluation_is_the_evaluation_of_the_rows_alone() -> None:
    config, hyper = config_of(), traced(config_of())
    own = subset_of(BASE, config.data)
    alone = as_arrays(own)
    plain = replace(config, data=alone.info.data)  # pyright: ignore[reportOptionalMemberAccess]
    program = compile_program(config, own)
    state = program.start(hyper, own, jax.random.key(0))
    padded = program.evaluate(state.params, state.batch_stats, hyper, own)
    exact = compile_program(plain, alone).evaluate(state.params, state.batch_stats, hyper, alone)
    for split, found, expected in zip((own.valid, own.test), padded[:2], exact[:2], strict=True):
        np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-5)
        np.testing.assert_allclose(found.accuracy, expected.accuracy, rtol=1e-6)
        np.testing.assert_array_equal(found.correct[: split.size], expected.correct)
        assert len(found.correct) == split.capacity
    np.testing.assert_allclose(padded[2:4], exact[2:4], rtol=1e-5)
    np.testing.assert_array_equal(padded.confusion, exact.confusion)
    assert own.test.capacity > own.test.size


@given(rows=st.integers(1, 112), batch_size=st.sampled_from([1, 7, 32, 56, 130]), epoch=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_an_epoch_takes_each_row_once_and_fills_the_last_batch_with_its_own(rows, batch_size, epoch) -> None:
    config = config_of(**{"train.batch_size": batch_size})
    own = subset_of(BASE, config.data)
    data = replace(own, train=own.train._replace(count=jnp.asarray(rows, jnp.int32)))
    batches, keys = EPOCH(config, state_at(epoch), data)
    assert batches.mask is not None
    taken, mask = np.asarray(batches.rows), np.asarray(batches.mask)
    assert sorted(taken[mask].tolist()) == [*range(rows)]
    steps = step.length_of(config, data).epoch_steps
    assert steps == -(-rows // min(batch_size, own.train.capacity)) == mask.any(1).sum()
    assert mask[:steps, 0].all()
    assert not mask[steps:].any()
    for of_batch, of_mask in zip(taken[:steps], mask[:steps], strict=True):
        assert set(of_batch) == set(of_batch[of_mask])
    assert len(keys) == len(taken) == step.most_steps(config, data)


def test_the_order_depends_on_the_key_the_epoch_and_the_number_of_rows_alone() -> None:
    config = config_of(**{"train.batch_size": 8})
    own = subset_of(BASE, config.data)
    small = own.train._replace(count=jnp.asarray(50, jnp.int32))
    short = small._replace(rows=own.train.rows[:56])  # pyright: ignore[reportOptionalSubscript]
    orders = []
    for train in (small, short):
        batches, _ = EPOCH(config, state_at(0), replace(own, train=train))
        orders.append(np.asarray(batches.rows)[np.asarray(batches.mask)])
    np.testing.assert_array_equal(*orders)
    batches, _ = EPOCH(config, state_at(1), replace(own, train=small))
    assert (np.asarray(batches.rows)[np.asarray(batches.mask)] != orders[0]).any()


def test_every_order_of_the_rows_is_as_likely() -> None:
    config = config_of(**{"train.batch_size": 3})
    own = subset_of(BASE, config.data)
    train = own.train._replace(rows=own.train.rows[:32], count=jnp.asarray(3, jnp.int32))  # pyright: ignore
    data = replace(own, train=train)
    keys = jax.random.split(jax.random.key(1), 6_000)
    orders = jax.vmap(lambda key: EPOCH(config, state_at(0)._replace(key=key), data)[0].rows[0])(keys)
    _, times = np.unique(np.asarray(orders), axis=0, return_counts=True)
    assert len(times) == 6
    assert np.abs(times - 1_000).max() < 5 * (1_000 * 5 / 6) ** 0.5


SCHEDULES = {
    "constant": {},
    "warm-up": {"schedule.warmup_steps": 3},
    "power": {"schedule.kind": "power", "schedule.decay_steps": 7},
    "exponential": {"schedule.kind": "exponential", "schedule.decay_epochs": 2.5},
    "piecewise": {
        "schedule.kind": "piecewise",
        "schedule.boundaries_epochs": (1, 2),
        "schedule.factors": (1, 0.5, 0.1),
    },
    "onecycle": {"schedule.kind": "onecycle", "optim.optimizer": "momentum"},
    "cosine": {"schedule.kind": "cosine"},
    "warm cosine": {"schedule.kind": "cosine", "schedule.warmup_steps": 3},
    "plateau": {"schedule.kind": "plateau"},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_counts_the_real_steps(name) -> None:
    config = config_of(**{"train.batch_size": 16, **SCHEDULES[name]})
    padded = subset_of(BASE, config.data)
    padded = replace(padded, train=padded.train._replace(count=jnp.asarray(90, jnp.int32)))
    exact = unpadded(padded)
    assert step.length_of(config, padded) == step.length_of(config, exact) == (6, 4)
    of_epoch = jax.jit(step.epoch_rates, static_argnums=0)
    for epoch in range(4):
        state = state_at(epoch)._replace(plateau=first_plateau("float32") if name == "plateau" else None)
        found = of_epoch(config, state, traced(config), padded)
        expected = of_epoch(config, state, traced(config), exact)
        assert len(found.learning_rate) == 7  # the bucket has a step more, which does nothing
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one[:6], other, rtol=2e-6, atol=1e-9)


def test_figures_tell_the_rate_of_the_last_real_step() -> None:
    config = config_of(**{"train.batch_size": 16, **SCHEDULES["cosine"]})
    padded = subset_of(BASE, config.data)
    padded = replace(padded, train=padded.train._replace(count=jnp.asarray(90, jnp.int32)))
    one, other = fit(config, padded, 1), fit(config, unpadded(padded), 1)
    rates = [[record.learning_rate for record in run.history] for run in (one, other)]
    np.testing.assert_allclose(*rates, rtol=1e-6, atol=1e-9)


def test_a_full_bucket_learns_like_the_rows_alone() -> None:
    config = config_of(**{"data.train_size": 96, "train.batch_size": 96})
    own = subset_of(BASE, config.data)
    assert own.train.size == own.train.capacity == 96
    one, other = fit(config, own, 1), fit(config, unpadded(own), 1)
    for record, expected in zip(one.history, other.history, strict=True):
        np.testing.assert_allclose(record.train_loss, expected.train_loss, rtol=1e-3)
        np.testing.assert_allclose(record.val_loss, expected.val_loss, rtol=1e-3)


def test_float64_is_taken() -> None:
    with jax.enable_x64(True):
        config = config_of(**{"train.dtype": "float64", "train.epochs": 1, **SCHEDULES["exponential"]})
        run = fit(config, small_dataset(config), 1)
        assert run.params["layer_0"]["dense"]["kernel"].dtype == "float64"
        assert np.isfinite(run.val_loss)


# ---- one program for many subsets


PAIRS = ((0, 1, 2), (1, 2, 3), (3, 0, 1))


def assert_close(one: Run, other: Run) -> None:
    for record, expected in zip(one.history, other.history, strict=True):
        np.testing.assert_allclose(record.train_loss, expected.train_loss, rtol=2e-3)
        np.testing.assert_allclose(record.val_loss, expected.val_loss, rtol=2e-3)
    np.testing.assert_array_equal(one.data.train.own_rows, other.data.train.own_rows)
    assert len(one.val_correct) == one.data.valid.size
    assert len(one.test_correct) == one.data.test.size


def test_subsets_of_one_bucket_share_their_programs() -> None:
    trials = [Trial(config_of(**{"data.classes": classes}), 1) for classes in PAIRS]
    drawn = [config_of(**{"data.train_size": 98 + size}) for size in (0, 5, 9)]  # of the bucket of 112 rows
    for first in (trials[0].config, drawn[0]):
        fit(first, BASE, 1)
    with compilations() as heard:
        runs = fit_all(trials, BASE, workers=1)
        others = fit_all([Trial(config, 1) for config in drawn], BASE, workers=1)
    assert not heard
    assert len({run.data.train.size for run in runs}) > 1
    assert [run.data.train.size for run in others] == [98, 103, 107]
    assert np.ptp([run.val_loss for run in (*runs, *others)]) > 0


def test_beside_each_other_they_are_what_they_are_alone() -> None:
    sizes = (97, 104, 110)  # 13 or 14 steps
    trials = [Trial(config_of(**{"data.train_size": size, "train.batch_size": 8}), 1) for size in sizes]
    trials += [
        Trial(replace(trial.config, data=replace(trial.config.data, classes=PAIRS[1])), 2) for trial in trials[:2]
    ]
    alone = fit_all(trials, BASE, workers=1)
    together = fit_batched(trials, [run.data for run in alone], [None] * len(trials))
    for one, other in zip(together, alone, strict=True):
        assert_close(one, other)


def test_a_range_test_takes_the_real_rows(monkeypatch) -> None:
    monkeypatch.setattr(lr_finder, "FAST", LEAN)
    config = config_of()
    found = find_learning_rate(config, BASE, (1, 2))
    own = unpadded(subset_of(BASE, config.data))
    assert len(found.rates) % step.length_of(config, own).epoch_steps == 0
    assert np.isfinite(found.losses[:, :50]).all()
