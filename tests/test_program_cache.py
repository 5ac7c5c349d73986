"""Programs are compiled once for all threads, and what is kept of them is bounded and can be given back."""

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
from small_data import SMALL, compilations, lean_compilation, small_arrays, small_dataset

from jaxdeep.train import program_cache, programs
from jaxdeep.train.fit import fit
from jaxdeep.train.program_cache import ProgramCache
from jaxdeep.train.programs import NAMES, ProgramSpec, compiled, reduced, spec_of

THREADS = 8


@pytest.fixture(autouse=True)
def unlimited(monkeypatch, tmp_path) -> None:
    """No limit of the memory mappings, since the tests before these may have used many."""
    monkeypatch.setattr(program_cache, "MOST_MAPPINGS", tmp_path / "no_limit")


class Programs:
    """What a fake compilation returns, and can be referred to weakly."""


def at_once(function: Any, *arguments: Any) -> list[Any]:
    """What each thread gets, or its error, if all of them call together."""
    barrier = threading.Barrier(THREADS)

    def call(_: int) -> Any:
        barrier.wait(10)
        try:
            return function(*arguments)
        except BaseException as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def bounded(monkeypatch: pytest.MonkeyPatch, programs: int) -> None:
    monkeypatch.setattr(program_cache, "total_memory", lambda: 0)
    monkeypatch.setattr(program_cache, "FEWEST_KEPT", programs)


def test_threads_that_ask_together_get_one_object_and_one_compilation() -> None:
    called: list[int] = []

    @ProgramCache
    def slow(names: tuple[str, ...], size: int) -> Programs:
        called.append(size)
        time.sleep(0.05)
        return Programs()

    found = at_once(slow, ("epoch",), 3)
    assert len({id(one) for one in found}) == 1
    assert called == [3]
    assert slow(("epoch",), 4) is not found[0]
    assert slow.cache_info()[:2] == (THREADS - 1, 2)
    assert slow.cache_info().currsize == 2


def test_threads_train_by_programs_that_are_compiled_once() -> None:
    spec = spec_of(SMALL, [small_dataset(SMALL)])
    with lean_compilation():
        compiled(("start",), spec, None)  # and whatever is compiled only once in a process
        other = SMALL.updated({"model.units": (9,)})
        compiled(NAMES, spec_of(other, [small_dataset(other)]), None)  # XLA refuses options that it does not know
        with compilations() as heard:
            found = at_once(compiled, NAMES, spec, None)
        assert len({id(one) for one in found}) == 1
        assert len(heard) == len(NAMES) - 1  # the start is there


def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    called: list[int] = []

    @ProgramCache
    def fails_once(names: tuple[str, ...]) -> str:
        called.append(1)
        time.sleep(0.05)
        if len(called) == 1:
            raise ValueError("XLA said no")
        return "programs"

    errors = at_once(fails_once, ("epoch",))
    assert [str(error) for error in errors] == ["XLA said no"] * THREADS
    assert fails_once.cache_info().currsize == 0
    assert fails_once(("epoch",)) == "programs"
    assert len(called) == 2


def test_what_interrupts_one_thread_is_not_the_others() -> None:
    called: list[int] = []

    @ProgramCache
    def interrupted_once(names: tuple[str, ...]) -> str:
        called.append(1)
        time.sleep(0.05)
        if len(called) == 1:
            raise KeyboardInterrupt
        return "programs"

    found = at_once(interrupted_once, ("epoch",))
    assert sum(isinstance(one, KeyboardInterrupt) for one in found) == 1
    assert found.count("programs") == THREADS - 1
    assert len(called) == 2


def test_what_was_used_least_recently_is_dropped_beyond_the_memory(monkeypatch) -> None:
    bounded(monkeypatch, 7)
    cache = ProgramCache(lambda names, size: Programs())
    kept = {size: weakref.ref(cache(NAMES, size)) for size in (1, 2)}
    cache(NAMES, 1)
    kept[3] = weakref.ref(cache(NAMES, 3))
    assert [kept[size]() is not None for size in (1, 2, 3)] == [True, False, True]
    assert cache.cache_info()[2:] == (7, 6)
    held = cache(NAMES, 1)
    bounded(monkeypatch, 0)
    assert cache(NAMES, 4) is cache(NAMES, 4)  # the latest stay
    assert cache.cache_info().currsize == 3
    assert held is not cache(NAMES, 1)


