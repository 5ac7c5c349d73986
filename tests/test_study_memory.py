"""The plan of 1,000 trials of `selu` for 80 GB, and what is compiled for a study that is too large."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from bench.networks import KERNELS
from bench.study_memory import MEMORY, most_on_paper, programs_of
from jaxdeep.study import batched_memory
from jaxdeep.study.batched_memory import BatchedPrograms, planned_bytes, sizes_that_fit
from jaxdeep.train.memory import SHARE

WEIGHTS = 3_072 * 100 + 100 + 19 * (100 * 100 + 100) + 100 * 10 + 10
FREE = int(SHARE * MEMORY)
COMPILED = {"epoch": 11.13e6, "evaluate": 4.03e6}
"""Bytes of a trial in each program, by the compiler of an H100 for 1,000 trials."""


@pytest.fixture(scope="module")
def programs() -> BatchedPrograms:
    shape, config = KERNELS["selu"]
    return programs_of(config, tuple(shape))


def compiled_as(tried: list[tuple[str, int]]) -> Any:
    """Programs that are as large as the compiler says, and not compiled."""

    def compiled(names: tuple[str, ...], spec: Any, size: int) -> Any:
        (name,) = names
        tried.append((name, size))
        sizes = dict.fromkeys(("argument", "output", "alias"), 0) | {"temp": int(COMPILED[name] * size)}
        analysis = SimpleNamespace(**{f"{part}_size_in_bytes": of for part, of in sizes.items()})
        return SimpleNamespace(calls={name: SimpleNamespace(memory_analysis=lambda: analysis)}, compile_seconds=0.0)

    return mock.patch.object(batched_memory, "compiled", compiled)


def test_a_trial_is_its_weights_the_best_ones_and_two_moments(programs: BatchedPrograms) -> None:
    own = programs.argument_bytes(1) - programs.shared_bytes
    assert 0 < own - 4 * 4 * WEIGHTS < 100  # the rest is counters, a key and losses
    assert programs.shared_bytes == 60_000 * (3_072 + 4) + 2 * 4 * 3_072
    assert programs.argument_bytes(1_000) == 1_000 * own + programs.shared_bytes


def test_a_thousand_trials_are_planned_for_80_gigabytes(programs: BatchedPrograms) -> None:
    tried: list[tuple[str, int]] = []
    with compiled_as(tried):
        assert planned_bytes(programs, 1_000) == programs.moved_bytes(1_000) == 12_281_966_364
        assert sizes_that_fit(programs, 1_000, FREE)[0] == 1_000
    assert set(tried) == {("epoch", 1_000), ("evaluate", 1_000)}


def test_the_most_trials_on_paper_fit_and_one_more_does_not(programs: BatchedPrograms) -> None:
    most = most_on_paper(programs, FREE)
    assert most == 5_974
    assert programs.moved_bytes(most) <= FREE < programs.moved_bytes(most + 1)


def test_what_is_too_large_on_paper_is_not_compiled(programs: BatchedPrograms) -> None:
    tried: list[tuple[str, int]] = []
    with compiled_as(tried):
        sizes = sizes_that_fit(programs, 20_000, FREE)
    assert sizes[:3] == [5_000, 2_500, 1_250]
    assert set(tried) == {("epoch", 5_000), ("evaluate", 5_000)}


def test_what_the_compiler_finds_too_large_is_halved(programs: BatchedPrograms) -> None:
    tried: list[tuple[str, int]] = []
    with compiled_as(tried), mock.patch.dict(COMPILED, evaluate=20e6):
        assert sizes_that_fit(programs, 5_000, FREE)[0] == 2_500
    assert [size for name, size in tried if name == "evaluate"] == [5_000, 2_500]
