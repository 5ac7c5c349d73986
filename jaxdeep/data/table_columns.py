"""Columns of a table as features: what the training rows have taught, kept as JSON, and applied to any rows."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from jaxdeep.data.formats import one_line
from jaxdeep.data.tables import Table, as_table, is_table, listed
from jaxdeep.errors import UserError, warn

LARGEST: Final = float(np.finfo(np.float32).max)
"""Largest value that float32 holds."""
CLIPPED: Final = 1e-7
"""Probability below which a rank is clipped, so that its normal quantile stays within -5.2 .. 5.2."""

LISTS: Final = ("values", "quantiles", "edges")
"""Fields of a column that JSON keeps as lists."""

Kind = Literal["number", "boolean", "category"]
Numbers = Literal["standardize", "quantile", "piecewise_linear"]


class Features(NamedTuple):
    """Feature columns made of one column of a table.

    Attributes:
        values: Numbers [N, features] of type float64.
        doubt: Sentence on values that the training rows do not have. Empty if there are none.
    """

    values: np.ndarray
    doubt: str = ""


@dataclass(frozen=True)
class TableColumn:
    """One column of a table and its features.

    A number gives its value, its normal quantile, or with bins a feature for each bin: the share of the bin that lies
    below the value. If training rows miss some, a last feature is 1 where the value is missing. A category
    gives a feature for each of its frequent values, which is 1 for that value. If training rows have others or miss
    some, a last feature is 1 for these.

    Attributes:
        name: Name of the column.
        kind: Kind of the column: number, boolean or category.
        median: Median of the training values of a number or a boolean, which stands for missing ones. 0 for a category.
        marks_missing: Whether a feature of a number or a boolean marks missing values.
        values: Frequent training values of a category.
        has_other: Whether a feature of a category stands for rare, unseen and missing values.
        quantiles: Training values of a number at equal steps of rank, which map it to normal quantiles. Empty: the
            number is taken as it is.
        edges: Edges of a number's bins, one more than bins. Empty: it has no bins.
    """

    name: str
    kind: Kind
    median: float = 0.0
    marks_missing: bool = False
    values: tuple[str, ...] = ()
    has_other: bool = False
    quantiles: tuple[float, ...] = field(default=(), repr=False)
    edges: tuple[float, ...] = field(default=(), repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the features."""
        if self.kind == "category":
            return (*(f"{self.name}={value}" for value in self.values), *[f"{self.name} other"] * self.has_other)
        bins = len(self.edges) - 1
        names = [f"{self.name} bin {index + 1}" for index in range(bins)] if bins > 0 else [self.name]
        return (*names, *[f"{self.name} missing"] * self.marks_missing)

    def of(self, table: Table) -> Features:
        """Return the features of a table's rows.

        Args:
            table: Table that has the column.

        Raises:
            UserError: The column is missing, or its values are of another kind.
        """
        if self.kind == "category":
            return self._one_hot(table)
        values = numbers_of(table, self.name)
        missing = np.isnan(values)
        values = np.where(missing, self.median, values)
        features = self._bins(values) if self.edges else self._scores(values)[:, None]
        if self.marks_missing:
            return Features(np.concatenate([features, missing[:, None]], 1))
        count = np.count_nonzero(missing)
        doubt = f"{count} values of {self.name!r} are missing, and no training row misses one: the median stands there"
        return Features(features, doubt * bool(count))

    def _one_hot(self, table: Table) -> Features:
        import pyarrow
        from pyarrow import compute

        texts = texts_of(table, self.name)
        places = compute.index_in(texts, value_set=pyarrow.array(self.values, pyarrow.string()))  # pyright: ignore
        places = compute.fill_null(places, len(self.values)).to_numpy()
        features = places[:, None] == np.arange(len(self.values) + self.has_other)
        count = 0 if self.has_other else np.count_nonzero(places == len(self.values))
        doubt = f"{count} values of {self.name!r} are missing or in no training row"
        return Features(features.astype(np.float64), doubt * bool(count))

    def _scores(self, values: np.ndarray) -> np.ndarray:
        """Return the normal quantiles of values by their rank among the training values, or the values themselves.

        A value that several ranks share gets their mean, which the two directions of interpolation give.
        """
        if not self.quantiles:
            return values
        from scipy.special import ndtri

        known, ranks = np.asarray(self.quantiles), np.linspace(0, 1, len(self.quantiles))
        rank = (np.interp(values, known, ranks) - np.interp(-values, -known[::-1], -ranks[::-1])) / 2
        return ndtri(np.clip(rank, CLIPPED, 1 - CLIPPED))

    def _bins(self, values: np.ndarray) -> np.ndarray:
        """Return the piecewise linear encoding [N, bins] of values.

        It is 1 for a bin below the value, 0 for one above, and linear within the bin. The first and the last bin are
        linear beyond the training values too.

        Source: Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning, 2022, equation 1.
        """
        edges = np.asarray(self.edges)
        shares = (values[:, None] - edges[:-1]) / np.diff(edges)
        lowest, highest = np.zeros(len(edges) - 1), np.ones(len(edges) - 1)
        lowest[0], highest[-1] = -np.inf, np.inf
        return np.clip(shares, lowest, highest)


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that are features, in their order. It holds texts and numbers only, no rows.

    Attributes:
        columns: Columns that give features.

    >>> columns = TableColumns((TableColumn("age", "number", 40.0), TableColumn("town", "category", values=("A", "B"))))
    >>> columns.features
    ('age', 'town=A', 'town=B')
    >>> TableColumns.from_dict(columns.to_dict()) == columns
    True
    """

    columns: tuple[TableColumn, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the D features."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def text(self) -> tuple[str, ...]:
        """Return the names of the columns that are read as text."""
        return tuple(column.name for column in self.columns if column.kind == "category")

    def rows_of(self, given: Any, *, check: bool = True) -> np.ndarray:
        """Turn rows of a table into the rows that the network takes.

        Columns are matched by name. Other columns are ignored.

        Args:
            given: Data frame, or the path of a .csv, .tsv or .parquet file, with N rows.
            check: Whether to warn of values that the training rows do not have.

        Returns:
            Rows [N, D] of type float64, unscaled and without a missing value.

        Raises:
            UserError: A column is missing or of another kind, a value is infinite, there are no rows, or a package is
                not installed.

        Warns:
            JaxdeepWarning: A value is missing in a column whose training values are complete, or a category is in no
                training row.
        """
        table = as_table(given, "the table", self.text)
        missing = [column.name for column in self.columns if column.name not in table]
        if missing:
            raise UserError(
                f"{table.what} lacks the column{'s' if len(missing) > 1 else ''} {listed(missing)} of the training "
                "rows. Give all of them."
            )
        if not table.rows:
            raise UserError(f"{table.what} has no rows. Give at least one.")
        found = [column.of(table) for column in self.columns]
        doubts = [features.doubt for features in found if features.doubt]
        if doubts and check:
            warn(f"{'. '.join(doubts[:3])}. Check the rows, or pass check=False.")
        return np.concatenate([features.values for features in found], 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the columns as JSON values."""
        return {"columns": [{**asdict(column), "values": list(column.values)} for column in self.columns]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "TableColumns":
        """Return the columns of a record.

        Args:
            record: What `to_dict` returned, before or after JSON.

        Raises:
            KeyError: A value is missing.
            TypeError: A value has another type, or is of a later version.
        """
        columns = []
        for column in record["columns"]:
            fields: dict[str, Any] = {"edges": (), **column}  # a network that was saved before bins were known has none
            fields.update({name: tuple(fields[name]) for name in LISTS})
            columns.append(TableColumn(**fields))
        return cls(tuple(columns))


def features_of(columns: TableColumns | None, rows: Any, *, check: bool = True) -> Any:
    """Turn a data frame or a table's file into rows if the network was trained on a table. Others stay as they are.

    Args:
        columns: Columns of the table. None if it was trained on arrays.
        rows: Rows of any kind.
        check: Whether to warn of values that the training rows do not have.

    Returns:
        Rows [N, D], or the given object.

    Raises:
        UserError: The data frame does not fit the columns.

    Warns:
        JaxdeepWarning: A value is of a kind that the training rows do not have.
    """
    if columns is None or not (is_table(rows) or isinstance(rows, str | os.PathLike)):
        return rows
    return columns.rows_of(rows, check=check)


def numbers_of(table: Table, name: str) -> np.ndarray:
    """Return a column as numbers.

    Args:
        table: Table of N rows.
        name: Name of the column.

    Returns:
        Numbers [N] of type float64, NaN where a value is missing.

    Raises:
        UserError: A value is no number, or is infinite in float32.
    """
    import pyarrow

    values = table.column(name)
    try:
        numbers = np.array(values.cast(pyarrow.float64(), safe=False).to_numpy())
    except pyarrow.ArrowException as error:
        raise UserError(
            f"the column {name!r} of {table.what} is {values.type}, expected numbers ({one_line(error)}). "
            "Give the type of the training rows."
        ) from error
    wrong = np.flatnonzero(np.abs(numbers) > LARGEST)
    if wrong.size:
        raise UserError(
            f"{wrong.size} values of the column {name!r} of {table.what} are infinite in float32, the first "
            f"({numbers[wrong[0]]}) in row {wrong[0]}. Leave them empty, or rescale the column."
        )
    return numbers


def texts_of(table: Table, name: str) -> Any:
    """Return a column as texts.

    Args:
        table: Table of N rows.
        name: Name of the column.

    Returns:
        A ChunkedArray of pyarrow with N strings, null where a value is missing.

    Raises:
        UserError: The values have a type that is no text, such as a list.
    """
    import pyarrow

    values = table.column(name)
    try:
        return values.cast(pyarrow.string())
    except pyarrow.ArrowException as error:
        raise UserError(
            f"the column {name!r} of {table.what} is {values.type}, expected text ({one_line(error)}). "
            "Give the type of the training rows."
        ) from error
