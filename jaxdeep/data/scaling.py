"""Choose the constants that scale rows and keep what float32 would lose.

A row enters the network as (row - mean) x scale in the run's type. Three kinds of column need care:

- A column whose mean is far larger than its standard deviation loses it in the cast to float32. Its training mean is
  subtracted in float64 first if the cast would lose more than 2^-12 of the standard deviation (|mean| > 4096 std). This
  mean is the offset and the device holds the difference.
- A column that is constant in the training rows teaches nothing. It enters as 0 in all rows even if other rows hold
  other values there. uint8 images keep a scale of 1 there.
- A column whose scaled values float32 cannot hold is refused.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Data
from jaxdeep.data.arrays import column_name
from jaxdeep.data.parts import Part, refuse_where
from jaxdeep.data.rows import CHUNK_ROWS, flat
from jaxdeep.data.targets import LARGEST
from jaxdeep.errors import UserError, warn

LARGEST_RATIO: Final = 2.0**12
"""Largest ratio of |mean| to the standard deviation at which float32 keeps the deviation to 2^-12 of itself."""
SMALLEST_RANGE: Final = 2.0**-100
"""Smallest range of a column whose inverse standard deviation float32 holds."""
BRIGHT: Final = 32
"""Median of the columns' largest values from which rows within 0 .. 255 count as pixels."""
FEWEST_PIXELS: Final = 8
"""Number of columns other than 0 from which rows within 0 .. 255 count as pixels.

Fewer can be as large by chance.
"""
ROUNDED: Final = ("bfloat16", "float16", "float32")
"""Types that round more than float64."""
SHOWN: Final = 3
"""Number of columns that a message lists."""


