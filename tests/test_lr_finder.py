"""The learning rate range test."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import LEAN, SMALL, lean_compilation, small_dataset

from jaxdeep.config import Config, Data, Optim, Schedule
from jaxdeep.errors import UserError
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import lr_finder, step
from jaxdeep.train.fit import fit
from jaxdeep.train.lr_finder import RangeTest, find_learning_rate

SGD = replace(SMALL, optim=Optim("sgd", learning_rate=0.1), train=replace(SMALL.train, batch_size=4))
EPOCH_STEPS, EPOCHS = 38, 3  # 150 rows in batches of 4; fewer epochs have fewer than 100 steps
STEPS = EPOCHS * EPOCH_STEPS
SEEDS = (5, 6, 7)
WILD = 1e4
"""A rate at which all diverge."""


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation(), mock.patch.object(lr_finder, "FAST", LEAN):
        yield


@cache
def found(config: Config = SGD, seeds: tuple[int, ...] = SEEDS, highest: float = 10.0) -> RangeTest:
    return find_learning_rate(config, small_dataset(config), seeds, lowest=1e-4, highest=highest)


def test_the_rate_rises_geometrically_over_as_many_epochs_as_100_steps_take() -> None:
    expected = [1e-4 * np.exp(np.log(10.0 / 1e-4) / STEPS) ** i for i in range(STEPS)]
    np.testing.assert_allclose(found().rates, expected, rtol=1e-12)


def test_the_losses_are_those_of_plain_steps_at_these_rates() -> None:
    data, hyper = small_dataset(SGD), SGD.hyper()
    state = step.start(SGD, hyper, data, jax.random.key(SEEDS[1]))
    epochs = [step.epoch_batches(SGD, state._replace(epoch=jnp.int32(epoch)), data) for epoch in range(EPOCHS)]
    jitted = jax.jit(step.train_step, static_argnums=0)
    losses = []
    test = found(highest=WILD)
    for index, rate in enumerate(test.rates):
        epoch, of_epoch = divmod(index, EPOCH_STEPS)
        batch, key = jax.tree.map(lambda leaf, index=of_epoch: leaf[index], epochs[epoch])
        state, (total, _) = jitted(SGD, state, hyper, Rates(jnp.float32(rate), 0.9), data, batch, key)
        losses.append(float(total) / int(batch.mask.sum()))
    counted = np.isfinite(test.losses[1])
    assert 10 < counted.sum() < STEPS  # it diverges before the end, or the next test shows nothing
    np.testing.assert_allclose(test.losses[1][counted], np.asarray(losses)[counted], rtol=1e-4)


def test_counting_stops_at_divergence() -> None:
    wild = found(highest=1e6)
    for losses, smoothed in zip(wild.losses, wild.smoothed, strict=True):
        end = int(np.isnan(losses).argmax())
        assert end > 0
        assert np.isnan(losses[end:]).all()
        assert np.isfinite(losses[:end]).all()
        np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(losses))


def test_a_seed_beside_others_is_the_seed_alone() -> None:
    np.testing.assert_array_equal(found(seeds=SEEDS[2:]).losses[0], found().losses[2])
    assert (found().losses[0] != found().losses[2])[:5].all()


def test_it_leaves_no_trace() -> None:
    data = small_dataset(SMALL)
    before = fit(SMALL, data, seed=5)
    find_learning_rate(SMALL, data, (5,))
    after = fit(SMALL, data, seed=5)
    for one, other in zip(jax.tree.leaves(before.params), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_schedule_does_not_run_and_decides_what_is_suggested() -> None:
    onecycle = found(replace(SGD, schedule=Schedule(kind="onecycle")))
    np.testing.assert_array_equal(onecycle.losses, found().losses)
    np.testing.assert_array_equal(onecycle.suggestions, onecycle.turning_points)
    np.testing.assert_allclose(found().suggestions, found().turning_points / 10)
    assert "1/10" in found().rule
    assert "1/10" not in onecycle.rule


def test_the_suggestion_is_the_geometric_mean_of_those_that_there_are() -> None:
    some = found()._replace(suggestions=np.asarray([1e-2, np.nan, 1e-4]))
    assert some.suggestion == pytest.approx(1e-3)
    assert np.isnan(found()._replace(suggestions=np.full(3, np.nan)).suggestion)


RATES = 10.0 ** np.arange(-5, 1)


@pytest.mark.parametrize(
    ("losses", "turning"),
    [
        ([3, 2, 1, 1.15, 1.3, 9], 1e-2),  # 1.15 is less than a tenth of 2 above 1, 1.3 more
        ([3, 2, 1, 1.15, np.nan, np.nan], 1e-2),  # then it diverged
        ([2, 3, 1, 1.15, 1.3, 9], 1e-2),  # it falls from its highest
        ([3, 2, 1, 1.1, 1.1, 1.1], np.nan),  # never climbs
        ([1, 2, 3, 4, 5, 6], np.nan),  # never falls
        ([np.nan] * 6, np.nan),
    ],
)
def test_the_turning_point_is_the_last_rate_before_a_tenth_of_the_fall_is_lost(losses, turning) -> None:
    np.testing.assert_allclose(lr_finder._turning_point(RATES, np.asarray(losses, float)), turning)


def test_smoothing_looks_to_both_sides() -> None:
    """A minimum stays where it is, which a running mean would move to later, higher rates."""
    rates = np.geomspace(1e-5, 10, 600)
    losses = 1 + (np.log10(rates) + 2) ** 2
    assert rates[np.argmin(lr_finder.smoothed_losses(losses, rates))] == pytest.approx(1e-2, rel=0.02)


@pytest.mark.parametrize(("lowest", "highest"), [(0, 1), (1, 1), (1e-3, 1e-4), (1e-3, np.inf), (np.nan, 1)])
def test_a_range_that_does_not_rise_is_refused(lowest, highest) -> None:
    with pytest.raises(UserError, match="learning rates from"):
        find_learning_rate(SGD, small_dataset(SGD), (0,), lowest=lowest, highest=highest)


@pytest.mark.parametrize("batch_size", [4, 50, 150])
def test_however_few_steps_an_epoch_has_seeds_are_told_apart(batch_size) -> None:
    config = replace(SMALL, train=replace(SMALL.train, batch_size=batch_size))
    test = found(config, highest=WILD)
    assert 100 <= len(test.rates) < 100 + 38
    assert np.isfinite(test.suggestions).all()
    assert len(set(test.suggestions)) > 1


def test_what_does_not_fit_the_images_is_refused() -> None:
    config = replace(SGD, data=Data(valid_size=50, shift_pixels=6))
    with pytest.raises(UserError, match="shift_pixels is 6"):
        find_learning_rate(config, small_dataset(config), (0,))
