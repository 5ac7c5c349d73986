"""Many runs of one study: configurations x seeds x folds, their programs compiled once.

On a CPU the trials take turns on as many threads as there are cores, and all call the same compiled programs. So a
trial computes the bits that it would compute alone, one that has stopped costs nothing, and the cores, which one run
of a small network leaves half idle, are busy. On an accelerator they are trained side by side: `jaxdeep.study.batched`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final

import jax

from jaxdeep.config.arguments import check_callable, optional_whole, several
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.folders import checked_folders
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.memory import refuse_more_than, total_memory
from jaxdeep.train.programs import Program, compile_program


class Stopped(Exception):
    """Raised in the trials that go on when another one, or a signal, ends the study."""


SECONDS_BETWEEN_SIGNALS = 0.2
"""The main thread looks up so often: it alone handles signals, and a system may give them to a thread that works."""

OnEpoch = Callable[[int, Sequence[EpochRecord]], None]
OnEnd = Callable[[int, Run], None]
Checkpoints = Callable[[Trial], Path | None]

ALLOWED_CALLS: Final = {
    "checkpoints": 'a function of a Trial, such as lambda trial: Path("kept") / trial.name',
    "on_epoch": "a function of a trial's index and its history",
    "on_end": "a function of a trial's index and its run",
    "on_rung": "a function of a Rung and the number of its points",
}
"""What the functions that a study calls take, in words."""


def cores() -> int:
    """That the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit_all(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    *,
    checkpoints: Checkpoints = lambda _: None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    until: int | None = None,
    workers: int | None = None,
) -> list[Run]:
    """Train all trials of a study.

    Trials whose configurations differ in traced numbers only share their programs: they are compiled once.

    Args:
        trials: what is run.
        data: on what; or the folds, of which each trial names its own.
        checkpoints: a folder of its own for each trial, or None, asked for once before the first trial begins. The
            same call continues an interrupted study; trials that are finished are not run again.
        on_epoch: called with a trial's index and its history after each of its epochs, by one thread at a time. What
            it raises ends the study, after a checkpoint of every trial that is running.
        on_end: called with a trial's index and its run when it is over, likewise.
        until: as of `fit`.
        workers: threads on a CPU; None: one for each core that the process may use, as far as the memory holds them.

    Returns:
        The trials' runs, in their order.

    Raises:
        UserError: as `fit`; a trial names no fold where folds are given, or one that is not given. An argument has
            another type, or two trials have one folder for checkpoints.
    """
    trials = several("trials", trials, Trial, "Trial")
    check_arguments(data, checkpoints=checkpoints, on_epoch=on_epoch, on_end=on_end)
    until, workers = optional_whole("until", until, 1), optional_whole("workers", workers, 1)
    of_trials = [_of_fold(data, trial) for trial in trials]
    folders = checked_folders([checkpoints(trial) for trial in trials], [trial.name for trial in trials])
    if jax.default_backend() != "cpu":
        return fit_batched(trials, of_trials, folders, on_epoch=on_epoch, on_end=on_end, until=until)
    programs = [compile_program(trial.config, of) for trial, of in zip(trials, of_trials, strict=True)]
    refuse_more_than(total_memory(), sum(program.kept_bytes for program in programs))
    stop, lock = Event(), Lock()

    def run(index: int) -> Run:
        def follow(history: Sequence[EpochRecord]) -> None:
            if stop.is_set():
                raise Stopped
            with lock:
                on_epoch(index, history)

        if stop.is_set():
            raise Stopped
        trial = trials[index]
        found = fit(
            trial.config,
            of_trials[index],
            trial.seed,
            checkpoints=folders[index],
            on_epoch=follow,
            until=until,
        )
        with lock:
            on_end(index, found)
        return found

    with ThreadPoolExecutor(workers or _workers(programs)) as pool:
        futures = [pool.submit(run, index) for index in range(len(trials))]
        try:
            running, failed = set(futures), False
            while running and not failed:
                done, running = wait(running, SECONDS_BETWEEN_SIGNALS, FIRST_EXCEPTION)
                failed = any(future.exception() is not None for future in done)
        finally:
            stop.set()
    failures = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(failures, key=lambda error: isinstance(error, Stopped)):
        raise error
    return [future.result() for future in futures]


def check_arguments(data: Any, **calls: Any) -> None:
    """Refuse data and functions of another type than a study takes.

    Args:
        data: a Dataset, or the folds.
        calls: functions by the name of their argument.

    Raises:
        UserError: names the argument.
    """
    if not isinstance(data, Dataset):
        several("data", data, Dataset, "Dataset")
    for name, value in calls.items():
        check_callable(name, value, ALLOWED_CALLS[name])


def _workers(programs: Sequence[Program]) -> int:
    """How many trials train at a time: one for each core, but no more than the memory holds."""
    memory, largest = total_memory(), max((program.epoch_bytes for program in programs), default=0)
    return cores() if memory is None or not largest else max(min(cores(), memory // largest), 1)


def _of_fold(data: Dataset | Sequence[Dataset], trial: Trial) -> Dataset:
    """The data set that a trial is run on."""
    if isinstance(data, Dataset):
        if trial.fold is not None:
            raise UserError(f"{trial.name} names a fold, and the data are one data set. Give the folds.")
        return data
    if trial.fold is None or not 0 <= trial.fold < len(data):
        named = "no fold" if trial.fold is None else f"fold {trial.fold}"
        raise UserError(f"{trial.name} names {named}, and the data are {len(data)} folds. Set Trial.fold from 0.")
    return data[trial.fold]
