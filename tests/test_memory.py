"""What no memory holds is refused before it is tried, in words."""

from dataclasses import replace
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_data import SMALL, small_dataset

from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.study import runner as sweep
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train import memory, programs
from jaxdeep.train.fit import fit
from jaxdeep.train.forward import model_of
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.memory import fewest_bytes, program_bytes, size_in_words, total_memory
from jaxdeep.train.programs import compile_program
from jaxdeep.train.state import init_state

DATA = small_dataset(SMALL)
TOO_LARGE = [(10**12,), (10**9, 10**9), (10**30,), (10**200, 10**200), (100,) * 10 + (10**15,)]


def with_units(*units: int) -> Config:
    return replace(SMALL, model=replace(SMALL.model, units=units))


@pytest.mark.parametrize("units", TOO_LARGE, ids=lambda units: f"{len(units)} layers, {len(str(units[-1]))} digits")
def test_a_network_larger_than_the_memory_is_refused_before_anything_is_compiled(units):
    config = with_units(*units)
    with mock.patch.object(programs, "compiled", side_effect=AssertionError):
        for call in (
            lambda: fit(config, DATA),
            lambda: fit_all([Trial(config, 1)], DATA),
            lambda: find_learning_rate(config, DATA, (1,)),
        ):
            with pytest.raises(UserError, match=r"training takes at least .*[KMGTPEZY]iB of memory, and there are"):
                call()


def test_a_program_larger_than_the_memory_is_refused_before_it_runs():
    needed = compile_program(SMALL, DATA).epoch_bytes
    assert fewest_bytes(SMALL, DATA) < needed
    with mock.patch.object(programs, "total_memory", return_value=needed):
        fit(SMALL, DATA, until=1)
    with (
        mock.patch.object(programs, "total_memory", return_value=needed - 1),
        pytest.raises(UserError, match=r"training takes .* of memory, and there are"),
    ):
        fit(SMALL, DATA)


def test_the_runs_of_a_study_that_no_memory_keeps_are_refused():
    kept = compile_program(SMALL, DATA).kept_bytes
    run = fit(SMALL, DATA, until=1)
    assert kept == sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves((run.params, run.batch_stats)))
    with (
        mock.patch.object(sweep, "total_memory", return_value=5 * kept - 1),
        pytest.raises(UserError, match="or the runs fewer"),
    ):
        fit_all([Trial(SMALL, seed) for seed in range(5)], DATA)


@pytest.mark.parametrize(("programs", "expected"), [(0.5, 1), (1, 1), (2, 2), (2.9, 2), (1000, 4)])
def test_no_more_members_train_at_a_time_than_the_memory_holds(programs, expected):
    found = compile_program(SMALL, DATA)
    with (
        mock.patch.object(sweep, "cores", return_value=4),
        mock.patch.object(sweep, "total_memory", return_value=int(programs * found.epoch_bytes)),
    ):
        assert sweep._workers([found] * 3) == expected


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.booleans())
def test_the_smallest_need_is_less_than_weights_their_best_and_their_gradients_take(units, use_bias):
    config = replace(SMALL, model=replace(SMALL.model, units=tuple(units), use_bias=use_bias))
    state = jax.eval_shape(
        lambda key: init_state(config, model_of(config, DATA), config.hyper(), key), jax.random.key(0)
    )
    weights = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    rows = min(config.train.batch_size, DATA.train.size)
    biases = 0 if use_bias else sum(units)
    values = rows * (sum(units) + DATA.classes)
    assert fewest_bytes(config, DATA) == 4 * (3 * (weights + biases) + values)


def test_the_memory_is_that_of_the_machine_or_of_its_container(tmp_path):
    machine = total_memory()
    assert machine is not None
    assert 2**28 < machine < 2**50
    for text, expected in (("1000000", 1_000_000), ("max", machine), (str(2**60), machine)):
        (tmp_path / "limit").write_text(f"{text}\n")
        with mock.patch.object(memory, "LIMITS", (str(tmp_path / "limit"), *memory.LIMITS)):
            assert total_memory() == expected


@given(st.integers(0, 10**30))
def test_a_size_in_words_is_the_size_to_a_tenth_of_its_unit(size):
    words = size_in_words(size)
    if words.startswith("more"):
        assert size >= 2**90
        return
    number, unit = words.split()
    scale = 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB").index(unit)
    assert abs(float(number.replace(",", "")) * scale - size) <= 0.0501 * scale


def test_the_bytes_of_a_program_count_its_arguments_once():
    doubled = jax.jit(lambda x: 2 * x, donate_argnums=0).lower(jax.ShapeDtypeStruct((1000,), "float32")).compile()
    assert 4000 <= program_bytes(doubled) < 8000
