"""One run: epochs until the last one, early stopping or divergence. Then the best weights see the test rows, once."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import jax

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_callable, check_type, optional_whole, plain_verbose
from jaxdeep.config.choices import check
from jaxdeep.config.seeds import plain_seed
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.errors import UserError
from jaxdeep.terminal import is_watched
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.checks import check_fits
from jaxdeep.train.divergence import warn_of_run
from jaxdeep.train.folders import checked_folder
from jaxdeep.train.history import EpochRecord, epoch_record
from jaxdeep.train.parallel import Layout, compile_parallel, layout_of
from jaxdeep.train.phases import Stage, first_entry, folder_of_phase, stages_of
from jaxdeep.train.programs import Program, compile_program, traced
from jaxdeep.train.progress import Bar
from jaxdeep.train.run import Run, finished
from jaxdeep.train.source import Source, prepared, resolved, source_of
from jaxdeep.train.state import is_over

OnEpoch = Callable[[Sequence[EpochRecord]], None]
"""Function of the history so far."""


def fit(
    config: Config,
    data: Dataset,
    seed: int = 42,
    *,
    checkpoints: Path | str | None = None,
    on_epoch: OnEpoch | None = None,
    until: int | None = None,
    source: "Run | Path | str | None" = None,
    devices: Literal["all"] | None = None,
    divide_rows: bool | None = None,
    verbose: bool | None = None,
) -> Run:
    """Train the network of a configuration.

    A run is a function of configuration, data and seed. With a folder for checkpoints it may be killed at any time. The
    same call continues it to the same bits. The same call with more epochs continues a shorter run, unless its schedule
    depends on the epochs. It gives the bits of a run that had these epochs from the first.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on.
        seed: Seed of the initial weights, the order of the rows and the dropout masks, in 0 .. 2^32 - 1. With
            `data.resample`, it draws the validation rows too.
        checkpoints: Folder that keeps this run alone, or None to keep nothing.
        on_epoch: Function that is called with the history so far after each epoch, and when a run is continued. What it
            raises ends the run, after a checkpoint.
        until: Epoch behind which the run stops with a checkpoint, 1 or more. The same call without it goes on. None:
            the run is trained to its end.
        source: Trained run, saved network or run folder whose layers are reused, as `transfer` says. None takes what
            `transfer.source` names. A source is never changed.
        devices: "all" to divide each batch among the devices of all processes that `jax.distributed.initialize()` has
            joined. All of them make this same call and get the same run. It equals the run of one device but for
            rounding. None takes one device of this process.
        divide_rows: Whether the devices divide the rows of the data set too. None divides rows that take more than
            half of a device's free memory. It needs `devices`.
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The best epoch's weights, and the figures.

    Raises:
        UserError: An argument has another type or is out of its range, or the configuration does not fit the data. Or
            the folder holds another run, is used by another call, or cannot be written to.

    Warns:
        JaxdeepWarning: The run diverged.
    """
    check("devices", devices, devices in (None, "all"), '"all", or None')
    if divide_rows is not None and devices is None:
        raise UserError('divide_rows has no effect without devices. Remove it, or give devices="all".')
    seed, until, checkpoints = plain_seed(seed), optional_whole("until", until, 1), checked_folder(checkpoints)
    is_shown = is_watched(plain_verbose(verbose))
    if on_epoch is not None:
        check_callable("on_epoch", on_epoch, "a function of the history, or None")
    check_type("config", config, Config, "a Config")
    network = source_of(config, seed, source)
    config = resolved(config, network)
    check_fits(config, data)
    data = prepared(config, datasets_of_seeds(data, config.data, (seed,))[seed], network)
    with Bar([f"seed {seed}"], [config.train.epochs], data.train.size, is_shown=is_shown) as bar:

        def follow(history: Sequence[EpochRecord]) -> None:
            bar.follow(0, history)
            if on_epoch is not None:
                on_epoch(history)

        layout = None if devices is None else layout_of(data, jax.devices(), divide_rows)
        run = train(
            config,
            data,
            seed,
            source=network,
            checkpoints=checkpoints,
            on_epoch=follow,
            until=until,
            layout=layout,
        )
        if until is None:
            bar.end(0)
    if run.diverged:
        warn_of_run(seed, len(run.history), run.best_epoch, config.optim.learning_rate)
    return run


def train(
    config: Config,
    data: Dataset,
    seed: int,
    *,
    source: Source | None = None,
    checkpoints: Path | None = None,
    on_epoch: OnEpoch | None = None,
    until: int | None = None,
    layout: Layout | None = None,
) -> Run:
    """Train like `fit`, without a bar and without a warning.

    Args:
        config: Configuration that is trained, with the number of reused layers.
        data: Data set that it is trained on, with the seed's own rows, on the scale of the source.
        seed: Seed of all random numbers, in 0 .. 2^32 - 1.
        source: Network that it starts from, or None.
        checkpoints: Folder that keeps this run alone, or None.
        on_epoch: Function of the history, called after each epoch, or None.
        until: Epoch behind which the run stops, or None.
        layout: How the run stands on several devices. None takes one device.

    Returns:
        The run.

    Raises:
        UserError: Something that `fit` refuses.
    """
    hyper, key = traced(config), jax.random.key(seed)
    identity, stages = run_identity(config, data, seed, source), stages_of(config, data)
    check_fits(config, data)
    entry = first_entry(stages[0], source, key)
    history: list[EpochRecord] = []
    compile_seconds = checkpoint_seconds = 0.0
    for number, stage in enumerate(stages):
        program, own_data = _program(config, stage, layout), stage.features(entry)
        if layout is not None:
            own_data, hyper, key = layout.placed(own_data), layout.everywhere(hyper), layout.everywhere(key)
        last = stage.phase.last if until is None else min(stage.phase.last, until)
        began = len(history)
        with Checkpointer(folder_of_phase(checkpoints, number), identity, together=layout is not None) as checkpointer:
            start = stage.entered(program.start(hyper, own_data, key), entry)
            state, resumed = checkpointer.resume(start)
            if layout is not None:
                state = layout.everywhere(state)
            history = resumed or history
            is_last = len(history) >= last or bool(is_over(config.train, state, began))
            if resumed and on_epoch is not None and not (is_last and stage is not stages[-1]):
                on_epoch(history)  # otherwise the next phase does
            while not is_last:
                since = time.perf_counter()
                state, metrics = program.epoch(state, hyper, own_data)
                metrics = jax.device_get(metrics)
                history.append(epoch_record(len(history) + 1, metrics, time.perf_counter() - since))
                is_last = len(history) >= last or bool(is_over(config.train, state, began))
                try:
                    if on_epoch is not None:
                        on_epoch(history)
                except BaseException:
                    checkpointer.save(state, history, at_once=True)
                    raise
                checkpointer.save(state, history, at_once=is_last)
        compile_seconds += program.compile_seconds
        checkpoint_seconds += checkpointer.seconds
        if stage is stages[-1] or bool(state.diverged) or (until is not None and len(history) >= until):
            evaluations = program.evaluate(state.best.params, state.best.batch_stats, hyper, own_data)
            if layout is not None:
                state, evaluations = layout.local((state, evaluations))
            state = stage.whole(state, entry)
            return finished(config, data, seed, history, state, evaluations, compile_seconds, checkpoint_seconds)
        entry = stage.left(state if layout is None else layout.local(state), entry)
    raise AssertionError("a run has a last phase")


def _program(config: Config, stage: Stage, layout: Layout | None) -> Program:
    """Return the programs of a phase, for one device or for several."""
    if layout is None:
        return compile_program(config, stage.shapes, stage.trained)
    return compile_parallel(config, stage.shapes, stage.trained, layout)


def run_identity(config: Config, data: Dataset, seed: int, source: Source | None = None) -> dict[str, Any]:
    """Return the values that two calls must share to be the same run, as nested JSON values.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on.
        seed: Seed of all random numbers.
        source: Network that the run starts from, or None. Its digest counts, not its path.
    """
    of_source = {} if source is None else {"source": source.digest}
    return {"seed": seed, "config": config.to_dict(), "data": data.identity(), **of_source}
