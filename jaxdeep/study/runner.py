"""Training of all trials of a study: configurations x seeds x folds, with programs that are compiled once.

On a CPU the trials take turns on one thread for each core, and all call the same compiled programs. A trial therefore
computes the same bits as alone. A trial that has stopped costs nothing. The cores are busy, while a single run of a
small network leaves them half idle. On an accelerator the trials are trained side by side by `jaxdeep.study.batched`.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final

import jax

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_callable, optional_whole, plain_verbose, several
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.data.subsets import pooled, selected
from jaxdeep.errors import UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.compiling import SECONDS_BETWEEN_SIGNALS, Sizes, compile_all
from jaxdeep.study.divided import PreparedTrial, train_divided, train_in_turn
from jaxdeep.study.progress import bar_of
from jaxdeep.study.sources import SourceOfTrial, sources_of
from jaxdeep.study.trial import Trial
from jaxdeep.terminal import is_watched
from jaxdeep.train.checks import check_fits
from jaxdeep.train.cores import cores
from jaxdeep.train.divergence import warn_of_study
from jaxdeep.train.fit import Run, train
from jaxdeep.train.folders import checked_folders
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.job import current
from jaxdeep.train.memory import refuse_more_than, total_memory
from jaxdeep.train.source import prepared, resolved


class Stopped(Exception):
    """An exception that ends the running trials after another trial or a signal has ended the study."""


OnEpoch = Callable[[int, Sequence[EpochRecord]], None]
"""Function of a trial's index and its history."""
OnEnd = Callable[[int, Run], None]
"""Function of a trial's index and its run."""
Checkpoints = Callable[[Trial], Path | None]
"""Function of a trial that returns the folder for its checkpoints, or None."""

ALLOWED_CALLS: Final = {
    "checkpoints": 'a function of a Trial, such as lambda trial: Path("kept") / trial.name',
    "on_epoch": "a function of a trial's index and its history",
    "on_end": "a function of a trial's index and its run",
    "on_rung": "a function of a Rung and the number of its candidates",
}
"""Descriptions of the functions that a study calls, by the name of their argument."""


def fit_all(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    *,
    checkpoints: Checkpoints = lambda _: None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    until: int | None = None,
    workers: int | None = None,
    source: SourceOfTrial = None,
    verbose: bool | None = None,
) -> list[Run]:
    """Train all trials of a study.

    Trials whose configurations differ in traced numbers only share their programs. These are compiled once, and the
    programs of other trials beside them.

    Args:
        trials: Configurations with seeds and folds.
        data: Data set of all trials, or the folds that the trials name.
        checkpoints: Function of a trial that returns a folder of its own, or None to keep no checkpoints. It is called
            once for each trial before the first one begins. The same call continues an interrupted study. Finished
            trials are not run again.
        on_epoch: Function of a trial's index and its history. It is called after each epoch of a trial, by one thread
            at a time. An exception in it ends the study, after a checkpoint of every running trial.
        on_end: Function of a trial's index and its run. It is called when the trial has ended, by one thread at a time.
        until: Epoch after which all trials stop. None trains them to their ends.
        workers: Number of threads on a CPU. None takes one for each core that the process may use, if the memory
            suffices.
        source: Trained run, saved network or run folder whose layers are reused, or a function of a trial that returns
            one. None takes what `transfer.source` names.
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: A configuration does not fit its data, a fold is missing, an argument has another type, or two trials
            share a folder for checkpoints.

    Warns:
        JaxdeepWarning: Some of the runs diverged.
    """
    trials = several("trials", trials, Trial, "Trial")
    check_arguments(data, checkpoints=checkpoints, on_epoch=on_epoch, on_end=on_end)
    with watched(trials, data, verbose, on_epoch, on_end) as (follow, end):
        runs = train_all(
            trials,
            data,
            checkpoints=checkpoints,
            on_epoch=follow,
            on_end=end,
            until=until,
            workers=workers,
            source=source,
        )
    warn_of_study(*first_diverged(trials, runs))
    return runs


