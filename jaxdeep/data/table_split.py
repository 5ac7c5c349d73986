"""Make rows and labels of a table, in the parts of a Dataset."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args

import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import Task, check
from jaxdeep.config.values import shown
from jaxdeep.data.labels import as_labels
from jaxdeep.data.rows import Rows
from jaxdeep.data.split_rows import split_rows
from jaxdeep.data.table_columns import Numbers, TableColumns
from jaxdeep.data.table_fit import fitted, kind_of
from jaxdeep.data.tables import Table, as_table, is_table, is_table_path
from jaxdeep.data.targets import as_targets
from jaxdeep.errors import UserError

MOST_RARE: Final = 30
"""Number of different numbers up to which a target may have few rows of each."""
FEWEST_ROWS: Final = 5
"""Rows of each number, on average, from which on more of them can be classes."""


class Divided(NamedTuple):
    """The rows of a table in the order that a Dataset takes them.

    Attributes:
        arrays: Rows and labels with the validation rows first, then test rows and labels. Without a test part, these
            are a training row.
        valid_rows: Number of validation rows.
        columns: Columns of the table as the training rows have taught them.
        weights: Weights of the validation and training rows, or None.
        test_weights: Weights of the test rows, or None.
        target_names: Names of the labels or numbers, or None for classes.
    """

    arrays: tuple[Rows, np.ndarray, Rows, np.ndarray]
    valid_rows: int
    columns: TableColumns
    weights: np.ndarray | None = None
    test_weights: np.ndarray | None = None
    target_names: tuple[str, ...] | None = None


def divided(
    given: Any,
    target: str | Sequence[str],
    test: Any,
    data: Data,
    drop: Sequence[str],
    group: str | None,
    split_seed: int,
    numbers: Numbers,
    weight: str | None,
    task: Task = "classification",
) -> Divided:
    """Divide the rows of a table. `Dataset.from_table` describes it and its arguments."""
    table = as_table(given, "the table")
    targets = _targets(table, target, task)
    check_type("group", group, (str, type(None)), "the name of a column, or None")
    dropped = _names(table, drop)
    check_type("weight", weight, (str, type(None)), "the name of a column, or None")
    if weight is not None:
        table.check_name(weight, "weight column")
    if group is not None:
        table.check_name(group, "group column")
        if data.resample:
            raise UserError("data.resample would draw rows of a group apart. Remove it, or group.")
    check("numbers", numbers, numbers in get_args(Numbers), ", ".join(get_args(Numbers)))
    for name in targets:
        if name in dropped or name in (group, weight):
            raise UserError(f"the target {name!r} is dropped, or is the group or the weight too. Give another column.")
    names = [name for name in table.names if name not in {*targets, group, weight, *dropped}]
    if "" in names:
        raise UserError(
            f"{table.what} has a column without a name, as pandas writes its index. Save it with index=False, or "
            "drop ''."
        )
    labels = _labels(table, targets, task)

    text = tuple(name for name in names if kind_of(table, name) == "category")
    other = _other_table(test, (*text, *targets * (labels.dtype.kind == "O")))
    groups = None if group is None else _codes(table.column(group).to_pylist(), group)
    strata = labels if task == "classification" else np.zeros(len(labels), np.int8)
    of_test, of_valid, of_train = split_rows(strata, groups, None if other is not None else test, data, split_seed)

    columns = fitted(table, names, of_train[: data.train_size], numbers)
    rows = columns.rows_of(table, check=False)
    order = np.concatenate([of_valid, of_train])
    of_test = order[-1:] if test is None else of_test  # a row that fills the shape
    weights = None if weight is None else np.asarray(table.column(weight).to_numpy())
    if other is None:
        test_rows, test_labels = rows[of_test], labels[of_test]
    else:
        test_rows = columns.rows_of(other, check=False)
        test_labels = _labels(other, _targets(other, target, task), task)
    arrays = (_rows(rows[order], columns), labels[order], _rows(test_rows, columns), test_labels)
    found = Divided(arrays, len(of_valid), columns, target_names=None if task == "classification" else targets)
    if weights is None:
        return found
    return found._replace(weights=weights[order], test_weights=None if other is not None else weights[of_test])


def _rows(values: np.ndarray, columns: TableColumns) -> Rows:
    return Rows(values, str(values.dtype), values, columns.features)


def _names(table: Table, drop: Any) -> tuple[str, ...]:
    """Return the names of the columns to leave out."""
    if isinstance(drop, str) or not isinstance(drop, Sequence):
        raise UserError(f"drop is {shown(drop)}. Give a tuple of names, such as ('id', 'date').")
    for name in drop:
        check_type("drop", name, str, "names of columns")
        table.check_name(name, "column to drop,")
    return tuple(drop)


def _targets(table: Table, target: Any, task: Task) -> tuple[str, ...]:
    """Return the names of the target columns."""
    is_one = isinstance(target, str)
    if not is_one and (not isinstance(target, Sequence) or not all(isinstance(name, str) for name in target)):
        raise UserError(f"target is {shown(target)}. Give the name of a column, or names.")
    names = (target,) if is_one else tuple(target)
    if not names or len(set(names)) < len(names):
        raise UserError(f"target is {shown(target)}. Give different names of columns.")
    if task == "classification" and len(names) > 1:
        raise UserError(f"target has {len(names)} columns. Give one, or task='multilabel' for several labels of a row.")
    for name in names:
        table.check_name(name, "target")
    return names


def _labels(table: Table, targets: Sequence[str], task: Task) -> np.ndarray:
    """Return the labels [N] of a table, or its other targets [N, C]."""
    found = []
    for target in targets:
        values = table.column(target)
        labels = np.asarray(values.to_numpy())
        missing = np.count_nonzero(np.isnan(labels)) if labels.dtype.kind == "f" else values.null_count
        if missing:
            raise UserError(
                f"{missing} of {table.rows} rows of {table.what} miss the target {target!r}. Remove these rows."
            )
        found.append(labels)
    if task == "classification":
        _check_classes(found[0], targets[0])
        return as_labels(found[0], f"the target {targets[0]!r}").values
    of_each = [as_targets(of[:, None], f"the target {name!r}", task) for of, name in zip(found, targets, strict=True)]
    return np.concatenate([of.values for of in of_each], 1)


def _check_classes(labels: np.ndarray, target: str) -> None:
    """Refuse numbers that seem to be no classes: fractions, or many different ones with few rows each."""
    if labels.dtype.kind not in "fiu" or not len(labels):
        return
    different = len(np.unique(labels))
    has_fractions = labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
    if has_fractions or (different > MOST_RARE and different * FEWEST_ROWS > len(labels)):
        raise UserError(
            f"the target {target!r} has {different} different numbers in {len(labels)} rows: it seems to be no class. "
            "Predict a number, by model.head linear and task='regression', or give classes as text."
        )


def _other_table(test: Any, text: Sequence[str]) -> Table | None:
    """Return the table of the test rows, or None if there is no such table."""
    is_file = is_table_path(test) or isinstance(test, str)
    return as_table(test, "the test table", text) if is_file or is_table(test) else None


def _codes(values: Sequence[Any], group: str) -> np.ndarray:
    """Return the number of each row's group."""
    if missing := sum(value is None or value != value for value in values):
        raise UserError(f"{missing} rows miss the group {group!r}. Fill it in, or remove these rows.")
    numbers: dict[Any, int] = {}
    return np.asarray([numbers.setdefault(str(value), len(numbers)) for value in values])
