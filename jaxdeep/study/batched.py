"""Trials of a study trained together, by `vmap`: the way of an accelerator.

There a small network's kernels wait for each other more than they compute, so that trials beside each other are nearly
free. As many are trained at once as fit, and when enough of them are over, the rest are moved together: to half the
number, a quarter, ... only, so that S trials need at most 1 + log2(S) programs. Over several devices each has its
share of the trials, and they do not communicate. A trial differs from the same run alone by rounding.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.train.fit import Run, finished, identity_of
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.keeper import SECONDS_BETWEEN_CHECKPOINTS, RunKeeper
from jaxdeep.train.memory import free_memory, program_bytes, refuse_more_than, tree_bytes
from jaxdeep.train.program import check_fits
from jaxdeep.train.state import TrainState, is_over
from jaxdeep.train.trials_program import (
    Compiled,
    Study,
    Task,
    compiled,
    shapes_of,
    sharding,
    sizes_of,
    state_of,
    study_of,
)

SHARE_OF_TIME: Final = 0.05
"""That checkpoints may take."""
WRITERS: Final = 4


def fit_together(
    tasks: Sequence[Task],
    *,
    on_epoch: Callable[[int, Sequence[EpochRecord]], None] = lambda index, history: None,
    on_end: Callable[[int, Run], None] = lambda index, run: None,
    until: int | None = None,
    memory: int | None = None,
) -> list[Run]:
    """Train trials side by side, those of one program at a time, as many as fit.

    Args:
        tasks: the trials.
        on_epoch: as of `fit_all`.
        on_end: as of `fit_all`.
        until: as of `fit`.
        memory: bytes of a device that may be used; None: what is free of it.

    Returns:
        The trials' runs, in their order.

    Raises:
        UserError: as `fit`, or a single trial is larger than the memory.
    """
    groups: dict[Any, list[int]] = {}
    for index, task in enumerate(tasks):
        check_fits(task.config, task.data)
        leaves, structure = jax.tree.flatten(task.data)
        key = (task.config.static(), structure, shapes_of(leaves))
        groups.setdefault(key, []).append(index)
    runs: dict[int, Run] = {}
    for indices in groups.values():
        programs = _Programs(study_of([tasks[index] for index in indices]))
        sizes = _sizes_that_fit(programs, len(indices), memory)
        for first in range(0, len(indices), sizes[0]):
            chunk = {index: tasks[index] for index in indices[first : first + sizes[0]]}
            with _Chunk(chunk, programs, sizes, on_epoch) as trials:
                for index, run in trials.train(until).items():
                    runs[index] = run
                    on_end(index, run)
    return [runs[index] for index in range(len(tasks))]


class _Programs:
    """A study's programs, compiled when they are first asked for."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._found: dict[tuple[str, int], Compiled] = {}

    def of(self, name: str, size: int) -> Any:
        """The program of this name for so many trials."""
        self._found[name, size] = found = compiled(name, self.study, size)
        return found.call

    @property
    def shared_bytes(self) -> int:
        """Of the leaves of the data set that all trials share."""
        study = self.study
        return tree_bytes([shape for own, shape in zip(study.is_own, study.shapes, strict=True) if not own])

    def argument_bytes(self, size: int) -> int:
        """Of the states, the traced numbers and the own leaves of this many trials, and of what they share."""
        study = self.study
        own = [shape for own, shape in zip(study.is_own, study.shapes, strict=True) if own]
        return size * tree_bytes((state_of(study), own)) + self.shared_bytes

    @property
    def compile_seconds(self) -> float:
        """Of those that were asked for."""
        return sum(found.compile_seconds for found in self._found.values())


def _sizes_that_fit(programs: _Programs, trials: int, memory: int | None) -> list[int]:
    """The numbers of trials to train at once: the largest one that fits the device, and its halves.

    Raises:
        UserError: not even one trial for each device fits.
    """
    devices = jax.local_device_count()
    if memory is None:
        # what all trials share stands on a single device already, and is an argument of the programs
        memory = free_memory(programs.shared_bytes if devices == 1 else 0)
    sizes = sizes_of(trials, devices)
    if memory is None:
        return sizes
    for position, size in enumerate(sizes[:-1]):
        if program_bytes(programs.of("epoch", size)) <= memory and planned_bytes(programs, size) <= memory:
            return sizes[position:]
    refuse_more_than(memory, planned_bytes(programs, sizes[-1]))
    return sizes[-1:]


