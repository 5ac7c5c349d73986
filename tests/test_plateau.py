"""Performance scheduling against Keras's own ReduceLROnPlateau, driven by the same losses."""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdeep.config import Schedule
from jaxdeep.optim.plateau import Plateau, first_plateau, next_plateau

pytestmark = pytest.mark.usefixtures("x64")

RATE = 0.02
FACTOR = 0.5
PATIENT = Schedule("plateau", patience_epochs=5)


@partial(jax.jit, static_argnums=0)
def factors(schedule: Schedule, losses: jax.Array, factor: jax.Array) -> jax.Array:
    """The factor of the rate after each epoch."""

    def epoch(plateau: Plateau, val_loss: jax.Array) -> tuple[Plateau, jax.Array]:
        plateau = next_plateau(schedule, plateau, val_loss, factor)
        return plateau, plateau.factor

    return jax.lax.scan(epoch, first_plateau("float64"), losses)[1]


def by_keras(schedule: Schedule, losses: Sequence[float], factor: float) -> np.ndarray:
    """The rate after each epoch."""
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=factor, patience=schedule.patience_epochs, min_delta=schedule.min_delta
    )
    optimizer = SimpleNamespace(learning_rate=RATE)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    rates = []
    with keras_oracle.relaxed():
        callback.on_train_begin()
        for epoch, val_loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": val_loss})
            rates.append(optimizer.learning_rate)
    return np.array(rates)


def check(schedule: Schedule, losses: Sequence[float], factor: float) -> np.ndarray:
    """Both rates are equal after each epoch; returns them in units of the first one."""
    found, expected = factors(schedule, jnp.asarray(losses), factor), by_keras(schedule, losses, factor)
    np.testing.assert_allclose(RATE * found, expected, rtol=2e-15)
    return expected / RATE


@pytest.mark.parametrize(
    ("losses", "last"),
    [
        ([1 / epoch for epoch in range(1, 21)], 1),
        ([1.0] * 20, 0.125),  # the first one is the best: 5, 10 and 15 more
        ([1.0] * 5 + [0.9] * 5 + [0.8] * 5, 1),  # 4 in a row, each time
        ([1.0] * 6 + [0.9] * 6 + [0.8] * 6, 0.125),
        ([1 - 0.9e-4 * epoch for epoch in range(20)], 1),  # two of them are an improvement
        ([1 - 1e-5 * epoch for epoch in range(11)], 0.25),  # and here eleven
        ([1.0, *(1 - 1e-4, 1 - 1.01e-4) * 8], 0.25),  # one improvement, by the hair above min_delta
        ([1.0, 2.0, 3.0, 4.0, 5.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.4], 0.5),
        ([2.0, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 0.9, 1.0, 1.0, 1.0, 1.0, 0.95], 0.25),
        ([0.0313] + [0.0312] * 5, 0.5),  # .0312 + 1e-4 is .0313, and .0313 - 1e-4 is rounded to above .0312
    ],
)
def test_the_rate_falls_when_that_of_keras_does(losses, last):
    assert check(PATIENT, losses, FACTOR)[-1] == pytest.approx(last, rel=1e-14)


grid = st.integers(0, 30).map(lambda steps: 1 + steps * 0.5e-4)
"""Ties, and differences of half of min_delta, of min_delta itself and of more."""


@settings(max_examples=200)
@given(
    st.lists(grid, min_size=40, max_size=40) | st.lists(st.floats(0, 3), min_size=40, max_size=40),
    st.sampled_from([1, 3, 4]),
    st.sampled_from([0.0, 1e-4, 0.1]),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_rate_falls_when_that_of_keras_does_for_any_losses(losses, patience, min_delta, factor):
    check(Schedule("plateau", patience_epochs=patience, min_delta=min_delta), losses, factor)


def test_members_with_factors_and_losses_of_their_own_are_as_alone():
    rng = np.random.default_rng(0)
    losses, own = 1 + rng.integers(0, 4, (8, 40)) * 0.7e-4, np.linspace(0.1, 0.9, 8)
    together = jax.vmap(partial(factors, PATIENT))(losses, own)
    alone = [factors(PATIENT, *trial) for trial in zip(losses, own, strict=True)]
    np.testing.assert_array_equal(together, alone)
    assert len(set(np.asarray(together[:, -1]).round(12))) == 8