class ColumnRange(NamedTuple):
    """Smallest and largest value of each column.

    Attributes:
        low: Smallest values [D] float64.
        high: Largest values [D] float64.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "ColumnRange":
        """Measure the columns of rows.

        Args:
            values: Rows [N, D].

        Returns:
            The range of each column.
        """
        return cls(values.min(0).astype(np.float64), values.max(0).astype(np.float64))

    @property
    def pixel_scale(self) -> int | None:
        """Return the largest value of the pixel scale that the rows seem to have.

        Returns:
            1 or 255. None if the rows seem to be no pixels.
        """
        largest = self.high.max()
        if self.low.min() < 0 or not 0 < largest <= 255:
            return None
        if largest <= 1:
            return 1
        lit = self.high[self.high > 0]
        return 255 if len(lit) >= FEWEST_PIXELS and np.median(lit) >= BRIGHT else None


class Constants(NamedTuple):
    """Constants that scale the rows of a data set.

    Attributes:
        mean: Mean of rows less the offset, float64, scalar or [1, D].
        scale: Factor of rows less the mean, float64, scalar or [1, D].
        offset: Offset [D] float64 that is subtracted first. None if no column needs it.
        training: Range of the training rows as they were given.
    """

    mean: np.ndarray
    scale: np.ndarray
    offset: np.ndarray | None
    training: ColumnRange


def constants_of(data: Data, parts: Sequence[Part]) -> Constants:
    """Choose the constants that scale a data set and check that all rows are on the scale that it takes.

    Args:
        data: Configuration with the scaling.
        parts: Training, validation and test part.

    Returns:
        Mean, scale and offset from the training rows, and their range.

    Raises:
        UserError: The parts are on different scales, the scaling takes another scale, or float32 cannot hold the scaled
            rows.

    Warns:
        JaxdeepWarning: A column varies too little around its mean for float32, or is constant in the training rows
            only.
    """
    train, values = parts[0].rows, flat(parts[0].rows.values)
    ranges = [ColumnRange.of(flat(part.rows.values)) for part in parts]
    check_scale(data, parts, ranges)
    offset = offset_of(values, ranges[0], train.dtype)
    if offset is not None and (data.scaling != "standardize" or data.augmented):
        warn_of_offset(offset, train.names)
        offset = None
    mean, scale = mean_and_scale(data, values, offset)
    if data.scaling == "standardize":
        check_enters(parts, ranges, mean if offset is None else mean + offset, scale)
        warn_of_constants(parts, ranges, scale)
    return Constants(mean, scale, offset, ranges[0])


def offset_of(values: np.ndarray, found: ColumnRange, dtype: str) -> np.ndarray | None:
    """Return the numbers to subtract from rows in float64 before float32 holds them.

    Args:
        values: Training rows [N, D].
        found: Range of the training rows.
        dtype: Type of the rows as they were given. Columns that vary within its rounding only count as constant.

    Returns:
        Numbers [D] float64, the mean of a column that needs it and 0 elsewhere. None if no column needs it.
    """
    if values.dtype == np.uint8:
        return None
    mean, square = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, len(values), CHUNK_ROWS):
        chunk = values[start : start + CHUNK_ROWS].astype(np.float64) - found.low
        mean += chunk.sum(0) / len(values)
        square += np.einsum("nd,nd->d", chunk, chunk) / len(values)
    std, mean = np.sqrt(np.maximum(square - mean**2, 0)), mean + found.low
    rounding = float(jnp.finfo(dtype).eps) if dtype in ROUNDED else np.finfo(np.float64).eps
    needs = (found.high > found.low) & (std > rounding * np.abs(mean)) & (np.abs(mean) > LARGEST_RATIO * std)
    return np.where(needs, mean, 0) if needs.any() else None


def mean_and_scale(data: Data, images: np.ndarray, offset: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Choose the constants that scale rows before they enter the network.

    Args:
        data: Configuration with the scaling.
        images: Training rows [N, ...].
        offset: Numbers [D] that are subtracted from the rows before. None subtracts nothing.

    Returns:
        Mean and scale in float64. Each is a scalar or [1, D].
    """
    match data.scaling:
        case "none":
            return np.zeros(()), np.ones(())
        case "unit":
            return np.zeros(()), np.asarray(1 / 255)
        case "standardize":
            rows = flat(images)
            count = len(rows)
            mean, square = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
            for chunk in np.array_split(rows, max(count // 2_000, 1)):
                values = chunk.astype(np.float64)
                if offset is not None:
                    values -= offset
                mean += values.sum(0) / count
                square += np.einsum("nd,nd->d", values, values) / count
            std = np.sqrt(np.maximum(square - mean**2, 0))
            constant = std < 1e-6 * np.maximum(np.abs(mean), 1e-30)
            scale = 1 / np.where(constant, 1, std)
            return mean[None], np.where(constant & (images.dtype != np.uint8), 0, scale)[None]


def check_scale(data: Data, parts: Sequence[Part], ranges: Sequence[ColumnRange]) -> None:
    """Refuse rows that are on another scale than the training rows or the scaling.

    Args:
        data: Configuration with the scaling.
        parts: Training, validation and test part.
        ranges: Range of each part's columns.

    Raises:
        UserError: The training rows are within 0 .. 1 and others within 0 .. 255, or the reverse. Or the training rows
            are within 0 .. 1 and the scaling divides by 255.
    """
    train, *others = (column_range.pixel_scale for column_range in ranges)
    if data.scaling == "unit" and train == 1:
        raise UserError(
            "data.scaling is unit, which divides by 255, and the training rows are within 0 .. 1 already. "
            "Use scaling none or standardize."
        )
    for part, scale in zip(parts[1:], others, strict=True):
        if {train, scale} == {1, 255}:
            change = "Divide them by 255" if scale == 255 else "Multiply them by 255"
            raise UserError(
                f"the {part.name} rows are within 0 .. {scale}, and the training rows within 0 .. {train}. {change}."
            )


def check_enters(parts: Sequence[Part], ranges: Sequence[ColumnRange], mean: np.ndarray, scale: np.ndarray) -> None:
    """Refuse columns whose standardised values float32 cannot hold.

    Args:
        parts: Training, validation and test part.
        ranges: Range of each part's columns.
        mean: Mean [1, D] of the rows as they are given.
        scale: Factor [1, D] of rows less the mean.

    Raises:
        UserError: A column varies too little, or a value becomes infinite.
    """
    train, names = ranges[0], parts[0].rows.names
    small = (train.high > train.low) & (train.high - train.low < SMALLEST_RANGE)
    if small.any():
        raise UserError(
            f"{_columns(small, names)} of the training rows varies by less than {SMALLEST_RANGE:.0e}, which float32 "
            "cannot standardise. Multiply it by a constant."
        )
    for part, column_range in zip(parts, ranges, strict=True):
        farthest = np.maximum(np.abs(column_range.low - mean[0]), np.abs(column_range.high - mean[0]))
        if max(farthest.max(), (farthest * scale[0]).max()) > LARGEST:
            values = flat(part.rows.values)

            def is_bad(start: int, stop: int, values: np.ndarray = values) -> np.ndarray:
                distance = np.abs(values[start:stop].astype(np.float64) - mean)
                return np.maximum(distance, distance * scale) > LARGEST

            refuse_where(part, is_bad, "infinite in float32 when standardised", "Rescale the column")


def warn_of_constants(parts: Sequence[Part], ranges: Sequence[ColumnRange], scale: np.ndarray) -> None:
    """Warn of columns that are constant in the training rows only.

    Args:
        parts: Training, validation and test part.
        ranges: Range of each part's columns.
        scale: Factor [1, D], 0 for a column that is constant in the training rows.

    Warns:
        JaxdeepWarning: A column is constant in the training rows and varies in others.
    """
    train, names = ranges[0], parts[0].rows.names
    constant, slack = scale[0] == 0, 1e-6 * np.maximum(np.abs(train.low), np.abs(train.high))
    for part, column_range in zip(parts[1:], ranges[1:], strict=True):
        varies = constant & ((column_range.low < train.low - slack) | (column_range.high > train.high + slack))
        if varies.any():
            warn(
                f"{_columns(varies, names)} is constant in the training rows and not in the {part.name} rows. "
                "It enters the network as 0 in all rows. Remove it, or shuffle the rows."
            )


def warn_of_offset(offset: np.ndarray, names: Sequence[str] | None) -> None:
    """Warn that float32 loses the differences in columns with a large offset.

    Args:
        offset: Numbers [D], not 0 for the columns to name.
        names: Names of the D columns, or None.

    Warns:
        JaxdeepWarning: Always.
    """
    warn(
        f"{_columns(offset != 0, names)} varies too little around its mean for float32, which loses the differences. "
        "Subtract the mean first, as scaling standardize does without augmentation."
    )


def _columns(chosen: np.ndarray, names: Sequence[str] | None) -> str:
    """Name the first chosen columns for a message."""
    indices = np.flatnonzero(chosen)
    listed = ", ".join(column_name(index, names) for index in indices[:SHOWN].tolist())
    return listed if len(indices) <= SHOWN else f"each of {len(indices)} columns ({listed}, ...)"
