"""What a finished run answers beside probabilities: logits, figures of further rows, and a calibrated copy."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Settings
from jaxdeep.data.buckets import bucket, filled
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.data.device import on_device
from jaxdeep.data.labels import as_labels, listed
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.data.targets import as_targets
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train.evaluate import Scores, evaluate
from jaxdeep.train.forward import model_of, probabilities, scaled
from jaxdeep.train.programs import traced
from jaxdeep.train.row_metrics import METRICS_OF, metrics_of
from jaxdeep.train.run import Run, check_stack
from jaxdeep.train.weights import with_weights

MOST_LOG_TEMPERATURE: Final = 4.0
"""Largest absolute logarithm of a temperature."""


def apply(run: Run, params: Params, rows: Any, batch_stats: BatchStats | None) -> jax.Array:
    """Return logits of unscaled rows. `Run.apply` describes it."""
    data = run.data
    rows = jnp.asarray(rows)
    flat = rows.reshape(len(rows), data.inputs)
    columns = data.info.columns if data.info else None
    if columns is not None and columns.offset is not None:
        flat = flat - jnp.asarray(columns.offset, flat.dtype)[None]
    stats = run.batch_stats if batch_stats is None else batch_stats
    logits, _ = model_of(run.config, data).apply(params, stats, scaled(run.config, data, flat))
    return logits


@partial(jax.jit, static_argnums=0)
def _logits(config: Settings, params: Params, batch_stats: BatchStats, data: Dataset, rows: jax.Array) -> jax.Array:
    """Return logits [N, C] of stored rows [N, D]."""
    logits, _ = model_of(config, data).apply(params, batch_stats, scaled(config, data, rows))
    return logits


def logits(run: Run, rows: Any, *, check: bool = True) -> np.ndarray:
    """Return logits of new rows. `Run.logits` describes it."""
    run.check_trained()
    stored = checked_rows(run.data, rows, check=check, dtype=run.config.train.dtype)
    found = _logits(run.config.static(), run.params, run.batch_stats, run.data, on_device(filled(stored)))
    answers = np.asarray(found)[: len(stored)]
    check_answers(answers)
    return answers


_evaluate = jax.jit(evaluate, static_argnums=0)


def evaluate_rows(run: Run, rows: Any, labels: Any, *, check: bool = True) -> Scores:
    """Return the figures of a run on further rows. `Run.evaluate` describes it."""
    run.check_trained()
    stored = checked_rows(run.data, rows, check=check, dtype=run.config.train.dtype)
    classes = targets_of(run.data, labels, len(stored))
    count = on_device(len(stored), np.int32)
    split = Split(on_device(filled(stored)), on_device(filled(classes)), count=count)
    config = run.config.static()
    found = _evaluate(config, run.params, run.batch_stats, traced(run.config), run.data, split)
    metrics = _metrics(run, split.images, classes)
    return Scores(float(found.loss), float(found.accuracy), np.asarray(found.correct)[: len(stored)], metrics)


def test_metrics(run: Run) -> dict[str, float]:
    """Return the metrics of a run's test rows by name, as `row_metrics` describes them.

    Args:
        run: Run with its rows. Without a best epoch or without test rows its metrics are NaN.
    """
    size = run.data.test.size
    if not size or not run.best_epoch:
        return dict.fromkeys(METRICS_OF[run.data.task], float("nan"))
    stored, targets = run.data.test.take(on_device(np.resize(np.arange(size), bucket(size))))
    return _metrics(run, stored, np.asarray(targets)[:size])


def _metrics(run: Run, stored: jax.Array, targets: np.ndarray) -> dict[str, float]:
    """Return the metrics of the first stored rows [N, D], as many as there are targets."""
    data = run.data
    ask = probabilities if data.task == "regression" else _logits
    outputs = np.asarray(ask(run.config.static(), run.params, run.batch_stats, data, stored))[: len(targets)]
    if data.task == "regression" and data.info and data.info.targets:
        outputs, targets = (data.info.targets.own(of) for of in (outputs, targets))
    return metrics_of(data.task, outputs, targets)


def targets_of(data: Dataset, labels: Any, rows: int) -> np.ndarray:
    """Return labels or numbers as a data set holds its own.

    Args:
        data: Data set that a run was trained on.
        labels: Labels [N], numbers [N] or [N, C], or several labels [N, C], as the data set's were given.
        rows: Number N of rows.

    Returns:
        Classes [N], or a 0 or a 1 for each label [N, C], or numbers [N, C] in standard units.

    Raises:
        UserError: There is another number of rows or columns, or a label is not known.
    """
    if data.task == "classification":
        return classes_of(data, labels, rows)
    given = as_targets(labels, "labels", data.task).values
    if given.shape != (rows, data.classes):
        raise UserError(
            f"there are {rows} rows and targets {list(given.shape)}. Give {data.classes} for each row, as in training."
        )
    targets = data.info.targets if data.info else None
    return given if targets is None else targets.standard(given).astype(data.train.labels.dtype)


def classes_of(data: Dataset, labels: Any, rows: int) -> np.ndarray:
    """Return labels as the classes of a data set.

    Args:
        data: Data set that knows its labels. One without `info` has the labels 0 .. C - 1.
        labels: Labels [N] as the data set's were given.
        rows: Number N of rows.

    Returns:
        Classes [N] int32.

    Raises:
        UserError: There is another number of labels, or a label is not among the data set's.
    """
    given = as_labels(labels, "labels").values
    if len(given) != rows:
        raise UserError(f"there are {rows} rows and {len(given)} labels. Give a label for each row.")
    known = data.info.label_values if data.info and data.info.label_values else tuple(range(data.classes))
    index = {value: code for code, value in enumerate(known)}
    values, places = np.unique(given, return_inverse=True)
    if unknown := [value for value in values.tolist() if value not in index]:
        raise UserError(f"labels has {listed(unknown)}, and the run's labels are {listed(known)}. Give some of these.")
    return np.asarray([index[value] for value in values.tolist()], np.int32)[places]


def calibrated(run: Run, rows: Any = None, labels: Any = None, *, check: bool = True) -> Run:
    """Return a run with calibrated probabilities. `Run.calibrated` describes it."""
    run.check_trained()
    if run.data.task != "classification":
        raise UserError("a temperature calibrates the probabilities of classes, and the run predicts something else.")
    check_stack(run, "calibrated")
    if (rows is None) != (labels is None):
        raise UserError("rows and labels go together, and one of them is missing. Give both or none.")
    if rows is None:
        run.data.check_has_rows()
        split, size = run.data.valid, run.data.valid.size
        places = np.resize(np.arange(size), bucket(size))
        stored, classes = split.take(on_device(places))
        of_rows = _logits(run.config.static(), run.params, run.batch_stats, run.data, stored)
        values, classes = np.asarray(of_rows)[:size], np.asarray(classes)[:size]
    else:
        values = logits(run, rows, check=check)
        classes = classes_of(run.data, labels, len(values))
    params = divided_head(run, temperature_of(values, classes))
    if run.data.train.size:
        return with_weights(run, params, run.batch_stats)
    unknown = dict.fromkeys(("val_loss", "test_loss", "train_loss"), float("nan"))
    return replace(run, params=params, **unknown)


def divided_head(run: Run, temperature: float) -> Params:
    """Return a run's weights, with an output layer whose logits are divided by a number.

    Args:
        run: Finished run.
        temperature: Number above 0.
    """
    head = model_of(run.config, run.data).stacks[-1].name
    layer = {name: {**part} for name, part in run.params[head].items()}
    layer["dense"] = {name: leaf / jnp.asarray(temperature, leaf.dtype) for name, leaf in layer["dense"].items()}
    return {**run.params, head: layer}


def temperature_of(logits: np.ndarray, classes: np.ndarray) -> float:
    """Return the temperature that gives the lowest mean cross-entropy when logits are divided by it.

    Args:
        logits: Finite logits [N, C].
        classes: Classes [N] in 0 .. C - 1.

    Returns:
        Temperature in exp(-4) .. exp(4).

    Source: Guo et al., "On calibration of modern neural networks" (2017), section 4.2.
    """
    from scipy import optimize, special

    values = np.asarray(logits, np.float64)
    rows = np.arange(len(classes))

    def loss(log_temperature: float) -> float:
        return float(-special.log_softmax(values / np.exp(log_temperature), 1)[rows, classes].mean())

    bounds = (-MOST_LOG_TEMPERATURE, MOST_LOG_TEMPERATURE)
    minimum = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(minimum.x))
