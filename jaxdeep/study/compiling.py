"""The programs of a study's trials, compiled side by side before the first trial begins."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from typing import Final, NamedTuple, TypeVar

from jaxdeep.config import Config, Trained
from jaxdeep.data.dataset import Dataset
from jaxdeep.train.phases import stages_of
from jaxdeep.train.programs import ProgramSpec, compile_program, spec_of

Result = TypeVar("Result")

SECONDS_BETWEEN_SIGNALS: Final = 0.2
"""Seconds between two looks of the main thread at signals. It alone handles them, but a working thread may get them."""


class Sizes(NamedTuple):
    """Memory that a trial needs.

    Attributes:
        epoch_bytes: Bytes that the largest program of an epoch holds while it runs.
        kept_bytes: Bytes of the weights and moving statistics that the finished run keeps.
    """

    epoch_bytes: int
    kept_bytes: int


def compile_all(configs: Sequence[Config], datasets: Sequence[Dataset], workers: int) -> list[Sizes]:
    """Compile the programs of all phases of trials, and return the memory that each trial needs.

    Programs that differ are compiled side by side by several threads. Programs of one kind alone are compiled by this
    thread. The cache of programs keeps them, so that a trial finds its own.

    Args:
        configs: Configuration of each trial.
        datasets: Data set of each trial.
        workers: Number of threads that compile at a time, 1 or more.

    Returns:
        The memory of each trial in the order of the trials.

    Raises:
        UserError: The programs of a trial do not fit the memory.
    """
    calls: dict[ProgramSpec, Callable[[], Sizes]] = {}
    specs: list[list[ProgramSpec]] = []
    for config, data in zip(configs, datasets, strict=True):
        specs.append([])
        for stage in stages_of(config, data):
            specs[-1].append(spec := spec_of(config, [stage.shapes], stage.trained))
            calls.setdefault(spec, partial(_sizes, config, stage.shapes, stage.trained))
    found = side_by_side(calls, workers)
    return [Sizes(max(found[spec].epoch_bytes for spec in own), found[own[0]].kept_bytes) for own in specs]


def side_by_side(calls: Mapping[ProgramSpec, Callable[[], Result]], workers: int) -> dict[ProgramSpec, Result]:
    """Return what calls return, made by several threads at a time. A single call is made by this thread.

    Once a call has failed or a signal has come, no further call begins.

    Args:
        calls: Calls by their programs.
        workers: Number of threads, 1 or more.

    Returns:
        The results by the same programs.

    Raises:
        BaseException: The first error of a call in the order of the calls, or what a signal raised.
    """
    if workers == 1 or len(calls) < 2:
        return {spec: call() for spec, call in calls.items()}
    with ThreadPoolExecutor(min(workers, len(calls))) as pool:
        futures = {spec: pool.submit(call) for spec, call in calls.items()}
        try:
            running, failed = set(futures.values()), False
            while running and not failed:
                done, running = wait(running, SECONDS_BETWEEN_SIGNALS, FIRST_EXCEPTION)
                failed = any(future.exception() is not None for future in done)
        finally:
            pool.shutdown(cancel_futures=True)
    for future in futures.values():
        if not future.cancelled() and (error := future.exception()) is not None:
            raise error
    return {spec: future.result() for spec, future in futures.items()}


def _sizes(config: Config, shapes: Dataset, trained: Trained) -> Sizes:
    """Compile the programs of a phase and return their memory, without a reference to them."""
    program = compile_program(config, shapes, trained)
    return Sizes(program.epoch_bytes, program.kept_bytes)
