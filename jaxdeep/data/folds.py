"""Stratified folds for cross-validation, all on the same images."""

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
    """Divide the training and the validation rows into folds, each of which is the validation rows of a data set.

    The folds' sizes differ by one row at most, and so do the rows of a class in them. A fold's images are scaled by
    constants of its own training rows. All share the images on the device; the test rows are the same.

    Args:
        dataset: its training and validation rows are dealt out.
        data: how images are scaled: that of the data set.
        count: of folds, 2 or more.
        seed: of the order in which a class's rows are dealt, in 0 .. 2^32 - 1.

    Returns:
        A data set for each fold.

    Raises:
        UserError: an argument has another type or is out of its range, a class has fewer rows than there are folds, or
            the data set was made with another `Data`.
    """
    check_type("dataset", dataset, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    dataset.check_prepared_as(data)
    try:
        count = integer(count)
    except NotPlain:
        raise UserError(f"count is {shown(count)}; allowed: a whole number of folds, 2 or more") from None
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
        dataset: its training and validation rows are dealt out.
        count: of folds.

    Raises:
        UserError: fewer than two, or a class has fewer rows.
    """
    counts = np.bincount(_labels(dataset), minlength=dataset.classes)
    rarest = counts[counts > 0].min()  # a class may be in the test rows only
    if rarest < 2:
        raise UserError(f"{count} folds; none are possible, because a class has 1 row only. Give it more, or remove it")
    if not 2 <= count <= rarest:
        raise UserError(f"{count} folds; allowed: 2 to {rarest}, the rows of the rarest class")


def _labels(dataset: Dataset) -> np.ndarray:
    return np.concatenate([np.asarray(split.labels)[_rows(split)] for split in (dataset.valid, dataset.train)])


def _rows(split: Split) -> Any:
    return slice(None) if split.rows is None else np.asarray(split.rows)


def _fold(dataset: Dataset, data: Data, pool: Split, images: np.ndarray, is_valid: np.ndarray) -> Dataset:
    train, valid = (np.flatnonzero(chosen).astype(np.int32) for chosen in (~is_valid, is_valid))
    rows, info = images[train], dataset.info
    of_rows = ColumnRange.of(rows)
    mean, scale = mean_and_scale(data, rows)
    columns = info.columns if info else None
    if (lost := offset_of(rows, of_rows, str(rows.dtype))) is not None and data.scaling == "standardize":
        warn_of_offset(lost, columns.names if columns else None, stacklevel=5)
    if info and columns:
        shift = 0 if columns.offset is None else columns.offset
        columns = replace(columns, low=of_rows.low + shift, high=of_rows.high + shift)
        info = info._replace(columns=columns)
    return replace(
        dataset,
        info=info,
        train=pool._replace(rows=jnp.asarray(train)),
        valid=pool._replace(rows=jnp.asarray(valid)),
        mean=jnp.asarray(mean),
        scale=jnp.asarray(scale),
    )
