"""Targets that are no classes: several labels of a row, or numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from jaxdeep.config.choices import Task
from jaxdeep.data.arrays import column_names
from jaxdeep.data.rows import as_rows
from jaxdeep.errors import UserError

LARGEST: Final = float(np.finfo(np.float32).max)
"""Largest number that float32 holds."""


class Targets(NamedTuple):
    """Numbers that a network predicts, and their units.

    A network computes in standard units: a target less `shift`, over `scale`.

    Attributes:
        names: Name of each of C numbers.
        shift: Mean of each number over the training rows.
        scale: Standard deviation of each number over the training rows, or 1 if it is 0.
        low: Lowest training value of each number.
        high: Highest training value of each number.
    """

    names: tuple[str, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, values: np.ndarray, names: Sequence[str]) -> "Targets":
        """Measure the targets of training rows.

        Args:
            values: Numbers [N, C] of type float64.
            names: Name of each number.
        """
        spread = values.std(0)
        figures = (values.mean(0), np.where(spread > 0, spread, 1.0), values.min(0), values.max(0))
        return cls(tuple(names), *(tuple(of.tolist()) for of in figures))

    @property
    def bounds(self) -> np.ndarray:
        """Return zero, the lowest and the highest training value in standard units [3, C]."""
        return self.standard(np.asarray([[0.0] * len(self.names), self.low, self.high]))

    def standard(self, values: np.ndarray) -> np.ndarray:
        """Return numbers in standard units.

        Args:
            values: Numbers [N, C] in their own units.

        Returns:
            Numbers [N, C] of type float64.
        """
        return (np.asarray(values, np.float64) - np.asarray(self.shift)) / np.asarray(self.scale)

    def own(self, standard: np.ndarray) -> np.ndarray:
        """Return numbers in their own units.

        Args:
            standard: Numbers [N, C] in standard units.

        Returns:
            Numbers [N, C] of type float64.
        """
        return np.asarray(standard, np.float64) * np.asarray(self.scale) + np.asarray(self.shift)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the targets as JSON values."""
        return {name: list(values) for name, values in self._asdict().items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Sequence[Any]]) -> "Targets":
        """Return the targets that `to_dict` recorded.

        Args:
            plain: Values by name.

        Raises:
            KeyError: A value is missing.
        """
        return cls(*(tuple(plain[name]) for name in cls._fields))


class Given(NamedTuple):
    """Targets of one argument.

    Attributes:
        values: Numbers [N, C] float64, or a 0 or a 1 for each label [N, C] int8.
        names: Names of the C columns of a data frame, or of a series. None without names.
    """

    values: np.ndarray
    names: tuple[str, ...] | None


def as_targets(given: Any, what: str, task: Task) -> Given:
    """Turn targets of any origin into numbers, or into a 0 or a 1 for each label.

    Args:
        given: Numbers [N] or [N, C]. Or booleans or 0 and 1 [N, C] for several labels.
        what: Name of the argument, for the message.
        task: "regression" or "multilabel".

    Returns:
        The targets, with an axis of C.

    Raises:
        UserError: A value is missing, infinite, or neither 0 nor 1 for a label. Or there is another number of axes.
    """
    if np.ma.isMaskedArray(given) and np.ma.is_masked(given):
        row = int(np.flatnonzero(np.ma.getmaskarray(given))[0])
        raise UserError(f"{what} masks a value of row {row}. Remove such rows, or fill in a value.")
    rows = as_rows(given, what)
    values, names = rows.values, column_names(given)
    was_flat = values.ndim == 1
    if was_flat:
        values = values[:, None]
        name = getattr(given, "name", None)
        names = None if name is None else (str(name),)
    if values.ndim != 2 or not values.shape[1] or (was_flat and task == "multilabel"):
        allowed = "[N] or [N, C]" if task == "regression" else "[N, C] with a column for each label"
        raise UserError(f"{what} has the shape {rows.values.shape}. Give {allowed}.")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise UserError(f"{what} holds {values[row].tolist()} in row {row}. Remove such rows, or fill in a number.")
    if task == "regression":
        if np.abs(values).max(initial=0) > LARGEST:
            raise UserError(f"{what} holds numbers that are infinite in float32. Rescale them.")
        return Given(values.astype(np.float64), names)
    if not np.isin(values, (0, 1)).all():
        row = int(np.flatnonzero(~np.isin(values, (0, 1)).all(1))[0])
        raise UserError(f"{what} holds {values[row].tolist()} in row {row}. Give a 0 or a 1 for each label.")
    return Given(values.astype(np.int8), names)
