"""One run: epochs until the last one, early stopping or divergence; then the test rows, once, by the best weights."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config, differences
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train import step
from jaxdeep.train.checkpoint import CheckpointStore
from jaxdeep.train.program import compile_program
from jaxdeep.train.state import is_over

SECONDS_BETWEEN_CHECKPOINTS = 20.0


class EpochRecord(NamedTuple):
    """The figures of an epoch: losses in nats, accuracies in [0, 1], epochs counted from 1."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        config: what was run.
        data: on what.
        seed: with which seed.
        history: a record for each epoch.
        params: weights of the best epoch, the one with the lowest val_loss.
        batch_stats: its batch statistics.
        best_epoch: its number; 0 where the run diverged before there was one, and then its figures are NaN.
        val_loss: its validation loss, in nats.
        val_accuracy: its validation accuracy.
        test_loss: the loss of the test rows by its weights, in nats.
        test_accuracy: likewise.
        diverged: whether a loss was not finite.
        compile_seconds: what compilation took; runs of the same programs share it.
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
    diverged: bool
    compile_seconds: float

    @property
    def seconds(self) -> float:
        """Of all epochs, validation included, compilation not."""
        return sum(record.seconds for record in self.history)

    @property
    def parameters(self) -> int:
        """Number of weights, biases and moving statistics, as Keras counts them."""
        return sum(leaf.size for leaf in jax.tree.leaves((self.params, self.batch_stats)))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities by the best weights.

        Args:
            images: [N, ...], unscaled, as the training images were given.

        Returns:
            [N, C], each row sums to 1.
        """
        rows = jnp.asarray(np.reshape(images, (len(images), -1)))
        return np.asarray(step.probabilities(self.config, self.params, self.batch_stats, self.data, rows))


def fit(
    config: Config,
    data: Dataset,
    seed: int = 42,
    *,
    checkpoints: Path | str | None = None,
    on_epoch: Callable[[Sequence[EpochRecord]], None] | None = None,
) -> Run:
    """Train the network of a configuration.

    A run is a function of configuration, data and seed. With a folder for checkpoints it may be killed at any time: the
    same call continues it, to the same bits.

    Args:
        config: what to run.
        data: on what.
        seed: of the initial weights, the order of the images and the dropout masks.
        checkpoints: a folder of this run's own; None: keep none.
        on_epoch: called with the history so far after each epoch, and when a run is continued. What it raises ends the
            run, after a checkpoint.

    Returns:
        The best epoch's weights, and the figures.

    Raises:
        UserError: the type is not to be had, or the folder holds another run.
    """
    if config.train.dtype == "float64" and jnp.zeros(()).dtype != "float64":
        raise UserError('train.dtype is float64, which needs jax.config.update("jax_enable_x64", True) first')
    program = compile_program(config, data)
    state = program.start(program.hyper, data, jax.random.key(seed))
    history: list[EpochRecord] = []
    identity = {"seed": seed, "config": config.to_dict(), "data": data_identity(data)}

    def save(store: CheckpointStore) -> None:
        rows = [tuple(map(null_if_not_finite, record)) for record in history]
        store.save(len(history), state, {"run": identity, "history": rows})

    with nullcontext() if checkpoints is None else CheckpointStore(Path(checkpoints)) as store:
        if store is not None and (restored := store.restore(like=state)) is not None:
            refuse_other(f"{checkpoints}", restored.record["run"], identity)
            state = restored.state
            history = [_from_json(row) for row in restored.record["history"]]
            if on_epoch is not None:
                on_epoch(history)
        saved_at = time.perf_counter()
        while not is_over(config, state):
            began = time.perf_counter()
            state, metrics = program.epoch(state, program.hyper, data)
            figures = {name: float(value) for name, value in jax.device_get(metrics)._asdict().items()}
            history.append(EpochRecord(epoch=len(history) + 1, **figures, seconds=time.perf_counter() - began))
            try:
                if on_epoch is not None:
                    on_epoch(history)
            except BaseException:
                if store is not None:
                    save(store)
                raise
            due = time.perf_counter() - saved_at > SECONDS_BETWEEN_CHECKPOINTS
            if store is not None and (due or is_over(config, state)):
                save(store)
                saved_at = time.perf_counter()

    best = state.best
    best_epoch = int(best.epoch)
    tested = program.evaluate(best.params, best.batch_stats, data, data.test)
    figures = [float(figure) if best_epoch else np.nan for figure in (best.val_loss, best.val_accuracy, *tested)]
    return Run(
        config,
        data,
        seed,
        tuple(history),
        best.params,
        best.batch_stats,
        best_epoch,
        *figures,
        diverged=bool(state.diverged),
        compile_seconds=program.compile_seconds,
    )


def _from_json(row: Sequence[Any]) -> EpochRecord:
    epoch, *figures = row
    return EpochRecord(epoch, *(np.nan if value is None else value for value in figures))


def data_identity(data: Dataset) -> dict[str, Any]:
    """What two runs must share to have seen the same images, as JSON values."""
    if data.info is None:
        return {}
    return {field: getattr(data.info, field) for field in ("name", "source", "synthetic", "digest")}


def refuse_other(folder: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Stop where a folder holds something else than what is wanted.

    Args:
        folder: for the message.
        found: what the folder holds, as nested JSON values.
        wanted: likewise.

    Raises:
        UserError: names the fields that differ.
    """
    if differing := differences(found, wanted):
        fields = ", ".join(f"{name} (there {was!r}, here {now!r})" for name, (was, now) in differing.items())
        raise UserError(f"{folder} holds another run: {fields}; choose another folder, or --overwrite it")


def null_if_not_finite(value: Any) -> Any:
    """A number for JSON, which has no NaN and no infinity: None in their place.

    >>> null_if_not_finite(float("nan")), null_if_not_finite(1.5), null_if_not_finite(3)
    (None, 1.5, 3)
    """
    return None if isinstance(value, float) and not np.isfinite(value) else value
