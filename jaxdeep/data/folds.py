"""Stratified folds for cross-validation. All share the same images."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import NotPlain, integer, shown
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.scaling import ColumnRange, mean_and_scale, offset_of, warn_of_offset
from jaxdeep.errors import UserError


def stratified_folds(dataset: Dataset, data: Data, count: int, seed: int = 0) -> tuple[Dataset, ...]:
    """Divide the training and the validation rows into folds.

    Each returned data set validates on one fold and trains on the others. The sizes of the folds differ by one row at
    most. So do the rows of a class in them. A fold's images are scaled by constants of its own training rows. All data
    sets share the images on the device and have the same test rows.

    Args:
        dataset: Data set whose training and validation rows are divided.
        data: Configuration that the data set was made with.
        count: Number of folds, 2 or more.
        seed: Seed of the order in which a class's rows are dealt, in 0 .. 2^32 - 1.

    Returns:
        A data set for each fold.

    Raises:
        UserError: An argument has another type or is out of its range. A class has fewer rows than there are folds. The
            data set was made with another `Data`.

    Warns:
        JaxdeepWarning: A column varies too little around its mean for float32.
    """
    check_type("dataset", dataset, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    dataset.check_prepared_as(data)
    try:
        count = integer(count)
    except NotPlain:
        raise UserError(f"count is {shown(count)}. Give a whole number of folds, 2 or more.") from None
    seed = plain_seed(seed)
    check_folds(dataset, count)
    images = np.concatenate([np.asarray(split.images)[_rows(split)] for split in (dataset.valid, dataset.train)])
    labels = _labels(dataset)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), np.int32)
    fold_of[by_class] = np.arange(len(labels)) % count

    pool = Split(jnp.asarray(images), jnp.asarray(labels))
    folds = (_fold(dataset, data, pool, images, fold_of == fold) for fold in range(count))
    return tuple(
        replace(fold, info=fold.info and fold.info._replace(digest=f"{fold.info.digest}, {index} of {count} ({seed})"))
        for index, fold in enumerate(folds)
    )


def check_folds(dataset: Dataset, count: int) -> None:
    """Refuse a number of folds that the rows do not allow.

    Args:
        dataset: Data set whose training and validation rows are divided.
        count: Number of folds.

    Raises:
        UserError: There are fewer than two folds, or a class has fewer rows than folds.
    """
    counts = np.bincount(_labels(dataset), minlength=dataset.classes)
    rarest = counts[counts > 0].min()  # a class without rows here is in the test rows only
    if rarest < 2:
        raise UserError(f"{count} folds are not possible because a class has 1 row only. Give it more, or remove it.")
    if not 2 <= count <= rarest:
        raise UserError(f"{count} folds are not possible. Give 2 to {rarest}, the rows of the rarest class.")


def _labels(dataset: Dataset) -> np.ndarray:
    """Return the labels of the validation rows and then of the training rows."""
    return np.concatenate([np.asarray(split.labels)[_rows(split)] for split in (dataset.valid, dataset.train)])


def _rows(split: Split) -> Any:
    """Return an index of a split's rows."""
    return slice(None) if split.rows is None else np.asarray(split.rows)


def _fold(dataset: Dataset, data: Data, pool: Split, images: np.ndarray, is_valid: np.ndarray) -> Dataset:
    """Return the data set of one fold.

    Args:
        dataset: Data set that is divided.
        data: Configuration that the data set was made with.
        pool: All N rows on the device.
        images: Images [N, D] of the pool on the host.
        is_valid: Booleans [N], True for the validation rows.

    Returns:
        A data set that shares the rows of the pool.
    """
    train, valid = (np.flatnonzero(chosen).astype(np.int32) for chosen in (~is_valid, is_valid))
    rows, info = images[train], dataset.info
    column_range = ColumnRange.of(rows)
    mean, scale = mean_and_scale(data, rows)
    columns = info.columns if info else None
    if (offset := offset_of(rows, column_range, str(rows.dtype))) is not None and data.scaling == "standardize":
        warn_of_offset(offset, columns.names if columns else None)
    if info and columns:
        shift = 0 if columns.offset is None else columns.offset
        columns = replace(columns, low=column_range.low + shift, high=column_range.high + shift)
        info = info._replace(columns=columns)
    return replace(
        dataset,
        info=info,
        train=pool._replace(rows=jnp.asarray(train)),
        valid=pool._replace(rows=jnp.asarray(valid)),
        mean=jnp.asarray(mean),
        scale=jnp.asarray(scale),
    )
