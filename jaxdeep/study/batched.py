"""Training of a study's trials side by side by `vmap`, for accelerators.

On an accelerator the kernels of a small network wait for each other more than they compute. Trials beside each other
are therefore nearly free. As many are trained at once as fit the memory. When enough of them have ended, the rest are
moved together, but only to half the number, a quarter and so on. S trials need at most 1 + log2(S) programs. Several
devices share the trials and do not communicate. A trial differs from the same run alone by rounding.
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

from jaxdeep.data.dataset import Dataset
from jaxdeep.study.batched_memory import BatchedPrograms, sizes_that_fit
from jaxdeep.study.batched_rows import on_host, placed, stacked, taken, with_row
from jaxdeep.study.batched_trial import BatchedTrial
from jaxdeep.study.trial import Trial
from jaxdeep.train.checkpoint import SECONDS_BETWEEN_CHECKPOINTS
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, epoch_record
from jaxdeep.train.programs import ProgramSpec, spec_of
from jaxdeep.train.source import Source
from jaxdeep.train.state import Limits, TrainState, is_over

SHARE_OF_TIME: Final = 0.05
"""Largest share of the time that checkpoints may take."""
WRITERS: Final = 4
"""Number of threads that write checkpoints."""


def fit_batched(
    trials: Sequence[Trial],
    data: Sequence[Dataset],
    folders: Sequence[Path | None],
    *,
    on_epoch: Callable[[int, Sequence[EpochRecord]], None] = lambda index, history: None,
    on_end: Callable[[int, Run], None] = lambda index, run: None,
    until: int | None = None,
    memory: int | None = None,
    sources: Sequence[Source | None] | None = None,
) -> list[Run]:
    """Train trials side by side, as many as fit. Trials of one program are trained at a time.

    Phases follow each other: all trials finish a phase before any begins the next one.

    Args:
        trials: Configurations with seeds.
        data: Data set of each trial, on the scale of its source.
        folders: Folder for the checkpoints of each trial. None keeps none.
        on_epoch: Function of a trial's index and its history. It is called after each epoch of a trial.
        on_end: Function of a trial's index and its run. It is called when a trial has ended.
        until: Epoch after which all trials stop. None trains them to their ends.
        memory: Bytes of each device that may be used. None uses the free memory.
        sources: Network that each trial starts from, or None for each. None if no trial has one.

    Returns:
        The run of each trial in the order of the trials.

    Raises:
        UserError: A trial does not fit its data set, its folder cannot be used, or it is larger than the memory.
    """
    networks = [None] * len(trials) if sources is None else sources
    batched = [BatchedTrial(*given) for given in zip(trials, data, networks, folders, strict=True)]
    going = list(range(len(trials)))
    while going:
        groups: dict[ProgramSpec, list[int]] = {}
        for index in going:
            groups.setdefault(batched[index].spec(), []).append(index)
        going = []
        for indices in groups.values():
            has_next = set(_train_group(indices, batched, on_epoch, until, memory))
            going += [index for index in indices if index in has_next]
            for index in indices:
                if index not in has_next:
                    on_end(index, _run_of(batched[index]))
    return list(map(_run_of, batched))


def _run_of(trial: BatchedTrial) -> Run:
    """Return the run of a trial that has ended."""
    assert trial.run is not None
    return trial.run


def _train_group(
    indices: Sequence[int],
    trials: Sequence[BatchedTrial],
    on_epoch: Callable[[int, Sequence[EpochRecord]], None],
    until: int | None,
    memory: int | None,
) -> list[int]:
    """Train the present phase of trials that share their programs. Return the trials that have a next phase."""
    data = {index: trials[index].features() for index in indices}
    first = trials[indices[0]]
    programs = BatchedPrograms(spec_of(first.config, list(data.values()), first.stage.trained))
    sizes = sizes_that_fit(programs, len(indices), memory)
    going: list[int] = []
    for begin in range(0, len(indices), sizes[0]):
        members = {index: trials[index] for index in indices[begin : begin + sizes[0]]}
        with _Chunk(members, data, programs, sizes, on_epoch) as chunk:
            going += chunk.train(until)
    return going


class _Chunk:
    """Trials that are trained at once, as a context that ends when their checkpoints are written.

    Each row of `states` belongs to a trial or is unused. A row is unused if its trial has ended or if it fills up the
    size.
    """

    def __init__(
        self,
        trials: Mapping[int, BatchedTrial],
        data: Mapping[int, Dataset],
        programs: BatchedPrograms,
        sizes: Sequence[int],
        on_epoch: Callable[[int, Sequence[EpochRecord]], None],
    ) -> None:
        self._indices, self._trials, self._data = list(trials), trials, data
        self._programs, self._sizes, self._on_epoch = programs, sizes, on_epoch
        self._config = programs.spec.config
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

    def train(self, until: int | None) -> list[int]:
        """Train the present phase of all trials. Return the trials that have a next phase."""
        states = self._begun()
        ended: dict[int, TrainState] = {}
        while True:
            began = np.asarray([self._trials[index].began for index in self._of_rows()])
            over = is_over(self._limits(), states, began)
            now = {
                index: row
                for row, index in enumerate(self._rows)
                if index is not None
                and (over[row] or len(self._trials[index].history) >= self._trials[index].last_epoch(until))
            }
            if now:
                host_states = on_host(states, now)
                self._keep(host_states)
                ended |= {
                    index: _without_training(state) if self._trials[index].is_last else state
                    for index, state in host_states.items()
                }
                self._rows = [None if index in ended else index for index in self._rows]
            if not any(index is not None for index in self._rows):
                break
            states = self._epoch(self._compacted(states))
        del states  # or they would stand beside the weights that are evaluated
        return self._left(ended, until)

    def _begun(self) -> TrainState:
        """Return the first states, or the states of the last checkpoints."""
        seeds = [self._trials[index].seed for index in self._of_rows()]
        keys = placed(jnp.stack([jax.random.key(seed) for seed in seeds]))
        states = self._program("start")(*self._arguments, keys)
        for row, (index, trial) in enumerate(self._trials.items()):
            if trial.takes_over:
                states = with_row(states, row, trial.entered(taken(states, row)))
            if trial.folder is None or not Path(trial.folder).expanduser().exists():
                continue
            with trial.checkpointer() as checkpointer:
                state, history = checkpointer.resume(taken(states, row))
            if history:
                states, trial.history = with_row(states, row, state), history
                self._on_epoch(index, history)
        return placed(states)

    def _compacted(self, states: TrainState) -> TrainState:
        """Move the trials that have not ended to the smallest size that holds them."""
        going = [row for row, index in enumerate(self._rows) if index is not None]
        size = min(size for size in self._sizes if size >= len(going))
        if size == len(self._rows):
            return states
        filled = np.asarray(going + going[:1] * (size - len(going)))
        self._seat([self._rows[row] for row in going], size)
        return placed(taken(states, filled))

    def _epoch(self, states: TrainState) -> TrainState:
        program = self._program("epoch")
        began = time.perf_counter()
        states, metrics = program(states, *self._arguments)
        metrics = jax.device_get(metrics)
        going = {index: row for row, index in enumerate(self._rows) if index is not None}
        seconds = (time.perf_counter() - began) / len(going)
        for index, row in going.items():
            history = self._trials[index].history
            history.append(epoch_record(len(history) + 1, jax.tree.map(itemgetter(row), metrics), seconds))
        for writing in self._writing:
            if writing.done():
                writing.result()  # or a full disk would be reported at the next checkpoint
        try:
            for index in going:
                self._on_epoch(index, self._trials[index].history)
        except BaseException:
            self._keep_going(states, going)
            raise
        if time.perf_counter() - self._kept_at > self._interval:
            self._keep_going(states, going)
            self._kept_at = time.perf_counter()
        return states

    def _keep_going(self, states: TrainState, going: Mapping[int, int]) -> None:
        """Begin to write checkpoints of the trials that have not ended. Each stands in its row."""
        if any(self._trials[index].folder is not None for index in going):
            self._keep(on_host(states, going))

    def _left(self, ended: Mapping[int, TrainState], until: int | None) -> list[int]:
        """Evaluate the best weights of all trials and end their phase. Return the trials that have a next one."""
        self._fill()
        best = [ended[index if index is not None else next(iter(ended))].best for index in self._rows]
        params, batch_stats = placed(stacked([(epoch.params, epoch.batch_stats) for epoch in best]))
        evaluations = jax.device_get(self._program("evaluate")(params, batch_stats, *self._arguments))
        seconds = (self._programs.compile_seconds, self._waited / len(self._indices))
        return [
            index
            for row, index in enumerate(self._indices)
            if self._trials[index].leave(ended[index], jax.tree.map(itemgetter(row), evaluations), *seconds, until)
        ]

    def _program(self, name: str) -> Any:
        return self._programs.of(name, len(self._rows))

    def _fill(self) -> None:
        """Give each trial a row."""
        self._seat(self._indices, self._sizes[0])

    def _seat(self, indices: Sequence[int | None], size: int) -> None:
        """Assign the rows to trials. Gather their traced numbers and the leaves of their data sets."""
        self._rows: list[int | None] = [*indices, *(None,) * (size - len(indices))]
        dtype, spec, trials = self._config.train.dtype, self._programs.spec, self._of_rows()
        hypers = (self._trials[index].config.hyper() for index in trials)
        hyper = jax.tree.map(lambda *values: jnp.asarray(values, dtype), *hypers)
        leaves = zip(*(jax.tree.leaves(self._data[index]) for index in trials), strict=True)
        placed_leaves = [
            placed(stacked(arrays)) if is_own else placed(arrays[0], shared=True)
            for is_own, arrays in zip(spec.is_own, leaves, strict=True)
        ]
        self._arguments = (placed(hyper), spec.structure.unflatten(placed_leaves))

    def _limits(self) -> Limits:
        """Return what ends the trial of each row. Trials of one program may differ in it."""
        settings = [self._trials[index].config.train for index in self._of_rows()]
        return Limits(
            np.asarray([train.epochs for train in settings]), np.asarray([train.patience for train in settings])
        )

    def _of_rows(self) -> list[int]:
        """Return the trial of each row. An unused row has the first trial."""
        return [self._indices[0] if index is None else index for index in self._rows]

    def _keep(self, states: Mapping[int, TrainState]) -> None:
        """Begin to write checkpoints, after the earlier ones are written."""
        kept = {index: state for index, state in states.items() if self._trials[index].folder is not None}
        if not kept:
            return
        began = time.perf_counter()
        self._wait()
        for index, state in kept.items():
            history = list(self._trials[index].history)
            self._writing.append(self._writers.submit(self._write, index, state, history))
        took = time.perf_counter() - began
        self._waited += took
        self._interval = max(SECONDS_BETWEEN_CHECKPOINTS, took / SHARE_OF_TIME)

    def _write(self, index: int, state: TrainState, history: Sequence[EpochRecord]) -> None:
        with self._trials[index].checkpointer() as checkpointer:
            checkpointer.save(state, history, at_once=True)

    def _wait(self) -> None:
        for writing in self._writing:
            writing.result()
        self._writing.clear()


def _without_training(state: TrainState) -> TrainState:
    """Return the part of a state that is needed after the end: its best epoch and whether it diverged."""
    return state._replace(params=None, batch_stats=None, opt_state=None)