def planned_bytes(programs: "_Programs", size: int) -> int:
    """Return the most bytes that a device holds while its share of this many trials is trained.

    That is the larger of two programs, an epoch's and the examination's, or the states with the half of them to which
    trials are moved together, or which go to the host when they are over.

    Args:
        programs: of the study.
        size: number of trials.
    """
    epoch, examine = programs.of("epoch", size), programs.of("examine", size)
    moved = programs.argument_bytes(size) * 3 // 2 // jax.local_device_count()
    return max(program_bytes(epoch), program_bytes(examine), moved)


class _Chunk:
    """Trials that are trained at once; a context that ends when their checkpoints are written.

    Each row of `states` is a trial's, or nobody's: one that is over, or that fills the size up.
    """

    def __init__(
        self,
        tasks: Mapping[int, Task],
        programs: _Programs,
        sizes: Sequence[int],
        on_epoch: Callable[[int, Sequence[EpochRecord]], None],
    ) -> None:
        self._tasks, self._programs, self._sizes, self._on_epoch = tasks, programs, sizes, on_epoch
        self._config = programs.study.config
        self._histories: dict[int, list[EpochRecord]] = {index: [] for index in tasks}
        self._waited = 0.0
        self._writers = ThreadPoolExecutor(WRITERS)
        self._writing: list[Future[None]] = []
        self._kept_at, self._interval = time.perf_counter(), SECONDS_BETWEEN_CHECKPOINTS
        self._fill()

    def __enter__(self) -> "_Chunk":
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()
        self._writers.shutdown()

    def train(self, until: int | None) -> dict[int, Run]:
        """Train all trials to their ends, or until an epoch."""
        last = self._config.train.epochs if until is None else until
        states = self._begun()
        ended: dict[int, TrainState] = {}
        while True:
            over = is_over(self._config, states)
            now = {
                index: row
                for row, index in enumerate(self._rows)
                if index is not None and (over[row] or len(self._histories[index]) >= last)
            }
            if now:
                found = _on_host(states, now)
                self._keep(found)
                ended |= {index: _without_training(state) for index, state in found.items()}
                self._rows = [None if index in ended else index for index in self._rows]
            if not any(index is not None for index in self._rows):
                break
            states = self._epoch(self._moved_together(states))
        del states  # or they would stand beside the weights that are examined
        return self._runs(ended)

    def _begun(self) -> TrainState:
        """The first states, or those that were kept."""
        seeds = [task.seed for task in self._of_rows()]
        keys = self._placed(jnp.stack([jax.random.key(seed) for seed in seeds]))
        states = self._program("start")(*self._arguments, keys)
        for row, (index, task) in enumerate(self._tasks.items()):
            if task.checkpoints is None or not Path(task.checkpoints).expanduser().exists():
                continue
            with RunKeeper(task.checkpoints, identity_of(*task[:3])) as keeper:
                state, history = keeper.resume(_taken(states, row))
            if history:
                states, self._histories[index] = _with_row(states, row, state), history
                self._on_epoch(index, history)
        return self._placed(states)

    def _moved_together(self, states: TrainState) -> TrainState:
        """The trials that go on, in the smallest of the sizes that holds them."""
        going = [row for row, index in enumerate(self._rows) if index is not None]
        size = min(size for size in self._sizes if size >= len(going))
        if size == len(self._rows):
            return states
        filled = np.asarray(going + going[:1] * (size - len(going)))
        self._seat([self._rows[row] for row in going], size)
        return self._placed(_taken(states, filled))

    def _epoch(self, states: TrainState) -> TrainState:
        program = self._program("epoch")
        began = time.perf_counter()
        states, metrics = program(states, *self._arguments)
        metrics = jax.device_get(metrics)
        going = {index: row for row, index in enumerate(self._rows) if index is not None}
        seconds = (time.perf_counter() - began) / len(going)
        for index, row in going.items():
            figures = {name: float(values[row]) for name, values in metrics._asdict().items()}
            history = self._histories[index]
            history.append(EpochRecord(epoch=len(history) + 1, **figures, seconds=seconds))
        for writing in self._writing:
            if writing.done():
                writing.result()  # or a full disk would be heard of at the next checkpoint
        try:
            for index in going:
                self._on_epoch(index, self._histories[index])
        except BaseException:
            self._keep_going(states, going)
            raise
        if time.perf_counter() - self._kept_at > self._interval:
            self._keep_going(states, going)
            self._kept_at = time.perf_counter()
        return states

    def _keep_going(self, states: TrainState, going: Mapping[int, int]) -> None:
        """Begin to write checkpoints of the trials that train, each in its row."""
        if any(self._tasks[index].checkpoints is not None for index in going):
            self._keep(_on_host(states, going))

    def _runs(self, ended: Mapping[int, TrainState]) -> dict[int, Run]:
        self._fill()
        best = [ended[index if index is not None else next(iter(ended))].best for index in self._rows]
        params, batch_stats = self._placed(_stacked([(of.params, of.batch_stats) for of in best]))
        examined = jax.device_get(self._program("examine")(params, batch_stats, *self._arguments))
        return {
            index: finished(
                *self._tasks[index][:3],
                self._histories[index],
                ended[index],
                jax.tree.map(itemgetter(row), examined),
                self._programs.compile_seconds,
                self._waited / len(self._tasks),
            )
            for row, index in enumerate(self._tasks)
        }

    def _program(self, name: str) -> Any:
        return self._programs.of(name, len(self._rows))

    def _fill(self) -> None:
        """A row for each trial."""
        self._seat(list(self._tasks), self._sizes[0])

    def _seat(self, indices: Sequence[int | None], size: int) -> None:
        """Say whose the rows are, and gather their traced numbers and the leaves of their data sets."""
        self._rows: list[int | None] = [*indices, *(None,) * (size - len(indices))]
        dtype, tasks = self._config.train.dtype, self._of_rows()
        hyper = jax.tree.map(lambda *values: jnp.asarray(values, dtype), *(task.config.hyper() for task in tasks))
        leaves = zip(*(jax.tree.leaves(task.data) for task in tasks), strict=True)
        self._arguments = (
            self._placed(hyper),
            [
                self._placed(_stacked(of_rows)) if is_own else self._placed(of_rows[0], shared=True)
                for is_own, of_rows in zip(self._programs.study.is_own, leaves, strict=True)
            ],
        )

    def _of_rows(self) -> list[Task]:
        """The rows' trials, the first one's where it is nobody's."""
        first = next(iter(self._tasks))
        return [self._tasks[first if index is None else index] for index in self._rows]

    def _placed(self, tree: Any, *, shared: bool = False) -> Any:
        """Where the programs expect it: trials divided among the devices, what they share on each."""
        return jax.device_put(tree, sharding(shared))

    def _keep(self, states: Mapping[int, TrainState]) -> None:
        """Begin to write checkpoints, when the ones before are written."""
        kept = {index: state for index, state in states.items() if self._tasks[index].checkpoints is not None}
        if not kept:
            return
        began = time.perf_counter()
        self._wait()
        for index, state in kept.items():
            history = list(self._histories[index])
            self._writing.append(self._writers.submit(_write, self._tasks[index], state, history))
        took = time.perf_counter() - began
        self._waited += took
        self._interval = max(SECONDS_BETWEEN_CHECKPOINTS, took / SHARE_OF_TIME)

    def _wait(self) -> None:
        for writing in self._writing:
            writing.result()
        self._writing.clear()


