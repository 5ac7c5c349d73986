"""Stratified divisions of the training and validation rows: folds, and validation rows drawn anew for each seed.

All divisions of a data set share its images on the device. Folds are not padded. Their sizes differ by one row, so they
need two sets of programs at most, and padded rows have another order with other bits.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import NotPlain, integer, shown
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.device import on_device
from jaxdeep.data.info import joined, with_shared_rows
from jaxdeep.data.subsets import selected, subset_of, with_constants
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
            data set was made with another `Data`, or with `data.resample`.

    Warns:
        JaxdeepWarning: A column varies too little around its mean for float32.
    """
    check_type("dataset", dataset, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    dataset = subset_of(dataset, data)
    try:
        count = integer(count)
    except NotPlain:
        raise UserError(f"count is {shown(count)}. Give a whole number of folds, 2 or more.") from None
    seed = plain_seed(seed)
    check_folds(dataset, data, count)
    pool = joined((dataset.valid, dataset.train))
    images, labels = pool.own_images, _strata(dataset, pool.own_labels)
    fold_of = np.empty(len(labels), np.int32)
    fold_of[_by_class(labels, np.random.default_rng(seed))] = np.arange(len(labels)) % count

    folds = (
        _divided(dataset, data, pool, images, np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold))
        for fold in range(count)
    )
    return tuple(
        replace(fold, info=fold.info and fold.info._replace(digest=f"{fold.info.digest}, {index} of {count} ({seed})"))
        for index, fold in enumerate(folds)
    )


def datasets_of_seeds(dataset: Dataset, data: Data, seeds: Sequence[int]) -> dict[int, Dataset]:
    """Return the data set of each seed: the rows that a configuration chooses from a data set of several.

    A subset of the rows (`subset_of`) is the same for all seeds. With `data.resample`, each seed draws validation rows
    of its own from the training and validation rows, as many as before, and trains on the others. A class has its share
    of the validation rows, rounded up or down. The draw depends on the seed and on these rows. A data set that a seed
    has drawn gives the same rows again. Without both, the data set is the given one.

    Images are scaled by constants of the data set's own training rows. All data sets share the images on the device.
    Without `data.classes` they have the same test rows.

    Args:
        dataset: Data set whose training and validation rows are divided.
        data: Configuration that the data set was made with.
        seeds: Seeds of the runs in 0 .. 2^32 - 1. A seed may occur several times.

    Returns:
        The data set of each seed by the seed.

    Raises:
        UserError: The data set was made with another `Data`, or a class could be left without training rows.

    Warns:
        JaxdeepWarning: A column varies too little around its mean for float32.
    """
    dataset = subset_of(dataset, data)
    if not data.resample:
        return dict.fromkeys(seeds, dataset)
    check_resample(dataset)
    train, valid = with_shared_rows(dataset.train, dataset.valid)
    rows = np.sort(np.concatenate([np.asarray(valid.rows), np.asarray(train.rows)]))
    images, labels = np.asarray(train.images), _strata(dataset, np.asarray(train.labels)[rows])
    drawn = {}
    for seed in dict.fromkeys(seeds):
        is_valid = _drawn(labels, valid.size, seed)
        drawn[seed] = _divided(dataset, data, train, images, rows[~is_valid], rows[is_valid])
    return drawn


def check_folds(dataset: Dataset, data: Data, count: int) -> None:
    """Refuse a number of folds that the rows or the configuration do not allow.

    Args:
        dataset: Data set whose training and validation rows are divided.
        data: Configuration of the division.
        count: Number of folds.

    Raises:
        UserError: There are fewer than two folds, a class has fewer rows than folds, or each seed draws its own
            validation rows.
    """
    if data.resample:
        raise UserError("data.resample has no effect with folds, which validate on each row once. Remove one of them.")
    if data.validate_on_test:
        raise UserError("data.validate_on_test has no effect with folds. Remove one of them.")
    rarest = _rarest(selected(dataset, data))
    if rarest < 2:
        raise UserError(f"{count} folds are not possible because a class has 1 row only. Give it more, or remove it.")
    if not 2 <= count <= rarest:
        raise UserError(f"{count} folds are not possible. Give 2 to {rarest}, the rows of the rarest class.")


def check_resample(dataset: Dataset) -> None:
    """Refuse rows if a seed could draw all rows of a class for validation.

    Args:
        dataset: Data set whose training and validation rows are divided.

    Raises:
        UserError: A class has too few rows.
    """
    count, rarest = dataset.train.size + dataset.valid.size, _rarest(dataset)
    if rarest * dataset.train.size < count:
        needed = -(-count // dataset.train.size)
        raise UserError(
            f"data.resample needs {needed} training and validation rows of each class, and the rarest has {rarest}. A "
            "seed could leave it without a training row. Give it more, remove it, or lower data.valid_size."
        )


def _rarest(dataset: Dataset) -> int:
    """Return the number of training and validation rows of the rarest class."""
    valid, train = (
        np.bincount(_strata(dataset, split.own_labels), minlength=dataset.classes)
        for split in (dataset.valid, dataset.train)
    )
    counts = valid + train
    return int(counts[counts > 0].min())  # a class without rows here is in the test rows only


def _strata(dataset: Dataset, labels: np.ndarray) -> np.ndarray:
    """Return the classes that a division gives their shares. Other targets are one class."""
    return labels if dataset.task == "classification" else np.zeros(len(labels), np.int32)


def _by_class(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of all rows, one class after the other, in random order within a class."""
    shuffled = rng.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _drawn(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw validation rows.

    Every row is as likely as any other. Taking rows at equal distances from rows ordered by class gives each class its
    share, rounded up or down.

    Args:
        labels: Labels [N].
        count: Number of validation rows, below N.
        seed: Seed of the generator.

    Returns:
        Booleans [N], True for the validation rows.
    """
    rng = np.random.default_rng(seed)
    by_class, first = _by_class(labels, rng), rng.integers(len(labels))
    is_valid = np.zeros(len(labels), np.bool_)
    is_valid[by_class[(np.arange(count) * len(labels) + first) // count]] = True
    return is_valid


def _divided(
    dataset: Dataset, data: Data, pool: Split, images: np.ndarray, train: np.ndarray, valid: np.ndarray
) -> Dataset:
    """Return the data set of one division.

    Args:
        dataset: Data set that is divided.
        data: Configuration that the data set was made with.
        pool: All N rows on the device.
        images: Images [N, D] of the pool on the host.
        train: Indices of the training rows in the pool.
        valid: Indices of the validation rows in the pool.

    Returns:
        A data set that shares the rows of the pool.
    """
    divided = replace(
        dataset,
        train=pool._replace(rows=on_device(train.astype(np.int32))),
        valid=pool._replace(rows=on_device(valid.astype(np.int32))),
    )
    return with_constants(divided, data, images[train])
