"""Read a table's columns: data frames of any kind through narwhals, and .csv, .tsv and .parquet files by pyarrow.

Both packages are the extra jaxdeep[tables]. They are imported when a table is given.
"""

import os
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jaxdeep.config.words import perhaps
from jaxdeep.data.formats import one_line
from jaxdeep.errors import UserError

ENDS: Final = (".csv", ".tsv", ".parquet")
"""Ends of the names of files that hold a table."""
INDEX: Final = "__index_level_"
"""Beginning of the name of a column that holds an index of pandas. It is no column of the table."""
LISTED: Final = 12
"""Number of column names that a message lists."""


class Table:
    """The columns of a table by name.

    Attributes:
        what: Name of the table, for messages.
        names: Names of the columns.
        rows: Number of rows N.
    """

    def __init__(self, given: Any, what: str) -> None:
        check_packages(what)
        import narwhals

        try:
            self._frame = narwhals.from_native(given, eager_only=True)
            columns = self._frame.columns
        except Exception as error:  # narwhals refuses in several ways
            raise UserError(
                f"{what}, a {type(given).__name__}, cannot be read as a table ({one_line(error)}). Give a data frame "
                "of pandas, polars or pyarrow, or the path of a .csv or .parquet file."
            ) from error
        self.what, self.rows = what, len(self._frame)
        self._columns = {str(name): name for name in columns if not str(name).startswith(INDEX)}
        self.names = tuple(self._columns)
        if len(set(map(str, columns))) < len(columns):
            raise UserError(f"{what} has two columns of one name. Rename one of them.")

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def column(self, name: str) -> Any:
        """Return a column as an array of pyarrow.

        Args:
            name: Name of the column.

        Returns:
            A ChunkedArray of N values. A dictionary is replaced by its values, so that categories are plain values.

        Raises:
            UserError: There is no such column, or its values are of several types.
        """
        import pyarrow

        self.check_name(name)
        try:
            values = self._frame.get_column(self._columns[name]).to_arrow()
            values = values if isinstance(values, pyarrow.ChunkedArray) else pyarrow.chunked_array([values])
            return values.cast(values.type.value_type) if pyarrow.types.is_dictionary(values.type) else values
        except pyarrow.ArrowException as error:
            raise UserError(
                f"the column {name!r} of {self.what} has no one type ({one_line(error)}). Give it one, or drop it."
            ) from error

    def frame(self, names: Sequence[str] | None) -> Any:
        """Return a table of pyarrow.

        Args:
            names: Names of the columns to take if the table has them all. None takes all of its columns.
        """
        import pyarrow

        taken = names if names is not None and all(name in self for name in names) else self.names
        return pyarrow.table({name: self.column(name) for name in taken})

    def check_name(self, name: str, role: str = "column") -> None:
        """Refuse a name that no column has.

        Args:
            name: Name of a column.
            role: Role of the column, for the message.

        Raises:
            UserError: There is no such column. The message has the nearest name.
        """
        if name not in self:
            raise UserError(
                f"{self.what} has no {role} {name!r}.{perhaps(name, self.names)} Its columns: {listed(self.names)}."
            )

    def is_categorical(self, name: str) -> bool:
        """Return whether a column has a categorical type.

        Args:
            name: Name of the column.
        """
        import narwhals

        return self._frame.schema[self._columns[name]] in (narwhals.Categorical, narwhals.Enum)


def is_table(given: Any) -> bool:
    """Return whether an object has named columns, as a data frame has.

    Args:
        given: Any object.
    """
    return hasattr(type(given), "columns") or isinstance(given, Table)


def is_table_path(given: Any) -> bool:
    """Return whether an object is a path whose end is one of ENDS.

    Args:
        given: Any object.
    """
    return isinstance(given, str | os.PathLike) and Path(given).suffix.lower() in ENDS


def as_table(given: Any, what: str, text: Collection[str] = ()) -> Table:
    """Make a table of a data frame or of a file.

    Args:
        given: Data frame of pandas, polars, pyarrow or another package that narwhals knows, or a path. `~` is the home
            folder.
        what: Name of the argument, for messages. A path is named itself.
        text: Names of the columns that a .csv or .tsv file holds as text, whatever they look like.

    Returns:
        The table.

    Raises:
        UserError: The object is no table, the file cannot be read, or a package is not installed.
    """
    if isinstance(given, Table):
        return given
    if isinstance(given, str | os.PathLike):
        return _read(Path(os.path.expanduser(given)), text)
    if not is_table(given):
        raise UserError(
            f"{what} is a {type(given).__name__}. Give a data frame of pandas, polars or pyarrow, or the path of a "
            ".csv or .parquet file."
        )
    return Table(given, what)


def check_packages(what: str) -> None:
    """Refuse to go on without narwhals and pyarrow.

    Args:
        what: Name of what needs them, for the message.

    Raises:
        UserError: A package is not installed.
    """
    missing = [name for name in ("narwhals", "pyarrow") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs {' and '.join(missing)} to be read as a table, not installed here. Install jaxdeep[tables]."
        )


def listed(names: Collection[str]) -> str:
    """List names for a message.

    Args:
        names: Names of columns.
    """
    first = ", ".join(list(names)[:LISTED])
    return f"{first} and {len(names) - LISTED} more" if len(names) > LISTED else first


def _read(path: Path, text: Collection[str]) -> Table:
    """Return the table in a file."""
    if not is_table_path(path):
        raise UserError(f"{path} is no table by its name. Give a file whose name ends in {', '.join(ENDS)}.")
    check_packages(str(path))
    import pyarrow
    from pyarrow import csv, parquet

    try:
        with open(path, "rb") as stream:
            if path.suffix.lower() == ".parquet":
                return Table(parquet.read_table(stream), str(path))
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            types = {name: pyarrow.string() for name in text}
            return Table(
                csv.read_csv(
                    stream,
                    parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                    convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=True),
                ),
                str(path),
            )
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or one_line(error)}). Give the path of a table."
        ) from error
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable table ({one_line(error)}). Save it again.") from error
