"""The figures of a run by epoch, in memory and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.train.diagnostics import Diagnostics


class EpochRecord(NamedTuple):
    """The figures of an epoch.

    Attributes:
        epoch: Number of the epoch, 1 or more.
        train_loss: Mean loss of the training rows in nats, with the penalties, while the weights change.
        train_accuracy: Share of the training rows that are classified correctly, in 0 .. 1.
        val_loss: Mean loss of the validation rows in nats, with the penalties, after the epoch.
        val_accuracy: Share of the validation rows that are classified correctly, in 0 .. 1.
        learning_rate: Learning rate of the last step, above 0.
        seconds: Wall time of the epoch in seconds, with its validation.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float

    @property
    def diagnostics(self) -> Diagnostics | None:
        """Return the figures of each layer before the epoch's first step. None without `train.diagnostics`."""
        return None


class DiagnosedRecord(EpochRecord):
    """The figures of an epoch with the diagnostics of its layers. As a tuple it holds the seven figures alone."""

    _diagnostics: Diagnostics | None = None

    @property
    def diagnostics(self) -> Diagnostics | None:
        """Return the figures of each layer before the epoch's first step."""
        return self._diagnostics


def diagnosed(record: EpochRecord, diagnostics: Diagnostics | None) -> EpochRecord:
    """Return a record with the diagnostics of its epoch.

    Args:
        record: Figures of one epoch.
        diagnostics: Figures of each layer, or None to return the record as it is.
    """
    if diagnostics is None:
        return record
    found = DiagnosedRecord(*record)
    found._diagnostics = diagnostics
    return found


def epoch_record(epoch: int, metrics: Any, seconds: float) -> EpochRecord:
    """Return the record of an epoch that a compiled program has trained.

    Args:
        epoch: Number of the epoch, 1 or more.
        metrics: Figures of one run as `run_epoch` returns them, on the host.
        seconds: Wall time of the epoch in seconds.
    """
    figures = {name: float(getattr(metrics, name)) for name in EpochRecord._fields[1:-1]}
    diagnostics = metrics.diagnostics
    return diagnosed(EpochRecord(epoch, **figures, seconds=seconds), diagnostics and diagnostics.on_host())


def has_diverged(history: Sequence[EpochRecord]) -> bool:
    """Return whether a run has diverged, which ends it: a training or validation loss is not finite.

    Args:
        history: Epochs of one run from the first on. A run without epochs has not diverged.
    """
    return not all(math.isfinite(record.train_loss) and math.isfinite(record.val_loss) for record in history)


def null_if_not_finite(value: Any) -> Any:
    """Return a value as it is, and None for NaN and infinity, which JSON lacks.

    Args:
        value: Any value.

    >>> null_if_not_finite(math.nan), null_if_not_finite(1.5), null_if_not_finite("text")
    (None, 1.5, 'text')
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_rows(history: Sequence[EpochRecord]) -> list[list[Any]]:
    """Return a history as JSON values, a list of seven numbers for each epoch.

    Diagnostics are an eighth entry, which is a mapping of their names to lists.

    Args:
        history: Epochs of one run.
    """
    layers = ([] if record.diagnostics is None else [record.diagnostics.to_json()] for record in history)
    return [[*map(null_if_not_finite, record), *of] for record, of in zip(history, layers, strict=True)]


def from_rows(rows: Sequence[Sequence[Any]]) -> list[EpochRecord]:
    """Return the history that `to_rows` has made JSON values of.

    Args:
        rows: Seven numbers for each of the epochs 1, 2, ..., and the diagnostics if they were recorded. A number that
            is not finite is None, and becomes NaN.

    Raises:
        ValueError: The rows are something else.

    >>> record = EpochRecord(1, 0.5, 0.8, math.nan, 0.7, 1e-3, 2.0)
    >>> from_rows(to_rows([record]))[0].val_loss
    nan
    """
    return [_record_of(epoch, row) for epoch, row in enumerate(rows, 1)]


def _record_of(epoch: int, row: Sequence[Any]) -> EpochRecord:
    """Return the record of one epoch from its JSON values."""
    width = len(EpochRecord._fields)
    numbers, others = row[:width], row[width:]
    are_numbers = all(value is None or type(value) in (int, float) for value in numbers)
    if len(numbers) != width or len(others) > 1 or not are_numbers or row[0] != epoch:
        raise ValueError(f"not the figures of epoch {epoch}: {row}")
    figures = (math.nan if value is None else value for value in numbers[1:])
    return diagnosed(EpochRecord(epoch, *figures), Diagnostics.from_json(others[0]) if others else None)


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON gives them back, with Python's numbers for NumPy's, and lists for arrays and tuples.

    Args:
        values: Nested values with names as keys.

    Raises:
        UserError: JSON has no form for a value.

    >>> as_json({"seed": np.int64(3), "units": (8, np.int32(4))})
    {'seed': 3, 'units': [8, 4]}
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray | jax.Array):
            return value.tolist()
        raise UserError(f"a run cannot be recorded with {value!r} in it. Give numbers, texts and lists of these.")

    return json.loads(json.dumps(values, default=plain))
