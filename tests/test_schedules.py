"""Schedules against CHAPTER.md's definitions, as loops in NumPy, and against Keras's, in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import jax
import jax.numpy as jnp
import keras_oracle
import numpy as np
import optax
import pytest
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay

from jaxdeep.config import Config, Optim, Schedule, choices
from jaxdeep.config.schedule import USERS
from jaxdeep.errors import UserError
from jaxdeep.optim import schedules as s
from jaxdeep.optim.plateau import first_plateau, next_plateau
from jaxdeep.optim.schedules import Length, Rates, check_length, rates_at

pytestmark = pytest.mark.usefixtures("x64")

RATE = 0.05
LENGTH = Length(epoch_steps=41, epochs=10)


def rates_of_run(schedule: Schedule, length: Length = LENGTH, optim: str = "sgd", dtype: str = "float64") -> Rates:
    """Learning rate and momentum of each step of a run, epoch by epoch in one compiled program, as in training."""
    config = Config(optim=Optim(optim, RATE), schedule=schedule)
    hyper = jax.tree.map(lambda value: jnp.asarray(value, dtype), config.hyper())

    @jax.jit
    def of_epoch(epoch: jax.Array, hyper: Any) -> Rates:
        counts = (epoch * length.epoch_steps + jnp.arange(length.epoch_steps)).astype(dtype)
        return rates_at(config.schedule, config.optim, hyper, length, counts)

    found = [of_epoch(epoch, hyper) for epoch in range(length.epochs)]
    return Rates(*(np.concatenate([np.asarray(values) for values in column]) for column in zip(*found, strict=True)))


def looped(of_step: Callable[[int], float], length: Length = LENGTH) -> np.ndarray:
    return np.array([of_step(step) for step in range(length.steps)])


def rising_from_0(of_step: Callable[[int], float], warmup: int) -> Callable[[int], float]:
    return lambda step: RATE * step / warmup if step < warmup else of_step(step - warmup)


def quartic(count: Any) -> Any:
    """A user's own."""
    return (1 - count / LENGTH.steps) ** 4


def third(count: Any) -> float:
    """Another, which is constant."""
    del count
    return 1 / 3


def piece(step: int) -> float:
    epoch = step // LENGTH.epoch_steps
    if epoch < 2:
        return RATE
    return RATE * 0.5 if epoch < 7 else RATE * 0.1


