"""Fill a data set up to few sizes, so that data sets of nearly equal sizes share programs."""

from dataclasses import replace

import jax
import numpy as np

from jaxdeep.data.buckets import bucket
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.device import on_device
from jaxdeep.data.info import Split


def padded(dataset: Dataset) -> Dataset:
    """Return a data set whose splits are filled up to the sizes of their buckets.

    The added rows repeat the split's own in turn and count nowhere. A step sees the same rows as without them, in
    another order.

    Args:
        dataset: Data set whose splits have their own images.

    Returns:
        A data set of the same rows, whose arrays are copies.
    """
    parts = {name: _padded(getattr(dataset, name)) for name in ("train", "valid", "test")}
    return replace(dataset, **parts)


def _padded(split: Split) -> Split:
    """Return a split of one array of rows, filled up to the size of its bucket."""
    rows = np.resize(split.own_rows, bucket(split.size))

    def filled(array: jax.Array | None) -> jax.Array | None:
        return None if array is None else on_device(np.asarray(array)[rows])

    images, labels = filled(split.images), filled(split.labels)
    assert images is not None
    assert labels is not None
    count = on_device(split.size, np.int32)
    return split._replace(images=images, labels=labels, rows=None, weights=filled(split.weights), count=count)