@jax.jit
def _taken(tree: Any, rows: int | np.ndarray) -> Any:
    """One row of [S, ...], or several."""
    return jax.tree.map(lambda leaf: leaf[rows], tree)


def _on_host(states: TrainState, rows: Mapping[int, int]) -> dict[int, TrainState]:
    """Some trials' states as NumPy arrays, by one transfer; their keys as the keys' data.

    Rows that are few are taken apart on the device first, in numbers that are powers of two, so that few programs are
    compiled for it. No more than half of the rows is copied there.

    Args:
        states: of all rows, [S, ...].
        rows: of the trials that are wanted, by index.
    """
    states = states._replace(key=jax.random.key_data(states.key))
    wanted, size = list(rows.values()), 1 << (len(rows) - 1).bit_length()
    if 2 * size <= len(states.epoch):
        states = _taken(states, np.asarray(wanted + wanted[:1] * (size - len(wanted))))
        wanted = list(range(len(rows)))
    host = jax.device_get(states)
    # copies: a view would keep all trials
    return {
        index: jax.tree.map(lambda leaf, row=row: np.array(leaf[row]), host)
        for index, row in zip(rows, wanted, strict=True)
    }


def _without_training(state: TrainState) -> TrainState:
    """What is left of a trial that is over: its best epoch, and whether it diverged."""
    return state._replace(params=None, batch_stats=None, opt_state=None)


@partial(jax.jit, donate_argnums=0)
def _with_row(tree: Any, row: int, values: Any) -> Any:
    return jax.tree.map(lambda leaf, value: leaf.at[row].set(value), tree, values)


def _stacked(trees: Sequence[Any]) -> Any:
    """On the host: a program that stacks so many arrays takes long to compile."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(list(trees)))


def _write(task: Task, state: TrainState, history: Sequence[EpochRecord]) -> None:
    with RunKeeper(task.checkpoints, identity_of(*task[:3])) as keeper:
        keeper.keep(state, history, at_once=True)