def test_what_is_cleared_is_given_back() -> None:
    cache = ProgramCache(lambda names: Programs())
    kept = weakref.ref(cache(NAMES))
    assert kept() is not None
    cache.cache_clear()
    assert kept() is None
    assert (*cache.cache_info()[:2], cache.cache_info().currsize) == (0, 0, 0)


def test_a_small_machine_keeps_the_programs_of_48_networks(monkeypatch) -> None:
    monkeypatch.setattr(program_cache, "total_memory", lambda: None)
    cache = ProgramCache(lambda names, size: Programs())
    kept = [weakref.ref(cache(NAMES, size)) for size in range(49)]
    assert [size for size, programs in enumerate(kept) if programs() is None] == [0]


def test_half_are_dropped_when_mappings_are_scarce(monkeypatch, tmp_path) -> None:
    limit = tmp_path / "max_map_count"
    monkeypatch.setattr(program_cache, "MOST_MAPPINGS", limit)
    cache = ProgramCache(lambda names, size: Programs())
    assert not program_cache.mappings_are_scarce()  # without the file there is no limit
    limit.write_text("100000000\n")
    kept = [weakref.ref(cache(NAMES, size)) for size in range(20)]
    assert all(programs() is not None for programs in kept)
    limit.write_text("1\n")
    kept.append(weakref.ref(cache(NAMES, 20)))
    assert [programs() is not None for programs in kept] == [False] * 11 + [True] * 10
    for size in range(21, 30):
        cache(NAMES, size)
    assert cache.cache_info().currsize == program_cache.KEPT_IF_SCARCE


def spec_with(**fields: Any) -> ProgramSpec:
    """Of the small network, with other values of the training loop."""
    config = SMALL.updated({f"train.{name}": value for name, value in fields.items()})
    return spec_of(config, [small_dataset(SMALL)])


def test_batch_sizes_share_the_start_and_the_evaluation() -> None:
    with lean_compilation():
        one, other = (compiled(NAMES, spec_with(batch_size=size), None).calls for size in (32, 16))
        assert one["start"] is other["start"]
        assert one["evaluate"] is other["evaluate"]
        assert one["epoch"] is not other["epoch"]


def test_optimizers_share_the_evaluation_alone() -> None:
    data = small_dataset(SMALL)
    specs = [spec_of(SMALL.updated({"optim.optimizer": name}), [data]) for name in ("nadam", "sgd")]
    assert reduced("evaluate", specs[0]) == reduced("evaluate", specs[1])
    assert reduced("start", specs[0]) != reduced("start", specs[1])


def test_a_program_that_failed_is_compiled_again(monkeypatch) -> None:
    spec = spec_of(SMALL.updated({"model.units": [7, 7]}), [small_dataset(SMALL)])
    with lean_compilation():
        with monkeypatch.context() as patch:
            patch.setattr(programs, "compile_with", Mock(side_effect=ValueError("XLA said no")))
            for _ in range(2):
                with pytest.raises(ValueError, match="XLA said no"):
                    compiled(NAMES, spec, None)
        with monkeypatch.context() as patch:
            patch.setattr(programs, "_lowered", Mock(side_effect=ValueError("JAX said no")))
            with pytest.raises(ValueError, match="JAX said no"):
                compiled(NAMES, spec, None)
        assert set(compiled(NAMES, spec, None).calls) == set(NAMES)


def test_epochs_and_patience_compile_nothing() -> None:
    data = small_dataset(SMALL)
    with lean_compilation():
        whole = fit(SMALL, data, verbose=False)
        with compilations() as heard:
            longer = fit(SMALL.updated({"train.epochs": 6}), data, verbose=False)
            shorter = fit(SMALL.updated({"train.epochs": 2, "train.patience": 2}), data, verbose=False)
        assert heard == []
        assert [record.val_loss for record in longer.history[:4]] == [record.val_loss for record in whole.history]
        assert (len(longer.history), len(shorter.history)) == (6, 2)
        with compilations() as heard:
            whole.predict(small_arrays(3)[0])
            heard.clear()
            shorter.predict(small_arrays(4)[0])
        assert heard == []


def test_a_schedule_as_long_as_the_run_reads_the_epochs() -> None:
    for kind in ("cosine", "onecycle"):
        one, other = (
            SMALL.updated({"schedule.kind": kind, "train.epochs": epochs, "train.patience": epochs}).static()
            for epochs in (4, 5)
        )
        assert one != other
        assert one.train.epochs == 4
