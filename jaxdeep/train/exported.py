"""Load an exported network and ask it. Nothing that trains is imported."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import Task
from jaxdeep.data.buckets import filled
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.info import Columns, Info, Split
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.data.table_columns import TableColumns
from jaxdeep.errors import UserError
from jaxdeep.train.exported_file import read_folder

Label = int | bool | str


@dataclass(frozen=True)
class ExportedNetwork:
    """A network that `Run.export` wrote. `load_exported` returns it.

    Attributes:
        class_names: Names of the C classes. They are "0", "1", ... if the training rows had none.
        labels: The C labels as they were given. A prediction of class i is labels[i].
        row_shape: Shape of one row, such as (28, 28, 1). Its product is the number of features D.
        dtype: Type in which the network computes, "float32" or "float64".
        platforms: Platforms that it was exported for, such as ("cpu", "cuda", "tpu").
        version: Version of jaxdeep that wrote it.
        task: What it predicts: "classification", "multilabel" or "regression".
    """

    class_names: tuple[str, ...]
    labels: tuple[Label, ...]
    row_shape: tuple[int, ...]
    dtype: str
    platforms: tuple[str, ...]
    version: str
    _data: Dataset = field(repr=False)
    _program: Callable[[Any], jax.Array] = field(repr=False)
    task: Task = "classification"

    @property
    def table(self) -> TableColumns | None:
        """Return the columns of the table that it was trained on. None if it was trained on arrays."""
        return self._data.info.table if self._data.info else None

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """Return the names of the D columns of a row. None if the training rows had none."""
        info = self._data.info
        return info.columns.names if info and info.columns else None

    def rows_of(self, frame: Any, *, check: bool = True) -> np.ndarray:
        """Turn a data frame into the rows that the network takes. The graph of `model.onnx` takes them too.

        Args:
            frame: Data frame with the columns of the training table, or the path of a .csv, .tsv or .parquet file, with
                N rows. Columns are matched by name, and others are ignored.
            check: Whether to warn of values that the training rows do not have.

        Returns:
            Rows [N, D] in the type in which the network computes, unscaled.

        Raises:
            UserError: The network was trained on arrays. Or a column is missing or has another type.

        Warns:
            JaxdeepWarning: A value is missing in a column whose training values are complete, or a category is in no
                training row.
        """
        if self.table is None:
            raise UserError("the network was trained on arrays, not on a table. Give its rows as they are.")
        return self.table.rows_of(frame, check=check).astype(self.dtype)

    def probabilities(self, rows: Any, *, check: bool = True) -> np.ndarray:
        """Return class probabilities, as `Run.predict` does.

        The number of rows is rounded up to few sizes, so that few programs are compiled.

        Args:
            rows: Rows [N, *row_shape] or [N, D], unscaled like the training rows, N at least 1. Or a data frame, whose
                columns are matched by name. It has gaps and categories if the training table had them.
            check: Whether the rows are compared with the range of the training rows. False is for rows of another kind.

        Returns:
            Probabilities [N, C]. Each row sums to 1, unless a row has several labels.

        Raises:
            UserError: The rows have another shape, type or scale than the training rows, or a value or a probability is
                not finite. Or the network predicts numbers.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        if self.task == "regression":
            raise UserError("the network predicts numbers, which have no probabilities. Use predict.")
        return self._answers(rows, check=check)

    def _answers(self, rows: Any, *, check: bool) -> np.ndarray:
        """Return what the network says of rows [N, C]."""
        stored = checked_rows(self._data, rows, check=check, dtype=self.dtype).astype(self.dtype)
        found = np.asarray(self._program(filled(stored)))[: len(stored)]
        check_answers(found)
        return found

    def predict(self, rows: Any, *, check: bool = True) -> np.ndarray:
        """Return the label of the most probable class of each row. Or its labels, or its numbers.

        Args:
            rows: Rows [N, *row_shape] or [N, D], unscaled like the training rows, N at least 1. Or a data frame, whose
                columns are matched by name. It has gaps and categories if the training table had them.
            check: Whether the rows are compared with the range of the training rows. False is for rows of another kind.

        Returns:
            Labels [N] as they were given for training: integers, booleans or strings. If a row has several labels,
            booleans [N, C], True where a probability is above a half. For regression, numbers [N] or [N, C] in the
            units of the targets.

        Raises:
            UserError: The rows have another shape, type or scale than the training rows, or a value or a probability is
                not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        found = self._answers(rows, check=check)
        if self.task == "classification":
            return np.asarray(self.labels)[found.argmax(1)]
        if self.task == "multilabel":
            return found > 0.5
        return found[:, 0] if found.shape[1] == 1 else found


def load_exported(folder: str | Path) -> ExportedNetwork:
    """Read a network that `Run.export` or `--export` wrote.

    Reading it needs jax, numpy and flatbuffers, and imports nothing that trains. The folder has no pickles. A folder
    that is damaged or of a later format is refused.

    Args:
        folder: Path of the folder. `~` is the user's home.

    Returns:
        The network.

    Raises:
        UserError: The folder is missing, damaged or of a later format, JAX has another platform or no float64, or
            flatbuffers is not installed.
    """
    check_type("folder", folder, (str, os.PathLike), "a path")
    path = Path(os.path.expanduser(folder))
    record, network = read_folder(path)
    check_flatbuffers("load_exported")
    try:
        rows, labels, platforms = record["rows"], tuple(record["labels"]), tuple(record["platforms"])
        data, dtype = _dataset(record), rows["input"]
        fields = (tuple(record["class_names"]), labels, data.image_shape, dtype, platforms, record["jaxdeep"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: cannot be read as an exported network ({reason}). Export the run again.") from error
    _check_platform(path, platforms, dtype)
    try:
        program = export.deserialize(bytearray(network))
    except Exception as error:  # another version of JAX may refuse it in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{path}: this JAX {jax.__version__} cannot read what JAX {record.get('jax')} wrote ({reason}). "
            "Export the run again."
        ) from error
    return ExportedNetwork(*fields, data, jax.jit(program.call), data.task)


def check_flatbuffers(what: str) -> None:
    """Refuse to go on without the package flatbuffers, which `jax.export` reads and writes with.

    Args:
        what: Name of the function that needs it, for the message.

    Raises:
        UserError: The package is not installed.
    """
    if find_spec("flatbuffers") is None:
        raise UserError(f"{what} needs the package flatbuffers, which is not installed. Install jaxdeep[export].")


def _check_platform(path: Path, platforms: tuple[str, ...], dtype: str) -> None:
    """Refuse a network that this process cannot run."""
    here = export.default_export_platform()
    if here not in platforms:
        raise UserError(
            f"{path} was exported for {', '.join(platforms)}, and JAX runs on {here} here. "
            f"Export the run again with platforms=({here!r},)."
        )
    if dtype == "float64" and jnp.zeros(()).dtype != "float64":
        raise UserError(
            f"{path} computes in float64, which needs JAX's 64-bit types. "
            'Call jax.config.update("jax_enable_x64", True) first.'
        )


def _dataset(record: dict[str, Any]) -> Dataset:
    """Return a data set without rows, which knows the shape, the type and the ranges of the training rows."""
    rows = record["rows"]
    shape, ranges = tuple(rows["shape"]), rows["columns"]
    none = Split(jnp.zeros((0, int(np.prod(shape))), jnp.uint8), jnp.zeros(0, jnp.int32))
    info = None
    if ranges is not None:
        names, offset = ranges["names"], ranges["offset"]
        columns = Columns(
            rows["dtype"],
            np.asarray(ranges["low"], np.float64),
            np.asarray(ranges["high"], np.float64),
            None if names is None else tuple(names),
            None if offset is None else np.asarray(offset, np.float64),
            ranges["dim_share"],
        )
        table = TableColumns.from_dict(rows["table"]) if rows.get("table") else None
        info = Info(record["name"], record["source"], record["synthetic"], (), "", None, columns, None, table)
    unscaled = (jnp.zeros(()), jnp.ones(()))  # the program scales
    task = record.get("task", "classification")
    return Dataset(none, none, none, *unscaled, len(record["labels"]), shape, info, task)
