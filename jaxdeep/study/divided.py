"""Trials that several processes train: each its share, or all of them each trial together."""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import train
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.job import Job
from jaxdeep.train.parallel import layout_of
from jaxdeep.train.run import Run
from jaxdeep.train.saved import run_of_bytes, saved_bytes
from jaxdeep.train.source import Source

LENGTH: Final = struct.Struct("<q")
"""Form of the number of bytes before each run that is sent."""


class PreparedTrial(NamedTuple):
    """A trial with everything that its training needs.

    Attributes:
        trial: Configuration with its seed, as the study names it.
        config: Configuration that is trained, with the number of reused layers.
        data: Data set of the trial, on the scale of its source.
        source: Network that it starts from, or None.
        folder: Folder for its checkpoints, or None.
    """

    trial: Trial
    config: Config
    data: Dataset
    source: Source | None
    folder: Path | None


def train_divided(
    job: Job,
    trials: Sequence[PreparedTrial],
    train_here: Callable[..., list[Run]],
    *,
    on_epoch: Callable[[int, Sequence[EpochRecord]], None],
    on_end: Callable[[int, Run], None],
    until: int | None,
) -> list[Run]:
    """Train this process's share of the trials, and gather the runs of all processes.

    Args:
        job: Job of all processes.
        trials: All trials of the study.
        train_here: Function that trains trials in this process, with the arguments of `runner.train_here`.
        on_epoch: Function of a trial's index and its history. It hears of other processes' trials when they have ended.
        on_end: Function of a trial's index and its run.
        until: Epoch after which all trials stop, or None.

    Returns:
        The run of each trial in the order of the trials, in every process.

    Raises:
        UserError: A trial cannot be trained, or another process has stopped or was lost.
    """
    shares = job.shares([trial.config.static() for trial in trials])
    mine = shares[job.process]

    def follow(position: int, history: Sequence[EpochRecord]) -> None:
        on_epoch(mine[position], history)
        job.check()

    own = train_here(
        [trials[index] for index in mine],
        on_epoch=follow,
        on_end=lambda position, run: on_end(mine[position], run),
        until=until,
    )
    runs: dict[int, Run] = dict(zip(mine, own, strict=True))
    for number, content in enumerate(job.gather(b"".join(map(_framed, own)))):
        if number == job.process:
            continue
        for index, of_run in zip(shares[number], _frames(content), strict=True):
            runs[index] = run = run_of_bytes(of_run, trials[index].config, trials[index].data)
            on_epoch(index, run.history)
            on_end(index, run)
    return [runs[index] for index in range(len(trials))]


def train_in_turn(
    job: Job,
    trials: Sequence[PreparedTrial],
    *,
    on_epoch: Callable[[int, Sequence[EpochRecord]], None],
    on_end: Callable[[int, Run], None],
    until: int | None,
) -> list[Run]:
    """Train trials one after the other, each on all devices of all processes.

    Args:
        job: Job of all processes.
        trials: All trials of the study.
        on_epoch: Function of a trial's index and its history.
        on_end: Function of a trial's index and its run.
        until: Epoch after which all trials stop, or None.

    Returns:
        The run of each trial in the order of the trials, in every process.

    Raises:
        UserError: A trial cannot be trained, or another process has stopped or was lost.
    """
    runs = []
    for index, (trial, config, data, source, folder) in enumerate(trials):

        def follow(history: Sequence[EpochRecord], index: int = index) -> None:
            error = None
            try:
                on_epoch(index, history)
            except BaseException as stop:  # so that all processes stop behind the same epoch
                error = stop
            job.check_together(error)

        run = train(
            config,
            data,
            trial.seed,
            source=source,
            checkpoints=folder,
            on_epoch=follow,
            until=until,
            layout=layout_of(data, jax.devices()),
        )
        on_end(index, run)
        runs.append(run)
    return runs


def _framed(run: Run) -> bytes:
    """Return a run as bytes behind their number."""
    content = saved_bytes(run)
    return LENGTH.pack(len(content)) + content


def _frames(content: Any) -> Iterator[bytes]:
    """Yield the bytes of each run."""
    at = 0
    while at < len(content):
        (length,) = LENGTH.unpack_from(content, at)
        at += LENGTH.size
        yield content[at : at + length]
        at += length