POWER = Schedule("power", decay_steps=100)
PIECEWISE = Schedule("piecewise", boundaries_epochs=(2, 7), factors=(1.0, 0.5, 0.1))
COUNTED: dict[str, tuple[Schedule, Callable[[int], float]]] = {
    "constant": (Schedule(), lambda step: RATE),
    "power": (POWER, lambda step: RATE / (1 + step / 100)),
    "power of c": (
        Schedule("power", decay_steps=100, exponent=0.75),
        lambda step: RATE / (1 + step / 100) ** 0.75,
    ),
    "exponential by epoch": (
        Schedule("exponential", decay_epochs=4),
        lambda step: RATE * 0.1 ** ((step // LENGTH.epoch_steps) / 4),
    ),
    "exponential by step": (
        Schedule("exponential", factor=0.5, decay_steps=60),
        lambda step: RATE * 0.5 ** (step / 60),
    ),
    "piecewise": (PIECEWISE, piece),
    "plateau": (Schedule("plateau"), lambda step: RATE),  # its factor is the epoch's
    "a function": (Schedule(quartic), lambda step: RATE * (1 - step / LENGTH.steps) ** 4),
    "a constant function": (Schedule(third), lambda step: RATE / 3),
}


@pytest.mark.parametrize("warmup", [0, 1, 60])
@pytest.mark.parametrize("name", COUNTED)
def test_each_step_has_the_rate_of_the_definition(name, warmup):
    schedule, definition = COUNTED[name]
    expected = looped(rising_from_0(definition, warmup) if warmup else definition)
    found = rates_of_run(replace(schedule, warmup_steps=warmup))
    np.testing.assert_allclose(found.learning_rate, expected, rtol=1e-15, atol=3e-16 * RATE)
    assert set(found.beta_1) == {0.9}


KERAS: dict[str, tuple[Schedule, Callable[[], Any]]] = {
    "power": (POWER, lambda: InverseTimeDecay(RATE, 1, 1 / 100)),
    "exponential by epoch": (
        Schedule("exponential", decay_epochs=4),
        lambda: ExponentialDecay(RATE, LENGTH.epoch_steps, 0.1 ** (1 / 4), staircase=True),
    ),
    "exponential by step": (
        Schedule("exponential", factor=0.5, decay_steps=60),
        lambda: ExponentialDecay(RATE, 60, 0.5),
    ),
    "piecewise": (  # Keras's value holds up to its boundary and there too
        PIECEWISE,
        lambda: PiecewiseConstantDecay(
            [2 * LENGTH.epoch_steps - 1, 7 * LENGTH.epoch_steps - 1], [RATE, 0.5 * RATE, 0.1 * RATE]
        ),
    ),
    "cosine": (Schedule("cosine"), lambda: CosineDecay(RATE, LENGTH.steps)),
    "cosine, warmed up": (
        Schedule("cosine", warmup_steps=60, total_steps=LENGTH.steps),
        lambda: CosineDecay(0.0, LENGTH.steps - 60, warmup_target=RATE, warmup_steps=60),
    ),
}


@pytest.mark.parametrize("name", KERAS)
def test_each_step_has_the_rate_of_keras(name):
    schedule, reference = KERAS[name]
    with keras_oracle.relaxed():
        expected = np.asarray(jax.vmap(reference())(jnp.arange(LENGTH.steps)))
    assert expected.dtype == np.float64
    found = rates_of_run(schedule).learning_rate
    assert np.abs(found - expected).max() < 1e-15 * RATE  # measured: 3e-16


def cycle(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """CHAPTER.md, section 4: rates and momenta."""
    half = (steps - steps // 10 - 1) // 2
    low, rest = RATE / 10, steps - 2 * half
    rates = [low + (RATE - low) * step / half for step in range(half)]
    rates += [RATE - (RATE - low) * step / half for step in range(half)]
    rates += [low - (low - low / 1000) * step / rest for step in range(rest)]
    momenta = [0.95 - 0.1 * step / half for step in range(half)] + [0.85 + 0.1 * step / half for step in range(half)]
    return np.array(rates), np.array(momenta + [0.95] * rest)


@pytest.mark.parametrize("steps", [3, 4, 5, 10, 11, 21, 100, 101, 10_750])
def test_1cycle_is_that_of_the_chapter(steps):
    rates, momenta = cycle(steps)
    assert len(rates) == len(momenta) == steps
    for optim in ("sgd", "momentum", "nesterov", "nadam"):
        found = rates_of_run(Schedule("onecycle"), Length(steps, 1), optim)
        has_momentum = optim in ("momentum", "nesterov")
        np.testing.assert_allclose(found.learning_rate, rates, rtol=0, atol=3e-16 * RATE)
        np.testing.assert_allclose(found.beta_1, momenta if has_momentum else 0.9, rtol=0, atol=3e-16)
    half = (steps - steps // 10 - 1) // 2
    assert found.learning_rate[half] == found.learning_rate.max() == RATE
    np.testing.assert_allclose(found.learning_rate[[0, 2 * half]], RATE / 10, rtol=1e-15)


def test_the_momentum_of_a_cycle_has_the_ends_that_are_given():
    schedule = Schedule("onecycle", momentum_low=0.5, momentum_high=0.99)
    momenta = rates_of_run(schedule, Length(100, 1), "nesterov").beta_1
    np.testing.assert_allclose(momenta[[0, 44, 88, 99]], [0.99, 0.5, 0.99, 0.99], rtol=0, atol=3e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("epoch_steps", [41, 47, 94, 430, 1407])
def test_a_rate_that_falls_between_epochs_is_constant_in_them(epoch_steps, dtype):
    """In XLA's float32 a product with 41 or 94, divided by it, may be below the whole number that it was."""
    length = Length(epoch_steps, 100)
    found = rates_of_run(Schedule("exponential"), length, dtype=dtype).learning_rate.reshape(100, epoch_steps)
    assert found.dtype == dtype
    assert (found == found[:, :1]).all()
    np.testing.assert_allclose(found[:, 0], RATE * 0.1 ** (np.arange(100) / 20), rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    "schedule",
    [
        *(replace(schedule, warmup_steps=warmup) for schedule, _ in list(COUNTED.values())[:7] for warmup in (0, 60)),
        Schedule("cosine", warmup_steps=60),
        Schedule("onecycle"),
    ],
    ids=lambda schedule: f"{schedule.kind}-{schedule.warmup_steps}",
)
def test_in_float32_a_long_run_has_the_rates_of_float64_but_for_rounding(schedule):
    length = Length(1_720, 25)
    single, double = (rates_of_run(schedule, length, "momentum", dtype) for dtype in ("float32", "float64"))
    for one, other, largest in zip(single, double, (RATE, 1), strict=True):
        assert one.dtype == np.float32
        assert np.abs(one - other).max() < 2 * largest * np.finfo(np.float32).eps


BUILDERS: dict[str, tuple[Callable, Callable[[int], float]]] = {
    "power": (s.power(100, 0.75), COUNTED["power of c"][1]),
    "exponential by epoch": (s.exponential(0.1, 4 * 41, every=41), COUNTED["exponential by epoch"][1]),
    "exponential by step": (s.exponential(0.5, 60), COUNTED["exponential by step"][1]),
    "piecewise": (s.piecewise((2 * 41, 7 * 41), (1.0, 0.5, 0.1)), piece),
    "cosine": (s.cosine(410), lambda step: RATE * (1 + np.cos(np.pi * step / 410)) / 2),
    "onecycle": (s.onecycle(410), lambda step: cycle(410)[0][step]),
    "onecycle_momentum": (s.onecycle_momentum(410), lambda step: RATE * cycle(410)[1][step]),
    "warmed_up": (s.warmed_up(s.power(100, 0.75), 60), rising_from_0(COUNTED["power of c"][1], 60)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_each_is_a_schedule_of_optax_of_whole_numbers(name):
    builder, definition = BUILDERS[name]
    scale = optax.scale_by_schedule(builder)

    def step(state: Any, _: None) -> Any:
        updates, state = scale.update(jnp.asarray(RATE), state)
        return state, updates

    with jax.numpy_dtype_promotion("standard"):
        found = jax.jit(lambda: jax.lax.scan(step, scale.init(jnp.zeros(())), None, LENGTH.steps)[1])()
        assert np.abs(np.asarray(found) - looped(definition)).max() < 3e-7 * RATE  # float32
        assert abs(float(builder(100)) * RATE - definition(100)) < 3e-7 * RATE


VALUES = {
    "factor": 0.5,
    "decay_epochs": 5.0,
    "decay_steps": 10,
    "exponent": 2.0,
    "boundaries_epochs": (5,),
    "factors": (1.0, 0.25),
    "patience_epochs": 2,
    "min_delta": 0.0,
    "momentum_low": 0.5,
    "momentum_high": 0.99,
}
NEEDED = {"power": {"decay_steps": 100}, "piecewise": {"boundaries_epochs": (2,), "factors": (1.0, 0.5)}}
LOSSES = [2.0, 1.0, *(1 - 1e-5 * epoch for epoch in range(10))]
"""They fall, then fall by less than the default of min_delta."""


@pytest.mark.parametrize("kind", [*get_args(choices.ScheduleKind), third])
def test_a_field_is_allowed_exactly_where_it_changes_the_rates(kind):
    """total_steps is none of them: it must be what it is."""

    def rates(schedule: Schedule) -> np.ndarray:
        length, counts = Length(5, 10), jnp.arange(50.0)
        found = np.stack(rates_at(schedule, Optim("momentum"), Config().hyper(), length, counts))
        if schedule.kind != "plateau":
            return found
        plateau = first_plateau("float64")
        for loss in LOSSES:
            plateau = next_plateau(schedule, plateau, jnp.asarray(loss), schedule.factor)
        return found * float(plateau.factor)

    needed = NEEDED.get(kind, {}) if isinstance(kind, str) else {}
    base = Schedule(kind, **needed)
    assert VALUES.keys() == USERS.keys() - {"total_steps"}
    for field, value in VALUES.items():
        other = replace(base)
        object.__setattr__(other, field, value)  # behind the checks
        if (rates(other) != rates(base)).any():
            assert Schedule(kind, **needed | {field: value}) == other
        else:
            with pytest.raises(UserError, match=rf"schedule\.{field} is .* has no effect with"):
                Schedule(kind, **needed | {field: value})


@pytest.mark.parametrize(
    ("schedule", "length", "refused"),
    [
        (
            Schedule("onecycle", total_steps=10_725),
            Length(430, 25),
            "total_steps is 10725, and the run has 25 epochs of 430 steps, 10750 in all. Give None or 10750.",
        ),
        (Schedule("cosine", total_steps=10_751), Length(430, 25), "total_steps is 10751"),
        (Schedule(warmup_steps=50), Length(5, 10), "warmup_steps is 50, and the run has 10 epochs of 5 steps"),
        (
            Schedule("piecewise", boundaries_epochs=(5, 10), factors=(1.0, 0.5, 0.1)),
            Length(5, 10),
            "boundaries_epochs is (5, 10), behind 0 steps of warm-up, and the run has 10 epochs of 5 steps",
        ),
        (
            Schedule("piecewise", boundaries_epochs=(9,), factors=(1.0, 0.5), warmup_steps=5),
            Length(5, 10),
            "boundaries_epochs is (9,), behind 5 steps of warm-up, and the run has 10 epochs of 5 steps",
        ),
        (Schedule("onecycle"), Length(2, 1), "'onecycle', and the run has 1 epochs of 2 steps"),
        (Schedule("onecycle"), Length(1, 1), "too few for a cycle. Give 3 or more."),
    ],
)
def test_a_schedule_that_does_not_fit_the_run_is_refused(schedule, length, refused):
    with pytest.raises(UserError) as refusal:
        check_length(schedule, length)
    assert refused in str(refusal.value)


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (Schedule("onecycle", total_steps=10_750), Length(430, 25)),
        (Schedule(warmup_steps=49), Length(5, 10)),
        (Schedule("piecewise", boundaries_epochs=(9,), factors=(1.0, 0.5), warmup_steps=4), Length(5, 10)),
        (Schedule("onecycle"), Length(3, 1)),
    ],
)
def test_a_schedule_that_just_fits_is_not(schedule, length):
    rates = rates_of_run(schedule, length).learning_rate
    assert len(rates) == length.steps
    if schedule.factors:
        assert rates[-1] == RATE * schedule.factors[-1] != rates[-2]
