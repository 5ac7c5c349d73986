"""Many runs of one study: configurations x seeds, their programs compiled once.

On a CPU the members take turns on as many threads as there are cores, and all call the same compiled programs. So a
member computes the bits that it would compute alone, one that has stopped costs nothing, and the cores, which one run
of a small network leaves half idle, are busy.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from jaxdeep.config import Config, short
from jaxdeep.data.dataset import Dataset
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.program import compile_program


@dataclass(frozen=True)
class Member:
    """One run of a study.

    Attributes:
        config: what is run.
        seed: with which seed.
        values: what of the configuration the study varies: field, such as optim.learning_rate, -> value.
    """

    config: Config
    seed: int
    values: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def group(self) -> str:
        """What it shares with the members of other seeds: `optim.learning_rate=0.001`; "" where nothing is varied."""
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def name(self) -> str:
        """What tells it from all others: `optim.learning_rate=0.001,seed_42`."""
        return f"{self.group},seed_{self.seed}".lstrip(",")


class Stopped(Exception):
    """Raised in the members that go on when another one, or a signal, ends the study."""


OnEpoch = Callable[[int, Sequence[EpochRecord]], None]


def cores() -> int:
    """That the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit_all(
    members: Sequence[Member],
    data: Dataset,
    *,
    checkpoints: Callable[[Member], Path | None] = lambda _: None,
    on_epoch: OnEpoch = lambda index, history: None,
    on_end: Callable[[int, Run], None] = lambda index, run: None,
    workers: int | None = None,
) -> list[Run]:
    """Train all members of a study.

    Members whose configurations differ in traced numbers only share their programs: they are compiled once.

    Args:
        members: what is run.
        data: on what.
        checkpoints: a folder of its own for each member, or None. The same call continues an interrupted study; members
            that are finished are not run again.
        on_epoch: called with a member's index and its history after each of its epochs, by one thread at a time. What
            it raises ends the study, after a checkpoint of every member that is running.
        on_end: called with a member's index and its run when it is over, likewise.
        workers: threads; None: one for each core that the process may use.

    Returns:
        The members' runs, in their order.

    Raises:
        UserError: as `fit`.
    """
    for config in {member.config.static(): member.config for member in members}.values():
        compile_program(config, data)
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
        found = fit(member.config, data, member.seed, checkpoints=checkpoints(member), on_epoch=follow)
        with lock:
            on_end(index, found)
        return found

    with ThreadPoolExecutor(workers or cores()) as pool:
        futures = [pool.submit(run, index) for index in range(len(members))]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
    failures = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(failures, key=lambda error: isinstance(error, Stopped)):
        raise error
    return [future.result() for future in futures]
