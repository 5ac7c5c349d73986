"""Divide a user's rows into training, validation and test part and check each of them."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.choices import Task
from jaxdeep.data.arrays import column_name
from jaxdeep.data.labels import Encoding, Labels, as_labels, checked_names, encode, listed
from jaxdeep.data.rows import CHUNK_ROWS, Rows, aligned, as_rows, flat
from jaxdeep.data.targets import LARGEST, Given, as_targets
from jaxdeep.errors import UserError, warn


class Part(NamedTuple):
    """Rows of one part of a data set and their place in the user's argument.

    Attributes:
        name: Name "training", "validation" or "test".
        argument: Name of the argument that holds the rows.
        first: Index of the part's first row in that argument.
        rows: Rows of the part.
        labels: Classes [N] int32 in 0 .. C - 1. Or numbers [N, C] float64, or a 0 or a 1 for each label [N, C] int8.
    """

    name: str
    argument: str
    first: int
    rows: Rows
    labels: np.ndarray

    def place(self, row: int, column: int) -> str:
        """Name the place of a value for a message.

        Args:
            row: Index of the row in the part.
            column: Index of the value in a flattened row.

        Returns:
            Row, argument and column in words.
        """
        return f"row {self.first + row} of {self.argument}, {column_name(column, self.rows.names)}"


class Division(NamedTuple):
    """Rows divided into parts.

    Attributes:
        parts: Training, validation and test part.
        encoding: Labels as classes. For other tasks, its codes are the targets, and its values their names.
        digest: Digest of all arrays as they were given.
    """

    parts: tuple[Part, Part, Part]
    encoding: Encoding
    digest: str


def divide(
    images: Any,
    labels: Any,
    test_images: Any,
    test_labels: Any,
    data: Data,
    class_names: Sequence[str] | None,
    valid_rows: int | None = None,
    *,
    is_tested: bool = True,
    task: Task = "classification",
) -> Division:
    """Divide rows into training, validation and test part.

    Args:
        images: Training and validation rows [N, ...] as `Dataset.from_arrays` takes them.
        labels: Labels [N] or [N, 1] of images.
        test_images: Test rows [M, ...]. None takes the last `data.valid_size` rows of images.
        test_labels: Labels [M] or [M, 1] of test_images, or None.
        data: Configuration with the sizes of the parts.
        class_names: Names of the C classes. None if the labels name the classes.
        valid_rows: Number of validation rows at the beginning of images. None takes what `data.valid_size` says.
        is_tested: Whether test rows count. Otherwise they only fill a shape, and may lack classes.
        task: What the labels are.

    Returns:
        The parts and the labels as classes.

    Raises:
        UserError: Shapes, types or sizes do not fit, or a value or a label cannot be used.

    Warns:
        JaxdeepWarning: The validation or the test part lacks a class.
    """
    if (test_images is None) != (test_labels is None):
        raise UserError("test_images and test_labels go together, and one of them is missing. Give both or none.")
    rows, given = as_rows(images, "images"), {"labels": _taken(labels, "labels", task)}
    _check_shapes("training", rows, given["labels"])
    count = data.valid_rows(len(rows.values)) if valid_rows is None else valid_rows
    if test_images is None:
        test_count = data.valid_rows(len(rows.values) - (valid_rows or 0))
        test, rest = "images", max(len(rows.values) - test_count, 0)
        first, test_rows, rows = rest, rows.taken(slice(rest, None)), rows.taken(slice(rest))
        if not len(test_rows.values) or not rest:
            raise _too_few(data, rest)
    else:
        test, rest, first = "test_images", len(rows.values), 0
        test_rows = aligned(as_rows(test_images, test), rows.names, test)
        given["test_labels"] = _taken(test_labels, "test_labels", task)
        _check_shapes("test", test_rows, given["test_labels"])
    if test_rows.values.shape[1:] != rows.values.shape[1:]:
        raise UserError(
            f"a test row has the shape {test_rows.values.shape[1:]}, a training row {rows.values.shape[1:]}. "
            "Give rows of one shape."
        )
    if rest <= count:
        raise _too_few(data, rest)

    encoding = _encoded(given, class_names)
    codes, test_codes = encoding.codes[0][:rest], encoding.codes[-1][first:]
    start, end = count, None if data.train_size is None else count + data.train_size
    parts = (
        Part("training", "images", start, rows.taken(slice(start, end)), codes[start:end]),
        Part("validation", "images", 0, rows.taken(slice(start)), codes[:start]),
        Part("test", test, first, test_rows, test_codes),
    )
    if task == "classification":
        check_classes(parts if is_tested else parts[:2], encoding.values)
    else:
        _warn_of_constant(parts[0], encoding.names)
    for part in parts:
        check_values(part)
    sources = [
        argument_labels.values if encoding.is_identity and getattr(argument_labels, "is_integer_array", False) else code
        for argument_labels, code in zip(given.values(), encoding.codes, strict=True)
    ]
    digest = _digest(
        (rows.source, sources[0][:rest], test_rows.source, sources[-1][first:]),
        "" if encoding.is_identity else repr(encoding.values),
    )
    return Division(parts, encoding, digest)


def check_values(part: Part) -> None:
    """Refuse values that float32 cannot hold.

    Args:
        part: Rows to check.

    Raises:
        UserError: A value is masked, not finite, or infinite in float32. The message tells the count and the place of
            the first.
    """
    rows = part.rows
    if rows.mask is not None:
        refuse_where(part, lambda start, stop: flat(rows.mask)[start:stop], "masked", "Fill in a value")
    if rows.values.dtype == np.uint8:
        return
    values = flat(rows.values)
    with np.errstate(invalid="ignore"):
        low, high = float(values.min()), float(values.max())
    if low >= -LARGEST and high <= LARGEST:
        return
    refuse_where(part, lambda start, stop: ~np.isfinite(values[start:stop]), "not finite", "Fill in a value")
    refuse_where(part, lambda start, stop: np.abs(values[start:stop]) > LARGEST, "infinite in float32", "Rescale it")


def refuse_where(part: Part, is_bad: Callable[[int, int], Any], what: str, advice: str) -> None:
    """Refuse a part that has bad values.

    Args:
        part: Rows to look at.
        is_bad: Function from start and stop to booleans [stop - start, D] for these rows.
        what: Property of a bad value, for the message.
        advice: Remedy, for the message.

    Raises:
        UserError: A value is bad. The message tells the number of bad values and place and value of the first.
    """
    count, first = 0, None
    for start in range(0, len(part.rows.values), CHUNK_ROWS):
        bad = np.asarray(is_bad(start, start + CHUNK_ROWS))
        count += int(bad.sum())
        if first is None and bad.any():
            row, column = np.argwhere(bad)[0].tolist()
            first = start + row, column
    if first is not None:
        value = "" if what == "masked" else f" ({flat(part.rows.values)[first]})"
        values = "1 value" if count == 1 else f"{count} values"
        raise UserError(
            f"{values} of the {part.name} rows {'is' if count == 1 else 'are'} {what}, the first{value} in "
            f"{part.place(*first)}. {advice}, or remove such rows."
        )


def check_classes(parts: Sequence[Part], values: Sequence[Any]) -> None:
    """Refuse a class that cannot be learnt and warn of a class that is not measured.

    Args:
        parts: Training, validation and test part.
        values: The C labels as they were given.

    Raises:
        UserError: A class has no training row.

    Warns:
        JaxdeepWarning: A class has no validation row or no test row.
    """
    train, *others = parts
    absent = _absent(train, values)
    if absent.size:
        labels = listed([values[index] for index in absent])
        tested = [part.name for part in others if np.isin(absent, part.labels).any()]
        where = f"the {' and the '.join(tested)} rows have them" if tested else "no row has them"
        raise UserError(
            f"the training part lacks the classes {labels}, and {where}. Rows sorted by class cause this. "
            "Shuffle them first, or remove these classes."
        )
    for part in others:
        if (absent := _absent(part, values)).size:
            labels = listed([values[index] for index in absent])
            warn(
                f"the {part.name} part lacks the classes {labels}, so its figures say nothing of them. "
                "Shuffle the rows, or give it more."
            )


def _absent(part: Part, values: Sequence[Any]) -> np.ndarray:
    """Return the classes without a row in a part."""
    return np.flatnonzero(np.bincount(part.labels, minlength=len(values)) == 0)


def _taken(labels: Any, what: str, task: Task) -> Labels | Given:
    """Return the labels of one argument."""
    return as_labels(labels, what) if task == "classification" else as_targets(labels, what, task)


def _encoded(given: dict[str, Any], class_names: Sequence[str] | None) -> Encoding:
    """Return labels as classes. Other targets stay as they are, and get names."""
    first = next(iter(given.values()))
    if isinstance(first, Labels):
        return encode(given, class_names)
    columns = {of.values.shape[1] for of in given.values()}
    if len(columns) > 1:
        raise UserError(f"labels has {first.values.shape[1]} columns, and test_labels another number. Give as many.")
    (count,) = columns
    names = checked_names(class_names) or first.names
    names = names or (("target",) if count == 1 else tuple(f"target {index}" for index in range(count)))
    if len(names) != count:
        raise UserError(f"class_names has {len(names)} names, and labels has {count} columns. Give one for each.")
    return Encoding(tuple(of.values for of in given.values()), names, names, is_identity=False)


def _warn_of_constant(train: Part, names: Sequence[str]) -> None:
    """Warn of targets that are the same in all training rows."""
    constant = [name for name, of in zip(names, train.labels.T, strict=True) if of.min() == of.max()]
    if constant:
        warn(
            f"the training rows have one value only in {listed(constant)}, so there is nothing to learn of it. Shuffle "
            "the rows, or remove it."
        )


def _check_shapes(part: str, rows: Rows, labels: Labels | Given) -> None:
    """Refuse rows and labels whose shapes do not fit."""
    shape, labels_shape = rows.values.shape, labels.values.shape
    if len(shape) < 2 or (isinstance(labels, Labels) and len(labels_shape) != 1) or shape[0] != labels_shape[0]:
        advice = ", or images.reshape(-1, 1) for one column" if len(shape) == 1 else ""
        raise UserError(
            f"{part} images have the shape {shape} and labels {labels_shape}. Give [N, ...] and [N]{advice}."
        )
    if shape[0] == 0:
        raise UserError(f"there are no {part} rows. Give one or more.")
    if 0 in shape:
        raise UserError(f"{part} images have the shape {shape}, without a value. Give one column or more.")


def _too_few(data: Data, rest: int) -> UserError:
    """Return the error for a part that has no rows left."""
    return UserError(
        f"data.valid_size is {data.valid_size}, and {rest} rows are left for training and validation, which both need "
        "some. Give a smaller data.valid_size, or more rows."
    )


def _digest(arrays: Sequence[np.ndarray], encoding: str) -> str:
    """Return 16 hexadecimal digits that identify arrays and the encoding of labels."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(encoding.encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]


def digest_with(digest: str, arrays: Sequence[np.ndarray]) -> str:
    """Return the digest of what another digest identifies and of further arrays.

    Args:
        digest: Digest of a data set.
        arrays: Weights of its rows.
    """
    return _digest(arrays, digest)
