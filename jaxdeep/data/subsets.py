"""Subsets of a data set's rows: some of its classes, some rows of each class, or its test rows for validation.

All subsets of a data set share its images and its labels on the device. Numbers of rows are padded to a few sizes, so
that subsets of about the same size share their compiled programs.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.data import SUBSET
from jaxdeep.data.buckets import bucket
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.device import on_device
from jaxdeep.data.info import Split, with_shared_rows
from jaxdeep.data.scaling import ColumnRange, mean_and_scale, offset_of, warn_of_offset
from jaxdeep.errors import UserError, warn


def subset_of(dataset: Dataset, data: Data) -> Dataset:
    """Return the data set of the rows that a configuration chooses.

    `data.classes` keeps the rows of some classes. `data.train_size` takes the first training rows of these.
    `data.valid_per_class` draws validation rows of each class from the training and validation rows, and
    `data.per_class` draws training rows from the others. The draw of a class depends on `data.draw`, on the class, and
    on the rows of the class. Smaller draws are parts of larger ones, and the validation rows do not depend on
    `data.per_class`. `data.validate_on_test` takes the test rows for validation and all others for training.

    Images are scaled by constants of the subset's own training rows.

    Args:
        dataset: Data set that was made with `data.base()`, or such a subset of it.
        data: Configuration that chooses the rows.

    Returns:
        The subset. It is the given data set if the configuration chooses no rows or the data set is the subset.

    Raises:
        UserError: The data set was made with another `Data`, there is no such class, or a class has too few rows.

    Warns:
        JaxdeepWarning: A class has no validation row or no test row, or a column varies too little around its mean for
            float32.
    """
    chosen = selected(dataset, data)
    if chosen is dataset:
        return dataset
    _warn_of_missing(chosen)
    return with_constants(chosen, data, chosen.train.own_images)


def selected(dataset: Dataset, data: Data) -> Dataset:
    """Return the rows of a subset like `subset_of`, without constants of their own and without a warning.

    Args:
        dataset: Data set that was made with `data.base()`, or such a subset of it.
        data: Configuration that chooses the rows.

    Returns:
        The subset, scaled like the data set.

    Raises:
        UserError: Something that `subset_of` refuses.
    """
    dataset.check_prepared_as(data)
    if not data.is_subset or is_subset(dataset):
        return dataset
    if dataset.task != "classification":
        fields = ", ".join(f"data.{field}" for field in SUBSET)
        raise UserError(f"{fields} choose rows by class, and the targets are no classes. Remove these fields.")
    kept = data.classes or tuple(range(dataset.classes))
    if max(kept) >= dataset.classes:
        raise UserError(
            f"data.classes has {max(kept)}, and the data set has the classes 0 to {dataset.classes - 1}. "
            "Give indices of its classes."
        )
    splits, rows = _rows(dataset, data, kept)
    info = dataset.info
    if info is not None:
        values = info.label_values
        info = info._replace(
            data=data,
            class_names=tuple(info.class_names[index] for index in kept),
            label_values=None if values is None else tuple(values[index] for index in kept),
        )
    return replace(dataset, info=info, classes=len(kept), **_splits(splits, rows, dataset.classes, kept, data))


def is_subset(dataset: Dataset) -> bool:
    """Return whether a data set holds rows that a configuration has chosen.

    Args:
        dataset: Any data set.
    """
    own = dataset.info.data if dataset.info else None
    return dataset.train.label_map is not None or (own is not None and own.is_subset)


def pooled(dataset: Dataset, datas: Sequence[Data]) -> Dataset:
    """Return a data set whose training and validation rows share one array of images if a configuration needs it.

    Subsets of the returned data set then share that array. Subsets of the given one would each have a copy.

    Args:
        dataset: Data set that several configurations choose rows of.
        datas: These configurations.
    """
    if is_subset(dataset) or not any(data.takes_both for data in datas):
        return dataset
    train, valid = with_shared_rows(dataset.train, dataset.valid)
    return replace(dataset, train=train, valid=valid)


def unpadded(dataset: Dataset) -> Dataset:
    """Return the same data set without the rows that only fill its shape.

    Args:
        dataset: Data set with padded splits or without.
    """

    def of_split(split: Split) -> Split:
        if split.count is None:
            return split
        return split._replace(rows=on_device(split.own_rows.astype(np.int32)), count=None)

    return replace(dataset, **{name: of_split(getattr(dataset, name)) for name in ("train", "valid", "test")})


def with_constants(dataset: Dataset, data: Data, images: np.ndarray) -> Dataset:
    """Return a data set with scaling constants and column ranges of its own training rows.

    Args:
        dataset: Data set whose rows are chosen.
        data: Configuration with the scaling.
        images: Training rows [N, D] as the device holds them.

    Returns:
        A data set with the same rows.

    Warns:
        JaxdeepWarning: A column varies too little around its mean for float32.
    """
    info, column_range = dataset.info, ColumnRange.of(images)
    mean, scale = mean_and_scale(data, images)
    columns = info.columns if info else None
    if (offset := offset_of(images, column_range, str(images.dtype))) is not None and data.scaling == "standardize":
        warn_of_offset(offset, columns.names if columns else None)
    if info and columns:
        shift = 0 if columns.offset is None else columns.offset
        columns = replace(columns, low=column_range.low + shift, high=column_range.high + shift)
        info = info._replace(columns=columns)
    return replace(dataset, info=info, mean=on_device(mean), scale=on_device(scale))


class _Rows(NamedTuple):
    """Indices of the chosen rows in the images of each part, in rising order."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def _rows(dataset: Dataset, data: Data, kept: Sequence[int]) -> tuple[tuple[Split, Split, Split], _Rows]:
    """Return the parts that rows are taken from, and the rows."""
    train, valid, test = dataset.train, dataset.valid, dataset.test
    if data.takes_both:
        train, valid = with_shared_rows(train, valid)
    of_train, of_valid, of_test = (_of_classes(split, kept) for split in (train, valid, test))
    if data.validate_on_test:
        of_train = np.concatenate([of_valid, of_train])
        valid, of_valid = test, of_test
    labels = np.asarray(train.labels)
    if data.valid_per_class is not None:
        pool = np.concatenate([of_valid, of_train])
        of_valid = _drawn(labels, pool, kept, data.draw, 0, data.valid_per_class, "data.valid_per_class")
        most = None if data.per_class is None else data.valid_per_class + data.per_class
        of_train = _drawn(labels, pool, kept, data.draw, data.valid_per_class, most, "data.per_class")
    elif data.per_class is not None:
        of_train = _drawn(labels, of_train, kept, data.draw, 0, data.per_class, "data.per_class")
    of_train = np.sort(of_train)[: data.train_size]
    missing = np.setdiff1d(kept, labels[of_train])
    if len(missing):
        raise UserError(
            f"the training rows lack {_named(missing)}. Leave such classes out of data.classes, or give more rows."
        )
    if not len(of_valid) or (test.size and not len(of_test)):
        raise UserError(
            f"the {'test' if len(of_valid) else 'validation'} part has no row of data.classes {tuple(kept)}. Give "
            "classes that it has."
        )
    return (train, valid, test), _Rows(of_train, of_valid, of_test)


