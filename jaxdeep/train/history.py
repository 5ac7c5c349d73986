"""The figures of a run by epoch, in memory and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdeep.errors import UserError


class EpochRecord(NamedTuple):
    """The figures of an epoch: losses in nats, accuracies in [0, 1], epochs counted from 1."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


def has_diverged(history: Sequence[EpochRecord]) -> bool:
    """Return whether a training or validation loss of any epoch is not finite: such a run has diverged and is over.

    Args:
        history: the epochs of one run, from the first one on. Without epochs a run has not diverged.
    """
    return not all(math.isfinite(record.train_loss) and math.isfinite(record.val_loss) for record in history)


def null_if_not_finite(value: Any) -> Any:
    """A value for JSON, which has no NaN and no infinity: None in their place.

    >>> null_if_not_finite(math.nan), null_if_not_finite(1.5), null_if_not_finite("text")
    (None, 1.5, 'text')
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_rows(history: Sequence[EpochRecord]) -> list[list[Any]]:
    """A history as JSON values."""
    return [[null_if_not_finite(value) for value in record] for record in history]


def from_rows(rows: Sequence[Sequence[Any]]) -> list[EpochRecord]:
    """Return the history of `to_rows`; what was not finite is NaN.

    Args:
        rows: of epochs 1, 2, ..., seven numbers each, None where one is not finite.

    Raises:
        ValueError: they are something else.

    >>> record = EpochRecord(1, 0.5, 0.8, math.nan, 0.7, 1e-3, 2.0)
    >>> from_rows(to_rows([record]))[0].val_loss
    nan
    """
    for epoch, row in enumerate(rows, 1):
        numbers = all(value is None or type(value) in (int, float) for value in row)
        if len(row) != len(EpochRecord._fields) or not numbers or row[0] != epoch:
            raise ValueError(f"not the figures of epoch {epoch}: {row}")
    figures = ([math.nan if value is None else value for value in row[1:]] for row in rows)
    return [EpochRecord(row[0], *values) for row, values in zip(rows, figures, strict=True)]


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON gives them back: NumPy's numbers and arrays as Python's, tuples as lists.

    Args:
        values: nested values, with names as keys.

    Raises:
        UserError: there is a value that JSON has not.

    >>> as_json({"seed": np.int64(3), "units": (8, np.int32(4))})
    {'seed': 3, 'units': [8, 4]}
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray | jax.Array):
            return value.tolist()
        raise UserError(f"a run cannot be recorded with {value!r} in it. Give numbers, texts and lists of these")

    return json.loads(json.dumps(values, default=plain))