def train_all(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    *,
    checkpoints: Checkpoints = lambda _: None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    until: int | None = None,
    workers: int | None = None,
    source: SourceOfTrial = None,
) -> list[Run]:
    """Train all trials of a study like `fit_all`, without a bar and without a warning.

    Args:
        trials: Configurations with seeds and folds.
        data: Data set of all trials, or the folds that the trials name.
        checkpoints: Function of a trial that returns a folder of its own, or None.
        on_epoch: Function of a trial's index and its history.
        on_end: Function of a trial's index and its run.
        until: Epoch after which all trials stop, or None.
        workers: Number of threads on a CPU, or None.
        source: Network that trials start from, a function of a trial that returns it, or None.

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: Something that `fit_all` refuses.
    """
    until, workers = optional_whole("until", until, 1), optional_whole("workers", workers, 1)
    sources = sources_of(trials, source)
    configs = [resolved(trial.config, network) for trial, network in zip(trials, sources, strict=True)]
    datasets = list(map(prepared, configs, _datasets(trials, data), sources))
    folders = checked_folders([checkpoints(trial) for trial in trials], [trial.name for trial in trials])
    prepared_trials = list(map(PreparedTrial, trials, configs, datasets, sources, folders))
    job = current()
    if job.data_parallel:
        return train_in_turn(job, prepared_trials, on_epoch=on_epoch, on_end=on_end, until=until)
    if job.processes > 1:
        return train_divided(job, prepared_trials, train_here, on_epoch=on_epoch, on_end=on_end, until=until)
    return train_here(prepared_trials, on_epoch=on_epoch, on_end=on_end, until=until, workers=workers)


def train_here(
    trials: Sequence[PreparedTrial],
    *,
    on_epoch: OnEpoch,
    on_end: OnEnd,
    until: int | None,
    workers: int | None = None,
) -> list[Run]:
    """Train trials on the devices of this process.

    Args:
        trials: Trials with their data, sources and folders.
        on_epoch: Function of a trial's index and its history.
        on_end: Function of a trial's index and its run.
        until: Epoch after which all trials stop, or None.
        workers: Number of threads on a CPU. None takes one for each core that the process may use.

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: A trial does not fit its data set or the memory, or its folder cannot be used.
    """
    if not trials:
        return []
    plain, configs, datasets, sources, folders = (list(column) for column in zip(*trials, strict=True))
    if jax.default_backend() != "cpu":
        return fit_batched(plain, datasets, folders, sources=sources, on_epoch=on_epoch, on_end=on_end, until=until)
    for config, dataset in zip(configs, datasets, strict=True):
        check_fits(config, dataset)
    sizes = compile_all(configs, datasets, min(workers or cores(), cores()))
    refuse_more_than(total_memory(), sum(own.kept_bytes for own in sizes))
    stop, lock = Event(), Lock()

    def run(index: int) -> Run:
        def follow(history: Sequence[EpochRecord]) -> None:
            if stop.is_set():
                raise Stopped
            with lock:
                on_epoch(index, history)

        if stop.is_set():
            raise Stopped
        ended = train(
            configs[index],
            datasets[index],
            plain[index].seed,
            source=sources[index],
            checkpoints=folders[index],
            on_epoch=follow,
            until=until,
        )
        with lock:
            on_end(index, ended)
        return ended

    with ThreadPoolExecutor(workers or _workers(sizes)) as pool:
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


