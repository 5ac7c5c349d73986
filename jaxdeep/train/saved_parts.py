"""The configuration and the data set of a saved run, without rows and without functions of the user's own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxdeep.config import Config, Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import Task
from jaxdeep.config.fields import hints_of, plain_field
from jaxdeep.config.identity import changed_fields
from jaxdeep.config.parts import PARTS
from jaxdeep.config.values import shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.device import on_device
from jaxdeep.data.info import Columns, Info, Split
from jaxdeep.data.row_ranges import dim_share
from jaxdeep.data.table_columns import TableColumns
from jaxdeep.data.targets import Targets
from jaxdeep.errors import UserError
from jaxdeep.train.leaves import Leaves


def config_of(where: str, recorded: Mapping[str, Any], given: Config | None) -> Config:
    """Return the configuration of a saved run.

    Args:
        where: Path of the file, for messages.
        recorded: Configuration as nested JSON values.
        given: Configuration that holds the user's own functions, or None.

    Returns:
        The given configuration, or else the recorded one.

    Raises:
        UserError: The recorded configuration has functions of the user's own and none is given. Or the given one
            differs from it in more than these functions. Or this version does not know a field.
    """
    own = _own_functions(recorded)
    if given is None:
        if own:
            names = ", ".join(f"{name} {shown(value)}" for name, value in own.items())
            raise UserError(
                f"{where}: a function of your own is in the configuration, which a file cannot hold: {names}. "
                "Give load the configuration that was trained, as config."
            )
        try:
            return Config.from_dict(recorded)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
    check_type("config", given, Config, "a Config, or None")
    others = [name for name in changed_fields(recorded, given.to_dict()) if not _is_own(name, own, given)]
    if others:
        raise UserError(f"{where} was trained with another configuration than config: {', '.join(others)} differ.")
    return given


def _own_functions(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields whose recorded value this process cannot find again, by dotted name."""
    own = {}
    for part, kind in PARTS.items():
        for name, value in recorded.get(part, {}).items():
            if name in hints_of(kind) and isinstance(value, str | Mapping):
                try:
                    plain_field(part, kind, name, value)
                except UserError:
                    own[f"{part}.{name}"] = value
    return own


def _is_own(name: str, own: Mapping[str, Any], given: Config) -> bool:
    """Return whether a dotted name is, or lies in, a field that is a function in both configurations."""
    part, field = name.split(".")[:2]
    return f"{part}.{field}" in own and callable(getattr(getattr(given, part), field))


def record_of_data(data: Dataset) -> dict[str, Any]:
    """Return what a record holds of a data set, as JSON values.

    Args:
        data: Data set that a run was trained on.
    """
    info = data.info
    columns = info.columns if info else None
    return {
        **data.identity(),
        "class_names": info and info.class_names,
        "label_values": info and info.label_values,
        "data": None if info is None or info.data is None else Config(data=info.data).to_dict()["data"],
        "image_shape": data.image_shape,
        "classes": data.classes,
        "inputs": data.inputs,
        "table": info.table.to_dict() if info and info.table else None,
        "task": data.task,
        "targets": info.targets.to_dict() if info and info.targets else None,
        "columns": columns and {"dtype": columns.dtype, "names": columns.names, "dim_share": dim_share(data)},
    }


def arrays_of_data(data: Dataset, dtype: str) -> Leaves:
    """Return the arrays that a file holds of a data set.

    Args:
        data: Data set that a run was trained on.
        dtype: Type in which the network computes.

    Returns:
        Mean and scale, and if they are known, the lowest and highest value of each column and its offset.
    """
    columns = data.info.columns if data.info else None
    ranges = {} if columns is None else {"low": columns.low, "high": columns.high, "offset": columns.offset}
    known = {f"columns.{name}": np.asarray(values) for name, values in ranges.items() if values is not None}
    return {**scaling_of(data, dtype), **known}


def scaling_of(data: Dataset, dtype: str) -> Leaves:
    """Return mean and scale in the type in which they enter the network.

    Args:
        data: Data set that a run was trained on.
        dtype: Type in which the network computes.
    """
    return {"mean": np.asarray(data.mean).astype(dtype), "scale": np.asarray(data.scale).astype(dtype)}


def dataset_of(record: Mapping[str, Any], arrays: Leaves, dtype: str) -> Dataset:
    """Return the data set of a saved run, without rows.

    Args:
        record: What `record_of_data` returned.
        arrays: What `arrays_of_data` returned, among others.
        dtype: Type in which the network computes.

    Returns:
        A data set whose three splits have 0 rows of D features.

    Raises:
        KeyError: A value is missing.
        TypeError: A value has another type.
        ValueError: A value does not fit the others.
    """
    inputs, shape, columns = record["inputs"], tuple(record["image_shape"]), record["columns"]
    if inputs != int(np.prod(shape)):
        raise ValueError(f"{inputs} inputs do not make rows of shape {shape}")
    stored = np.uint8 if columns and columns["dtype"] == "uint8" else jax.dtypes.canonicalize_dtype(dtype)
    task, numbers = record.get("task", "classification"), record.get("targets")
    targets = None if numbers is None else Targets.from_dict(numbers)
    none = _no_rows(inputs, stored, task, record["classes"])
    ranges = columns and Columns(
        columns["dtype"],
        arrays["columns.low"],
        arrays["columns.high"],
        _tuple(columns["names"]),
        arrays.get("columns.offset"),
        columns["dim_share"],
    )
    given = record["data"]
    info = Info(
        record["name"],
        record["source"],
        record["synthetic"],
        _tuple(record["class_names"]) or (),
        record["digest"],
        given and Data(**given),
        ranges,
        _tuple(record["label_values"]),
        TableColumns.from_dict(table) if (table := record.get("table")) else None,
        targets,
    )
    is_known = record["name"] is not None
    mean, scale = on_device(arrays["mean"]), on_device(arrays["scale"])
    bounds = None if targets is None else on_device(targets.bounds)
    known = info if is_known else None
    return Dataset(none, none, none, mean, scale, record["classes"], shape, known, task, bounds)


def without_rows(data: Dataset) -> Dataset:
    """Return a data set without its rows, as a run holds it that was saved and loaded.

    Args:
        data: Data set that a run was trained on.

    Returns:
        A data set whose three splits have 0 rows of D features. Its scaling, classes and ranges are the same.
    """
    info = data.info
    if info is not None and info.columns is not None:
        info = info._replace(columns=replace(info.columns, dim_share=dim_share(data)))
    none = _no_rows(data.inputs, data.train.images.dtype, data.task, data.classes)
    return replace(data, train=none, valid=none, test=none, info=info)


def _no_rows(inputs: int, dtype: Any, task: Task, classes: int) -> Split:
    """Return a split with 0 rows of D features."""
    labels = {
        "classification": np.zeros(0, np.int32),
        "multilabel": np.zeros((0, classes), np.int8),
        "regression": np.zeros((0, classes)),
    }
    return Split(on_device(np.zeros((0, inputs), dtype)), on_device(labels[task]))


def _tuple(values: Any) -> tuple[Any, ...] | None:
    """Return a list as a tuple, and None as it is."""
    return None if values is None else tuple(values)