def _of_classes(split: Split, kept: Sequence[int]) -> np.ndarray:
    """Return the indices of the split's rows of some classes."""
    rows = split.own_rows
    return rows[np.isin(np.asarray(split.labels)[rows], kept)]


def _drawn(
    labels: np.ndarray, pool: np.ndarray, kept: Sequence[int], seed: int, begin: int, end: int | None, field: str
) -> np.ndarray:
    """Return some rows of each class: those at the places begin to end in a random order of the class's rows.

    Args:
        labels: Labels of all rows.
        pool: Indices of the rows that may be drawn.
        kept: Classes whose rows are drawn.
        seed: Seed of the draw. A class has a generator of its own.
        begin: First place.
        end: Place behind the last one, or None for all rows.
        field: Name of the field that says how many, for the message.

    Returns:
        Indices of the drawn rows in rising order.
    """
    drawn, pool = [], np.sort(pool)
    for label in kept:
        rows = pool[labels[pool] == label]
        if len(rows) < (begin + 1 if end is None else end):
            needed = f"{begin + 1 if end is None else end:,} rows{' with the validation rows' if begin else ''}"
            raise UserError(f"{field} needs {needed} of class {label}, which has {len(rows):,}. Draw fewer rows.")
        drawn.append(np.random.default_rng((seed, label)).permutation(rows)[begin:end])
    return np.sort(np.concatenate(drawn))


def _splits(splits: Sequence[Split], rows: _Rows, classes: int, kept: Sequence[int], data: Data) -> dict[str, Split]:
    """Return the splits of a subset by name. Rows of all classes that nothing draws keep the form of their split."""
    train, valid, test = splits
    if not data.classes and not data.is_drawn:
        is_whole = len(rows.train) == len(train.labels)
        train = train._replace(rows=None if is_whole else on_device(rows.train.astype(np.int32)))
        return {"train": train, "valid": valid, "test": test}
    mapped = np.full(classes, -1, np.int32)
    mapped[list(kept)] = np.arange(len(kept))
    label_map = on_device(mapped)
    padded = [_padded(split, of_split, label_map) for split, of_split in zip(splits, rows, strict=True)]
    if data.validate_on_test:
        padded[1] = padded[2]
    return dict(zip(("train", "valid", "test"), padded, strict=True))


def _padded(split: Split, rows: np.ndarray, label_map: jax.Array) -> Split:
    """Return a split of some rows. They are repeated in turn up to the size of their bucket."""
    filled = np.resize(rows, bucket(len(rows))).astype(np.int32)
    count = on_device(len(rows), np.int32)
    return split._replace(rows=on_device(filled), label_map=label_map, count=count)


def _warn_of_missing(dataset: Dataset) -> None:
    """Warn of a class that the validation or the test rows lack."""
    for name, split in (("validation", dataset.valid), ("test", dataset.test)):
        missing = np.setdiff1d(np.arange(dataset.classes), split.own_labels)
        if split.size and len(missing):
            warn(
                f"the {name} part of the subset lacks {_named(missing)}, so its figures say nothing of them. "
                "Give it more rows."
            )


def _named(classes: np.ndarray) -> str:
    """Return classes in words."""
    shown = ", ".join(map(str, classes[:5].tolist())) + (", ..." if len(classes) > 5 else "")
    return f"class {shown}" if len(classes) == 1 else f"the classes {shown}"