@contextmanager
def watched(
    trials: Sequence[Trial],
    data: Dataset | Sequence[Dataset],
    verbose: bool | None,
    on_epoch: OnEpoch,
    on_end: OnEnd,
    epochs: int | None = None,
) -> Iterator[tuple[OnEpoch, OnEnd]]:
    """Show a progress bar of trials, and give the calls that follow them and call a user's own.

    Args:
        trials: Trials that are trained.
        data: Data set of all trials, or the folds.
        verbose: Whether the bar is shown. None: in a terminal or a notebook.
        on_epoch: The user's own call after an epoch.
        on_end: The user's own call after a trial.
        epochs: Number of epochs of all trials together in a search, or None.
    """
    is_shown = is_watched(plain_verbose(verbose))
    with bar_of(trials, rows_of_trials(trials, data), epochs=epochs, is_shown=is_shown) as bar:

        def follow(index: int, history: Sequence[EpochRecord]) -> None:
            bar.follow(index, history)
            on_epoch(index, history)

        def end(index: int, run: Run) -> None:
            bar.end(index)
            on_end(index, run)

        yield follow, end


def rows_of_trials(trials: Sequence[Trial], data: Dataset | Sequence[Dataset]) -> list[int]:
    """Return the number of training rows of each trial.

    Args:
        trials: Trials of a study.
        data: Data set of all trials, or the folds. Folds differ by one row at most.
    """
    if not isinstance(data, Dataset):
        return [max((fold.train.size for fold in data), default=0)] * len(trials)
    data = pooled(data, [trial.config.data for trial in trials])
    rows = {part: selected(data, part).train.size for part in dict.fromkeys(trial.config.data for trial in trials)}
    return [rows[trial.config.data] for trial in trials]


def first_diverged(trials: Sequence[Trial], runs: Sequence[Run]) -> tuple[int, int, str, int]:
    """Return what `warn_of_study` is told: how many of how many runs diverged, and the first one's name and epochs.

    Args:
        trials: Trials of a study.
        runs: The trials' runs.
    """
    lost = [(trial.name, len(run.history)) for trial, run in zip(trials, runs, strict=True) if run.diverged]
    name, epochs = lost[0] if lost else ("", 0)
    return len(lost), len(runs), name, epochs


def check_arguments(data: Any, **calls: Any) -> None:
    """Refuse data and functions of the wrong type.

    Args:
        data: A Dataset, or the folds.
        **calls: Functions by the name of their argument.

    Raises:
        UserError: An argument has the wrong type. The message names it.
    """
    if not isinstance(data, Dataset):
        several("data", data, Dataset, "Dataset")
    for name, value in calls.items():
        check_callable(name, value, ALLOWED_CALLS[name])


def _workers(sizes: Sequence[Sizes]) -> int:
    """Return the number of trials to train at a time: one for each core, if the memory holds them."""
    memory, largest = total_memory(), max((size.epoch_bytes for size in sizes), default=0)
    return cores() if memory is None or not largest else max(min(cores(), memory // largest), 1)


def _datasets(trials: Sequence[Trial], data: Dataset | Sequence[Dataset]) -> list[Dataset]:
    """Return the data set of each trial: its fold, its seed's own, or the given data set."""
    datasets = [_of_fold(data, trial) for trial in trials]
    if not isinstance(data, Dataset):
        return datasets
    data = pooled(data, [trial.config.data for trial in trials])
    seeds: dict[Data, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.config.data, []).append(trial.seed)
    by_data = {part: datasets_of_seeds(data, part, of_part) for part, of_part in seeds.items()}
    return [by_data[trial.config.data][trial.seed] for trial in trials]


def _of_fold(data: Dataset | Sequence[Dataset], trial: Trial) -> Dataset:
    """Return the data set of a trial."""
    if isinstance(data, Dataset):
        if trial.fold is not None:
            raise UserError(f"{trial.name} names a fold, and the data are one data set. Give the folds.")
        return data
    if trial.config.data.resample:
        raise UserError(
            f"{trial.name} has data.resample, and the data are folds. Give one data set, or set it to False."
        )
    if trial.fold is None or not 0 <= trial.fold < len(data):
        named = "no fold" if trial.fold is None else f"fold {trial.fold}"
        raise UserError(f"{trial.name} names {named}, and the data are {len(data)} folds. Set Trial.fold from 0.")
    return data[trial.fold]
