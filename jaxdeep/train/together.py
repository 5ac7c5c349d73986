"""Members of a study trained together, by `vmap`: the way of an accelerator.

There a small network's kernels wait for each other more than they compute, so that members beside each other are nearly
free. As many are trained at once as fit, and when enough of them are over, the rest are moved together: to half the
number, a quarter, ... only, so that S members need at most 1 + log2(S) programs. Over several devices each has its
share of the members, and they do not communicate. A member differs from the same run alone by rounding.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.train.fit import Run, check_dtype, finished, identity_of
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.keeper import SECONDS_BETWEEN_CHECKPOINTS, RunKeeper
from jaxdeep.train.members_program import Compiled, Study, Task, compiled, shapes_of, sharding, sizes_of, study_of
from jaxdeep.train.program import check_fits
from jaxdeep.train.state import TrainState, is_over

SHARE_OF_MEMORY: Final = 0.9
"""Of what the device has, for a program and its arguments."""
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
    """Train members side by side, those of one program at a time, as many as fit.

    Args:
        tasks: the members.
        on_epoch: as of `fit_all`.
        on_end: as of `fit_all`.
        until: as of `fit`.
        memory: bytes of a device that may be used; None: what it has.

    Returns:
        The members' runs, in their order.

    Raises:
        UserError: as `fit`.
    """
    groups: dict[Any, list[int]] = {}
    for index, task in enumerate(tasks):
        check_dtype(task.config)
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
            with _Chunk(chunk, programs, sizes, on_epoch) as members:
                for index, run in members.train(until).items():
                    runs[index] = run
                    on_end(index, run)
    return [runs[index] for index in range(len(tasks))]


class _Programs:
    """A study's programs, compiled when they are first asked for."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._found: dict[tuple[str, int], Compiled] = {}

    def of(self, name: str, size: int) -> Any:
        """The program of this name for so many members."""
        self._found[name, size] = found = compiled(name, self.study, size)
        return found.call

    @property
    def compile_seconds(self) -> float:
        """Of those that were asked for."""
        return sum(found.compile_seconds for found in self._found.values())


def _sizes_that_fit(programs: _Programs, members: int, memory: int | None) -> list[int]:
    """The numbers of members to train at once: the largest one whose program fits the device, by XLA's own figures."""
    if memory is None:
        stats = jax.local_devices()[0].memory_stats() or {}
        memory = int(SHARE_OF_MEMORY * stats["bytes_limit"]) if "bytes_limit" in stats else None
    sizes = sizes_of(members, jax.local_device_count())
    if memory is None:
        return sizes
    for position, size in enumerate(sizes):
        analysis: Any = programs.of("epoch", size).memory_analysis()
        parts = (getattr(analysis, f"{part}_size_in_bytes") for part in ("argument", "output", "temp"))
        if sum(parts) - analysis.alias_size_in_bytes <= memory:
            return sizes[position:]
    return sizes[-1:]  # which fails with the device's own words, if it must


class _Chunk:
    """Members that are trained at once; a context that ends when their checkpoints are written.

    Each row of `states` is a member's, or nobody's: one that is over, or that fills the size up.
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
        """Train all members to their ends, or until an epoch."""
        last = self._config.train.epochs if until is None else until
        states = self._begun()
        ended: dict[int, TrainState] = {}
        while True:
            over = is_over(self._config, states)
            now = {
                index: _taken(states, row)
                for row, index in enumerate(self._rows)
                if index is not None and (over[row] or len(self._histories[index]) >= last)
            }
            self._keep(now)
            ended |= now
            self._rows = [None if index in ended else index for index in self._rows]
            if not any(index is not None for index in self._rows):
                return self._runs(ended)
            states = self._epoch(self._moved_together(states))

    def _begun(self) -> TrainState:
        """The first states, or those that were kept."""
        seeds = [task.seed for task in self._of_rows()]
        keys = self._placed(jnp.stack([jax.random.key(seed) for seed in seeds]))
        states = self._program("start")(*self._arguments, keys)
        for row, (index, task) in enumerate(self._tasks.items()):
            if task.checkpoints is None or not Path(task.checkpoints).exists():
                continue
            with RunKeeper(task.checkpoints, identity_of(*task[:3])) as keeper:
                state, history = keeper.resume(_taken(states, row))
            if history:
                states, self._histories[index] = _with_row(states, row, state), history
                self._on_epoch(index, history)
        return self._placed(states)

    def _moved_together(self, states: TrainState) -> TrainState:
        """The members that go on, in the smallest of the sizes that holds them."""
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
        try:
            for index in going:
                self._on_epoch(index, self._histories[index])
        except BaseException:
            self._keep({index: _taken(states, row) for index, row in going.items()})
            raise
        if time.perf_counter() - self._kept_at > self._interval:
            self._keep({index: _taken(states, row) for index, row in going.items()})
            self._kept_at = time.perf_counter()
        return states

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
        """A row for each member."""
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
        """The rows' members, the first one's where it is nobody's."""
        first = next(iter(self._tasks))
        return [self._tasks[first if index is None else index] for index in self._rows]

    def _placed(self, tree: Any, *, shared: bool = False) -> Any:
        """Where the programs expect it: members divided among the devices, what they share on each."""
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


@jax.jit
def _with_row(tree: Any, row: int, values: Any) -> Any:
    return jax.tree.map(lambda leaf, value: leaf.at[row].set(value), tree, values)


def _stacked(trees: Sequence[Any]) -> Any:
    """On the host: a program that stacks so many arrays takes long to compile."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(list(trees)))


def _write(task: Task, state: TrainState, history: Sequence[EpochRecord]) -> None:
    with RunKeeper(task.checkpoints, identity_of(*task[:3])) as keeper:
        keeper.keep(state, history, at_once=True)
