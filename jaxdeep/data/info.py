"""What a data set is made of: its parts on the device, and what is known of the rows that it was made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxdeep.config import Data
from jaxdeep.data.device import on_device
from jaxdeep.data.table_columns import TableColumns
from jaxdeep.data.targets import Targets


class Split(NamedTuple):
    """Rows and their targets.

    Attributes:
        images: Rows [N, D] of type uint8, float32 or float64, less the offset of their columns.
        labels: Classes [N] of type int32, in 0 .. C - 1. Or a 0 or a 1 for each of several labels [N, C], of type
            int8. Or numbers [N, C] in standard units, of a floating type.
        rows: Indices [n] of the split's rows, of type int32, if several splits share the images. None means all rows.
        label_map: New class of each class in `labels`, [classes of the labels] of type int32. It is -1 for a class that
            the split leaves out. None means the same classes.
        count: Number of rows that count, a scalar of type int32. The rows behind them repeat real rows and only fill
            the shape, so that splits of different sizes share programs. None means all rows.
        weights: Weight [N] of each row of the images in the losses, of type float32. None means that all count the
            same.
    """

    images: jax.Array
    labels: jax.Array
    rows: jax.Array | None = None
    label_map: jax.Array | None = None
    count: jax.Array | None = None  # pyright: ignore[reportIncompatibleMethodOverride] (no tuple counts its items here)
    weights: jax.Array | None = None

    @property
    def capacity(self) -> int:
        """Return the number of rows with rows that only fill the shape."""
        return len(self.labels) if self.rows is None else len(self.rows)

    @property
    def size(self) -> int:
        """Return the number of rows that count. In a compiled program of a padded split it is traced."""
        if self.count is None:
            return self.capacity
        return cast(int, self.count) if isinstance(self.count, Tracer) else int(self.count)

    @property
    def mask(self) -> jax.Array | None:
        """Return booleans [n], True for rows that count, or None if all count."""
        return None if self.count is None else jnp.arange(self.capacity, dtype=jnp.int32) < self.count

    def take(self, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return some of the split's rows.

        Args:
            indices: Indices [B] in the split.

        Returns:
            Images [B, D] and labels [B] or [B, C].
        """
        rows = indices if self.rows is None else self.rows[indices]
        labels = self.labels[rows]
        return self.images[rows], labels if self.label_map is None else self.label_map[labels]

    def weights_of(self, indices: jax.Array) -> jax.Array | None:
        """Return the weights of some of the split's rows.

        Args:
            indices: Indices [...] in the split.

        Returns:
            Weights [...], or None without weights.
        """
        if self.weights is None:
            return None
        return self.weights[indices if self.rows is None else self.rows[indices]]

    @property
    def own_rows(self) -> np.ndarray:
        """Return the indices [N] of the split's own rows in its images, on the host."""
        return (np.arange(self.capacity) if self.rows is None else np.asarray(self.rows))[: self.size]

    @property
    def own_images(self) -> np.ndarray:
        """Return the images [N, D] of the split's own rows on the host."""
        return np.asarray(self.images)[slice(self.size) if self.rows is None else self.own_rows]

    @property
    def own_labels(self) -> np.ndarray:
        """Return the labels [N] or [N, C] of the split's own rows on the host."""
        labels = np.asarray(self.labels)[slice(self.size) if self.rows is None else self.own_rows]
        return labels if self.label_map is None else np.asarray(self.label_map)[labels]

    @property
    def own_weights(self) -> np.ndarray | None:
        """Return the weights [N] of the split's own rows on the host, or None without weights."""
        return None if self.weights is None else np.asarray(self.weights)[self.own_rows]


def joined(splits: Sequence[Split]) -> Split:
    """Return one split of the rows of several, one after the other.

    Args:
        splits: One or more splits. All have weights, or none.

    Returns:
        A split without `rows`, whose arrays are new.
    """
    images = np.concatenate([split.own_images for split in splits])
    labels = np.concatenate([split.own_labels for split in splits])
    weights = [split.own_weights for split in splits if split.own_weights is not None]
    of_rows = on_device(np.concatenate(weights)) if weights else None
    return Split(on_device(images), on_device(labels), weights=of_rows)


def with_shared_rows(train: Split, valid: Split) -> tuple[Split, Split]:
    """Return two splits that share one array of images. Other divisions of its rows then copy no images.

    Args:
        train: Training rows.
        valid: Validation rows.

    Returns:
        The training and the validation rows. Splits that share their images already are returned as they are. The
        images of others are copied, with the validation rows first.
    """
    if train.rows is not None and valid.rows is not None and train.images is valid.images:
        return train, valid
    pool = joined((valid, train))
    of_valid, of_train = np.split(np.arange(pool.size, dtype=np.int32), [valid.size])
    return pool._replace(rows=on_device(of_train)), pool._replace(rows=on_device(of_valid))


@dataclass(frozen=True)
class Columns:
    """What is known of the training rows, column by column, to check other rows by.

    Attributes:
        dtype: Type of the rows as they were given, such as "uint8".
        low: Smallest training value [D] of each column, of type float64.
        high: Largest training value [D] of each column, of type float64.
        names: Names of the D columns if the rows were given as a data frame.
        offset: Numbers [D] that are subtracted from rows before the device holds them, of type float64, or None.
        dim_share: Share of the training rows whose values all lie in 0 .. 1, one of them above 0. None if the rows are
            at hand to count them.
    """

    dtype: str
    low: np.ndarray = field(compare=False, repr=False)
    high: np.ndarray = field(compare=False, repr=False)
    names: tuple[str, ...] | None = None
    offset: np.ndarray | None = field(default=None, compare=False, repr=False)
    dim_share: float | None = field(default=None, compare=False, repr=False)


class Info(NamedTuple):
    """Where the rows are from, and what they mean.

    Attributes:
        name: Name of the data set. It contains "synthetic" if the data set is.
        source: Place that the rows came from.
        synthetic: Whether the rows were drawn, not observed.
        class_names: Names of the C classes.
        digest: Digest of all arrays as they were given. Another value means other rows or labels.
        data: Sizes and scaling of the rows. A configuration with other ones is refused.
        columns: Ranges of the training rows, by which other rows are checked.
        label_values: The C labels as they were given. A prediction of class i means label_values[i].
        table: Columns of the table that the rows were made of, which turn new data frames into rows. None for arrays.
        targets: Names and units of the numbers that are predicted. None but for regression.
    """

    name: str
    source: str
    synthetic: bool
    class_names: tuple[str, ...]
    digest: str
    data: Data | None = None
    columns: Columns | None = None
    label_values: tuple[int | bool | str, ...] | None = None
    table: TableColumns | None = None
    targets: Targets | None = None
