"""One run: epochs until the last one, early stopping or divergence. Then the best weights see the test rows, once."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_callable, optional_whole, plain_verbose
from jaxdeep.config.seeds import plain_seed
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.terminal import is_watched
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.checks import check_fits
from jaxdeep.train.divergence import warn_of_run
from jaxdeep.train.folders import checked_folder
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.programs import compile_program, traced
from jaxdeep.train.progress import Bar
from jaxdeep.train.run import Run, finished
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
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The best epoch's weights, and the figures.

    Raises:
        UserError: An argument has another type or is out of its range, or the configuration does not fit the data. Or
            the folder holds another run, is used by another call, or cannot be written to.

    Warns:
        JaxdeepWarning: The run diverged.
    """
    seed, until, checkpoints = plain_seed(seed), optional_whole("until", until, 1), checked_folder(checkpoints)
    is_shown = is_watched(plain_verbose(verbose))
    if on_epoch is not None:
        check_callable("on_epoch", on_epoch, "a function of the history, or None")
    check_fits(config, data)
    data = datasets_of_seeds(data, config.data, (seed,))[seed]
    with Bar([f"seed {seed}"], [config.train.epochs], data.train.size, is_shown=is_shown) as bar:

        def follow(history: Sequence[EpochRecord]) -> None:
            bar.follow(0, history)
            if on_epoch is not None:
                on_epoch(history)

        run = train(config, data, seed, checkpoints=checkpoints, on_epoch=follow, until=until)
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
    checkpoints: Path | None = None,
    on_epoch: OnEpoch | None = None,
    until: int | None = None,
) -> Run:
    """Train like `fit`, without a bar and without a warning.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on, with the seed's own validation rows.
        seed: Seed of all random numbers, in 0 .. 2^32 - 1.
        checkpoints: Folder that keeps this run alone, or None.
        on_epoch: Function of the history, called after each epoch, or None.
        until: Epoch behind which the run stops, or None.

    Returns:
        The run.

    Raises:
        UserError: Something that `fit` refuses.
    """
    program, hyper = compile_program(config, data), traced(config)
    last = config.train.epochs if until is None else until
    with Checkpointer(checkpoints, run_identity(config, data, seed)) as checkpointer:
        state, history = checkpointer.resume(program.start(hyper, data, jax.random.key(seed)))
        if history and on_epoch is not None:
            on_epoch(history)
        while len(history) < last and not is_over(config, state):
            began = time.perf_counter()
            state, metrics = program.epoch(state, hyper, data)
            figures = {name: float(value) for name, value in jax.device_get(metrics)._asdict().items()}
            history.append(EpochRecord(epoch=len(history) + 1, **figures, seconds=time.perf_counter() - began))
            try:
                if on_epoch is not None:
                    on_epoch(history)
            except BaseException:
                checkpointer.save(state, history, at_once=True)
                raise
            checkpointer.save(state, history, at_once=len(history) >= last or bool(is_over(config, state)))

    evaluations = program.evaluate(state.best.params, state.best.batch_stats, hyper, data)
    return finished(config, data, seed, history, state, evaluations, program.compile_seconds, checkpointer.seconds)


def run_identity(config: Config, data: Dataset, seed: int) -> dict[str, Any]:
    """Return the values that two calls must share to be the same run, as nested JSON values.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on.
        seed: Seed of all random numbers.
    """
    return {"seed": seed, "config": config.to_dict(), "data": data.identity()}
