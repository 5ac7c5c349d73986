"""One run: epochs until the last one, early stopping or divergence; then the test rows, once, by the best weights."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_callable, optional_whole, plain_verbose
from jaxdeep.config.seeds import plain_seed
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.terminal import is_watched
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.checks import check_fits
from jaxdeep.train.divergence import warn_of_run
from jaxdeep.train.evaluate import Evaluation
from jaxdeep.train.folders import checked_folder
from jaxdeep.train.forward import probabilities
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.programs import compile_program, traced
from jaxdeep.train.progress import Bar
from jaxdeep.train.state import TrainState, is_over

OnEpoch = Callable[[Sequence[EpochRecord]], None]
"""Called with the history so far."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        config: what was run.
        data: on what.
        seed: with which seed.
        history: a record for each epoch.
        params: the weights that are kept: those of the best epoch, the one with the lowest val_loss, or the last one's
            where the configuration keeps these.
        batch_stats: its batch statistics.
        best_epoch: its number; 0 where the run diverged before there was one, and then its figures are NaN.
        val_loss: its validation loss, in nats.
        val_accuracy: its validation accuracy.
        test_loss: the loss of the test rows by its weights, in nats.
        test_accuracy: likewise.
        val_correct: [N], booleans: the validation rows whose class these weights tell; none where best_epoch is 0.
        test_correct: likewise, of the test rows.
        diverged: whether a loss was not finite.
        compile_seconds: what compilation took; runs of the same programs share it.
        checkpoint_seconds: how long the loop waited for checkpoints, in this process.
    """

    config: Config
    data: Dataset
    seed: int
    history: tuple[EpochRecord, ...]
    params: Params
    batch_stats: BatchStats
    best_epoch: int
    val_loss: float
    val_accuracy: float
    test_loss: float
    test_accuracy: float
    val_correct: np.ndarray
    test_correct: np.ndarray
    diverged: bool
    compile_seconds: float
    checkpoint_seconds: float

    def __repr__(self) -> str:
        best = f"{self.best_epoch or 'none'} of {len(self.history)}"
        figures = [f"{name}={getattr(self, name):.4f}" for name in ("val_accuracy", "test_accuracy") if self.best_epoch]
        notes = [
            note for note, is_true in (("diverged", self.diverged), ("synthetic", self.data.is_synthetic)) if is_true
        ]
        return f"Run({', '.join((f'seed={self.seed}', f'best_epoch={best}', *figures, *notes))})"

    @property
    def seconds(self) -> float:
        """Of all epochs, validation included, compilation not."""
        return sum(record.seconds for record in self.history)

    @property
    def parameters(self) -> int:
        """Number of weights, biases and moving statistics, as Keras counts them."""
        return sum(leaf.size for leaf in jax.tree.leaves((self.params, self.batch_stats)))

    def predict(self, images: np.ndarray, *, check: bool = True) -> np.ndarray:
        """Return class probabilities by the weights of the best epoch.

        Args:
            images: [N, *image_shape] or [N, D], N at least 1, unscaled like the training images; an array, or a data
                frame whose columns are matched by name.
            check: compare the images with the range of the training images. Turn it off to evaluate images of
                another kind.

        Returns:
            [N, C], each row sums to 1.

        Raises:
            UserError: the run has no best epoch, the images have another shape, type or scale than the training images,
                a value is not finite, or an answer is not.

        Warns:
            JaxdeepWarning: values lie outside the range of the training images.
        """
        self.check_trained()
        rows = jnp.asarray(checked_rows(self.data, images, check=check, dtype=self.config.train.dtype))
        found = np.asarray(probabilities(self.config, self.params, self.batch_stats, self.data, rows))
        check_answers(found)
        return found

    def check_trained(self) -> None:
        """Refuse a run without a best epoch: its weights are the initial ones.

        Raises:
            UserError: the run diverged, or was stopped, before its first epoch was evaluated.
        """
        if not self.best_epoch:
            why = "diverged" if self.diverged else "was stopped"
            raise UserError(
                f"the run with seed {self.seed} {why} before it had a best epoch: its weights are untrained. "
                "Predict with another run"
            )


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

    A run is a function of configuration, data and seed. With a folder for checkpoints it may be killed at any time: the
    same call continues it, to the same bits. The same call with more epochs goes on too, from where the shorter run
    stopped, unless its schedule depends on the epochs. It gives the bits of a run that had more from the first.

    Args:
        config: Configuration of the run.
        data: Data set of the run.
        seed: Seed of the initial weights, the order of the rows and the dropout masks, in 0 .. 2^32 - 1.
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
        config: Configuration of the run.
        data: Data set of the run.
        seed: Seed of the run, in 0 .. 2^32 - 1.
        checkpoints: Folder that keeps this run alone, or None.
        on_epoch: Function of the history, called after each epoch, or None.
        until: Epoch behind which the run stops, or None.

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
    """Return what two calls must share to be the same run, as nested JSON values."""
    return {"seed": seed, "config": config.to_dict(), "data": data.identity()}


def finished(
    config: Config,
    data: Dataset,
    seed: int,
    history: Sequence[EpochRecord],
    state: TrainState,
    evaluations: tuple[Evaluation, Evaluation],
    compile_seconds: float,
    checkpoint_seconds: float,
) -> Run:
    """Return the figures of a run that is over, or paused.

    Args:
        config: configuration of the run.
        data: data set of the run.
        seed: seed of the run.
        history: a record for each epoch.
        state: state after the last of them.
        evaluations: evaluations of the validation and the test rows by the kept weights.
        compile_seconds: seconds in which its programs were compiled.
        checkpoint_seconds: seconds that the loop waited for checkpoints.
    """
    best, (valid, test) = state.best, evaluations
    best_epoch = int(best.epoch)
    figures = {
        "val_loss": best.val_loss,
        "val_accuracy": best.val_accuracy,
        "test_loss": test.loss,
        "test_accuracy": test.accuracy,
    }
    return Run(
        config,
        data,
        seed,
        tuple(history),
        best.params,
        best.batch_stats,
        best_epoch,
        **{name: float(figure) if best_epoch else np.nan for name, figure in figures.items()},
        val_correct=np.asarray(valid.correct) & bool(best_epoch),
        test_correct=np.asarray(test.correct) & bool(best_epoch),
        diverged=bool(state.diverged),
        compile_seconds=compile_seconds,
        checkpoint_seconds=checkpoint_seconds,
    )
