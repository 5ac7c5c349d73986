"""Many runs of one study: configurations x seeds x folds, their programs compiled once.

On a CPU the members take turns on as many threads as there are cores, and all call the same compiled programs. So a
member computes the bits that it would compute alone, one that has stopped costs nothing, and the cores, which one run
of a small network leaves half idle, are busy. On an accelerator they are trained together: `jaxdeep.train.together`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final

import jax

from jaxdeep.config import Config, short
from jaxdeep.config.arguments import check_callable, optional_whole, several
from jaxdeep.config.choices import check
from jaxdeep.config.config import checked_values, plain
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import scalar
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.folders import checked_folders
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.members_program import Task
from jaxdeep.train.memory import refuse_more_than, total_memory
from jaxdeep.train.program import Program, compile_program
from jaxdeep.train.together import fit_together


@dataclass(frozen=True)
class Member:
    """One run of a study.

    Attributes:
        config: what is run.
        seed: with which seed, in 0 .. 2^32 - 1.
        values: what of the configuration the study varies: field, such as optim.learning_rate, -> its value there.
        fold: which of the study's folds it is run on, from 0; None: there are no folds.

    Raises:
        UserError: no configuration, a seed or a fold out of its range, or values that the configuration does not have.
    """

    config: Config
    seed: int
    values: dict[str, Any] = field(default_factory=dict, hash=False)
    fold: int | None = None

    def __post_init__(self) -> None:
        check("config", self.config, isinstance(self.config, Config), "a Config")
        object.__setattr__(self, "seed", plain_seed(self.seed))
        object.__setattr__(self, "values", checked_values(self.config, self.values))
        fold = scalar(self.fold)
        is_index = isinstance(fold, int) and not isinstance(fold, bool) and fold >= 0
        check("fold", self.fold, fold is None or is_index, "0 or more, or None")
        object.__setattr__(self, "fold", fold)

    @property
    def group(self) -> str:
        """What it shares with members of other seeds and folds: `optim.learning_rate=0.001`; "" if nothing varies."""
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def labels(self) -> dict[str, Any]:
        """What tells its figures from the others', as JSON values: seed, fold, and what the study varies."""
        fold = {} if self.fold is None else {"fold": self.fold}
        return {"seed": self.seed, **fold, **{name: plain(value) for name, value in self.values.items()}}

    @property
    def name(self) -> str:
        """What tells it from all others: `optim.learning_rate=0.001,seed_42`, and `,fold_0` where there are folds."""
        fold = "" if self.fold is None else f",fold_{self.fold}"
        return f"{self.group},seed_{self.seed}{fold}".lstrip(",")


class Stopped(Exception):
    """Raised in the members that go on when another one, or a signal, ends the study."""


SECONDS_BETWEEN_SIGNALS = 0.2
"""The main thread looks up so often: it alone handles signals, and a system may give them to a thread that works."""

OnEpoch = Callable[[int, Sequence[EpochRecord]], None]
OnEnd = Callable[[int, Run], None]
Checkpoints = Callable[[Member], Path | None]

ALLOWED_CALLS: Final = {
    "checkpoints": 'a function of a Member, such as lambda member: Path("kept") / member.name',
    "on_epoch": "a function of a member's index and its history",
    "on_end": "a function of a member's index and its run",
    "on_rung": "a function of a Rung and the number of its points",
}
"""What the functions that a study calls take, in words."""


def cores() -> int:
    """That the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit_all(
    members: Sequence[Member],
    data: Dataset | Sequence[Dataset],
    *,
    checkpoints: Checkpoints = lambda _: None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: OnEnd = lambda index, run: None,
    until: int | None = None,
    workers: int | None = None,
) -> list[Run]:
    """Train all members of a study.

    Members whose configurations differ in traced numbers only share their programs: they are compiled once.

    Args:
        members: what is run.
        data: on what; or the folds, of which each member names its own.
        checkpoints: a folder of its own for each member, or None, asked for once before the first member begins. The
            same call continues an interrupted study; members that are finished are not run again.
        on_epoch: called with a member's index and its history after each of its epochs, by one thread at a time. What
            it raises ends the study, after a checkpoint of every member that is running.
        on_end: called with a member's index and its run when it is over, likewise.
        until: as of `fit`.
        workers: threads on a CPU; None: one for each core that the process may use, as far as the memory holds them.

    Returns:
        The members' runs, in their order.

    Raises:
        UserError: as `fit`; a member names no fold where folds are given, or one that is not given. An argument has
            another type, or two members have one folder for checkpoints.
    """
    members = several("members", members, Member, "Member")
    check_study(data, checkpoints=checkpoints, on_epoch=on_epoch, on_end=on_end)
    until, workers = optional_whole("until", until, 1), optional_whole("workers", workers, 1)
    of_members = [_of_fold(data, member) for member in members]
    folders = checked_folders([checkpoints(member) for member in members], [member.name for member in members])
    if jax.default_backend() != "cpu":
        return fit_together(
            [
                Task(member.config, of, member.seed, folder)
                for member, of, folder in zip(members, of_members, folders, strict=True)
            ],
            on_epoch=on_epoch,
            on_end=on_end,
            until=until,
        )
    programs = [compile_program(member.config, of) for member, of in zip(members, of_members, strict=True)]
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
        member = members[index]
        found = fit(
            member.config,
            of_members[index],
            member.seed,
            checkpoints=folders[index],
            on_epoch=follow,
            until=until,
        )
        with lock:
            on_end(index, found)
        return found

    with ThreadPoolExecutor(workers or _workers(programs)) as pool:
        futures = [pool.submit(run, index) for index in range(len(members))]
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


def check_study(data: Any, **calls: Any) -> None:
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
    """How many members train at a time: one for each core, but no more than the memory holds."""
    memory, largest = total_memory(), max((program.epoch_bytes for program in programs), default=0)
    return cores() if memory is None or not largest else max(min(cores(), memory // largest), 1)


def _of_fold(data: Dataset | Sequence[Dataset], member: Member) -> Dataset:
    """The data set that a member is run on."""
    if isinstance(data, Dataset):
        if member.fold is not None:
            raise UserError(f"{member.name} names a fold, and the data are one data set. Give the folds.")
        return data
    if member.fold is None or not 0 <= member.fold < len(data):
        named = "no fold" if member.fold is None else f"fold {member.fold}"
        raise UserError(f"{member.name} names {named}, and the data are {len(data)} folds. Set Member.fold from 0.")
    return data[member.fold]
