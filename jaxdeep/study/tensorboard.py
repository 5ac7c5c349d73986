"""What TensorBoard shows of a trial: figures by epoch, training beside validation, layers, and hyperparameters.

    NAME/             val_loss, ... as metrics.jsonl has them, activation_std/layer_03, ..., the hyperparameters
    NAME/train/       loss, accuracy
    NAME/validation/  loss, accuracy

TensorBoard draws equal tags of several runs in one chart, so the last two put both curves side by side.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jaxdeep.config import Config
from jaxdeep.config.compare import value_in_words
from jaxdeep.config.identity import changed_fields
from jaxdeep.study.events import append_events
from jaxdeep.train.history import EpochRecord

PARTS: Final = {"train": "train", "validation": "val"}
"""Name of a run within a trial's run -> beginning of its figures' names in a record."""
ALWAYS: Final = (
    *("model.activation", "model.units", "optim.optimizer", "optim.learning_rate"),
    *("train.batch_size", "train.epochs", "schedule.kind"),
)
"""Fields that are hyperparameters of every trial. So is a field that differs from its default."""


def append_epoch(
    folder: Path, file: str, record: EpochRecord, config: Mapping[str, Any], labels: Mapping[str, Any]
) -> None:
    """Append the figures of one epoch to a trial's event files. The first call makes the files.

    Args:
        folder: Folder of the trial's run.
        file: Name of its event files, which holds "tfevents".
        record: Figures of the epoch. A figure that is not finite is left out.
        config: Configuration of the study as nested JSON values.
        labels: Seed, fold and varied fields of the trial, by name.

    Raises:
        UserError: A file cannot be written, for example because the disk is full.
    """
    own = {**record._asdict(), **dict(_figures_of_layers(record))}
    del own["epoch"]
    path = folder / file
    append_events(path, record.epoch, _finite(own), None if path.exists() else hyperparameters_of(config, labels))
    for name, prefix in PARTS.items():
        figures = {tag: getattr(record, f"{prefix}_{tag}") for tag in ("loss", "accuracy")}
        append_events(folder / name / file, record.epoch, _finite(figures))


def hyperparameters_of(config: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, float | bool | str]:
    """Return the hyperparameters of a trial for TensorBoard's tab HPARAMS.

    Args:
        config: Configuration of the study as nested JSON values. It may be of an earlier version.
        labels: Seed, fold and varied fields of the trial, by name. They replace the configuration's.

    Returns:
        Values by name: the labels, the fields of ALWAYS, and the fields that differ from `Config()`.

    >>> found = hyperparameters_of({"optim": {"learning_rate": 0.1}, "train": {"patience": 3}}, {"seed": 7})
    >>> found["seed"], found["optim.learning_rate"], found["train.patience"], found["model.units"]
    (7, 0.1, 3, '20 x 100')
    """
    defaults = Config().to_dict()
    usual = {name: defaults[part][field] for name in ALWAYS for part, _, field in [name.partition(".")]}
    given = {name: (config.get(part) or {}).get(field) for name in ALWAYS for part, _, field in [name.partition(".")]}
    given = {name: value for name, value in given.items() if value is not None}
    values = {**labels, **usual, **given, **changed_fields(defaults, config), **labels}
    return {
        name: value if isinstance(value, bool | int | float) else value_in_words(value)
        for name, value in values.items()
    }


def _figures_of_layers(record: EpochRecord) -> Iterator[tuple[str, float]]:
    """Yield the tag and the value of each layer's figures."""
    if record.diagnostics is None:
        return
    digits = len(str(record.diagnostics.layers - 1))
    for name, values in record.diagnostics._asdict().items():
        for layer, value in enumerate(values):
            yield f"{name}/layer_{layer:0{digits}}", value


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if math.isfinite(value)}
