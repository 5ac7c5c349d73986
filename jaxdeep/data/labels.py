"""Encode labels of any kind as classes 0 .. C - 1 and keep the originals."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Final, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdeep.config.values import shown
from jaxdeep.data.arrays import EXACT_IN_FLOAT64, as_array, is_missing
from jaxdeep.errors import UserError

SHOWN: Final = 10
"""Number of labels that a message lists."""

Kind = Literal["integers", "booleans", "text"]


class Labels(NamedTuple):
    """Labels of one argument.

    Attributes:
        values: Labels [N], integers, booleans or strings.
        kind: Kind of the labels.
        is_integer_array: Whether they were given as an array of an integer type.
    """

    values: np.ndarray
    kind: Kind
    is_integer_array: bool


class Encoding(NamedTuple):
    """Labels as classes.

    Attributes:
        codes: Classes [N] int32 in 0 .. C - 1 for each argument.
        names: Names of the C classes.
        values: The C labels as they were given. Class i is values[i].
        is_identity: Whether every label is the number of its class.
    """

    codes: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    values: tuple[int | bool | str, ...]
    is_identity: bool


def as_labels(given: Any, what: str) -> Labels:
    """Turn labels of any origin into integers, booleans or strings.

    Args:
        given: Labels [N] or [N, 1]. They are integers, integer-valued floating numbers, booleans or strings.
        what: Name of the argument, for the message.

    Returns:
        The labels. One column becomes one dimension.

    Raises:
        UserError: There are several columns, missing values, fractions, mixed types, or a type that names no class.
    """
    if np.ma.isMaskedArray(given) and np.ma.is_masked(given):
        row = int(np.flatnonzero(np.ma.getmaskarray(given))[0])
        raise UserError(f"{what} masks the label of row {row}. Remove such rows, or fill in a label.")
    array = as_array(given, what)
    if array.ndim == 2:
        array = _one_column(array, what)
    if array.dtype.kind == "O":
        array = _uniform(array, what)
    dtype = array.dtype
    if dtype == np.bool_:
        return Labels(array, "booleans", is_integer_array=False)
    if jnp.issubdtype(dtype, jnp.integer) and dtype.kind != "m":  # NumPy counts durations among the integers
        return Labels(array, "integers", is_integer_array=np.issubdtype(dtype, np.integer))
    if jnp.issubdtype(dtype, jnp.floating):
        return Labels(_integers(array, what), "integers", is_integer_array=False)
    if dtype.kind in "UTSO":
        return Labels(_strings(array, what), "text", is_integer_array=False)
    raise UserError(f"{what} is {dtype}, and a label names a class. Give integers, booleans or strings.")


def encode(given: Mapping[str, Labels], class_names: Sequence[str] | None) -> Encoding:
    """Encode the labels of all arguments as classes together.

    Without names the classes are the labels in sorted order. With names strings are looked up among them and integers
    are indices into them.

    Args:
        given: Labels by the name of their argument.
        class_names: Names of the C classes. None if the labels name the classes.

    Returns:
        The labels as classes.

    Raises:
        UserError: Arguments differ in kind, a label is not among the names, or there is one class only.
    """
    kinds = {what: labels.kind for what, labels in given.items()}
    if len(set(kinds.values())) > 1:
        raise UserError(f"{' and '.join(f'{what} holds {kind}' for what, kind in kinds.items())}. Give one kind.")
    kind = next(iter(kinds.values()))
    unique = [np.unique(labels.values, return_inverse=True) for labels in given.values()]
    all_labels: list[Any] = sorted({value for values, _ in unique for value in values.tolist()})
    names = checked_names(class_names)
    values = tuple(all_labels) if names is None else _named(all_labels, names, kind)
    if len(values) < 2:
        raise UserError(f"the labels have one class only, {listed(values)}. Give rows of 2 or more.")
    index = {value: code for code, value in enumerate(values)}
    codes = tuple(
        np.asarray([index[value] for value in values.tolist()], np.int32)[places] for values, places in unique
    )
    is_identity = kind == "integers" and values == tuple(range(len(values)))
    return Encoding(codes, names or tuple(map(str, values)), values, is_identity)


def listed(values: Sequence[Any]) -> str:
    """List the first ten labels for a message.

    Args:
        values: Labels.

    Returns:
        The labels in brackets.
    """
    return f"[{', '.join(map(repr, values[:SHOWN]))}{', ...' if len(values) > SHOWN else ''}]"


def _one_column(array: np.ndarray, what: str) -> np.ndarray:
    """Return the only column of labels, or refuse several columns."""
    if array.shape[1] == 1:
        return array[:, 0]
    is_number = array.dtype == np.bool_ or jnp.issubdtype(array.dtype, jnp.number)
    if array.size and is_number and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all():
        raise UserError(f"{what} has the shape {array.shape} and looks one-hot. Give {what}.argmax(1).")
    raise UserError(f"{what} has the shape {array.shape}. Give one label a row, [N] or [N, 1].")


def _uniform(array: np.ndarray, what: str) -> np.ndarray:
    """Convert objects of one kind to an array of that kind. Strings stay objects."""
    if array.ndim != 1:
        return np.zeros(array.shape, np.int64)  # the shape is refused later together with that of the rows
    kinds: dict[str, int] = {}
    for row, value in enumerate(array):
        if is_missing(value):
            raise UserError(f"{what} misses the label of row {row}. Remove such rows, or fill in a label.")
        kinds.setdefault(_kind_of(value, what, row), row)
    if kinds.keys() == {"integer", "fraction"}:
        return _integers(np.asarray(array.tolist(), np.longdouble), what)
    if len(kinds) > 1:
        mixed = " and ".join(f"{array[row]!r} (row {row})" for row in kinds.values())
        raise UserError(f"{what} mixes types: {mixed}. Give integers, booleans or strings, of one kind.")
    if kinds.keys() == {"boolean"}:
        return array.astype(np.bool_)
    if kinds.keys() == {"integer"}:
        if outside := [value for value in array if not -(2**63) <= value < 2**63]:
            raise UserError(f"{what} holds {outside[0]}, too large for a class. Give integers of 64 bits.")
        return array.astype(np.int64)
    return array.astype(np.float64) if kinds.keys() == {"fraction"} else array


def _kind_of(value: Any, what: str, row: int) -> str:
    """Return the kind of a label that is an object."""
    if isinstance(value, str | bytes):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, Integral):
        return "integer"
    if isinstance(value, Real):
        return "fraction"
    raise UserError(f"{what} holds a {type(value).__name__} in row {row}. Give integers, booleans or strings.")


def _integers(array: np.ndarray, what: str) -> np.ndarray:
    """Convert floating labels to integers, or refuse fractions."""
    wrong = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)) | (np.abs(array) > EXACT_IN_FLOAT64))
    if wrong.size:
        value = array.reshape(-1)[wrong[0]]
        reason = "a fraction" if np.isfinite(value) and value != np.floor(value) else "no integer"
        raise UserError(f"{what} holds {value} in row {wrong[0]}, {reason}. Give classes as integers or names.")
    return array.astype(np.int64)


def _strings(array: np.ndarray, what: str) -> np.ndarray:
    """Convert labels to an array of strings."""
    try:
        texts = [value.decode() if isinstance(value, bytes) else str(value) for value in array.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise UserError(f"{what} holds bytes that are no UTF-8 ({error}). Give strings.") from error
    return np.asarray(texts, object).reshape(array.shape)


def checked_names(class_names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of the classes as strings, or None without names."""
    if isinstance(class_names, str):
        raise UserError(f"class_names is the string {class_names!r}. Give one for each class, such as ('cat', 'dog').")
    if class_names is None:
        return None
    is_several = hasattr(class_names, "__len__") and hasattr(class_names, "__iter__")
    is_ordered = is_several and not isinstance(class_names, bytes | dict | set | frozenset)
    if not is_ordered or getattr(class_names, "shape", None) == ():
        raise UserError(
            f"class_names is {shown(class_names)}. Give one for each class in order, such as ('cat', 'dog')."
        )
    if len(class_names) == 0:
        return None
    return tuple(map(str, class_names))


def _named(labels: Sequence[Any], names: tuple[str, ...], kind: str) -> tuple[Any, ...]:
    """Return the labels of the named classes in the order of the names."""
    if kind == "text" and len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UserError(f"class_names has {listed(twice)} twice. Give each class a name of its own.")
    values_by_kind: dict[str, tuple[Any, ...]] = {"text": names, "booleans": (False, True)}
    values = values_by_kind.get(kind, tuple(range(len(names))))
    if kind == "booleans" and len(names) != 2:
        raise UserError(f"class_names has {len(names)} names, and the labels are booleans. Give 2 names.")
    if outside := [value for value in labels if value not in values]:
        allowed = listed(names) if kind == "text" else f"0 .. {len(names) - 1}, one for each of class_names"
        raise UserError(f"the labels hold {listed(outside)}. Give {allowed}, or correct class_names.")
    return values
