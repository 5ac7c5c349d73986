"""Calls with arrays, labels and rows that must be refused."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

import jax
import numpy as np

from bench.attempts import Attempt, call, calls
from jaxdeep import Config, Data, Dataset, Model, Optim, Run, Train, ensemble, fit, mc_predict

ROWS, COLUMNS, CLASSES = 120, 6, 4
DATA: Final = Data(valid_size=20)
CONFIG: Final = Config(DATA, Model(units=(4,)), Optim(learning_rate=1e-3), Train(epochs=1))


def rows() -> np.ndarray:
    """Return normal numbers, [N, D], float32."""
    return np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)


def labels() -> np.ndarray:
    """Return the labels of the rows, [N], int64."""
    return np.arange(ROWS) % CLASSES


@cache
def dataset() -> Dataset:
    """Return a data set that can be trained on."""
    return Dataset.from_arrays(rows(), labels(), data=DATA)


@cache
def trained(dropout: bool = False, pixels: bool = False) -> Run:
    """Return a run of one epoch.

    Args:
        dropout: Whether its network has dropout.
        pixels: Whether its rows are uint8 up to 255. Otherwise they are normal numbers.

    Returns:
        The finished run.
    """
    model = Model(units=(4,), dropout_sites="every", dropout_rate=0.1) if dropout else CONFIG.model
    data = dataset()
    if pixels:
        data = Dataset.from_arrays(
            np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS), np.uint8), labels(), data=DATA
        )
    return fit(replace(CONFIG, model=model), data)


def bad_data() -> list[Attempt]:
    """Return the attempts of all these calls."""
    return [*_arrays(), *_labels(), *_predictions()]


def changed(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    """Return a copy of an array with another value at an index.

    Args:
        array: Array of any shape.
        index: Index of the value to replace.
        value: New value.

    Returns:
        The changed copy.
    """
    array = array.copy()
    array[index] = value
    return array


def _arrays() -> Iterator[Attempt]:
    kind, x, y = "call: Dataset.from_arrays, rows", rows(), labels()
    for name, bad in {
        "None": None,
        "a number": 5,
        "a string": "rows",
        "a dictionary": {"x": x},
        "ragged": [[1.0], [1.0, 2.0]],
        "a vector": x[:, 0],
        "no rows": x[:0],
        "no columns": x[:, :0],
        "complex": x + 1j,
        "strings": x.astype(str),
        "objects": np.full((ROWS, COLUMNS), None),
        "dates": np.zeros((ROWS, COLUMNS), "datetime64[s]"),
        "bytes": np.full((ROWS, COLUMNS), b"a"),
        "NaN": changed(x, (5, 2), np.nan),
        "infinity": changed(x, (5, 2), np.inf),
        "NaN in a validation row": changed(x, (0, 0), np.nan),
        "NaN in a test row": changed(x, (-1, -1), np.nan),
        "infinite in float32": changed(x.astype(np.float64), (5, 2), 1e300),
        "masked": np.ma.masked_array(x, x > 1),
        "fewer than labels": x[:-1],
    }.items():
        yield call(kind, name, lambda bad=bad: Dataset.from_arrays(bad, y, data=DATA))
    for name, test in {
        "test rows of another width": x[:, :-1],
        "test rows of another rank": x[:, :, None],
        "no test rows": x[:0],
        "NaN in the test rows": changed(x, (3, 3), np.nan),
        "test rows without labels": None,
    }.items():
        of_test = None if test is None else y[: len(test)]
        yield call(
            kind,
            name,
            lambda test=test, of=of_test: Dataset.from_arrays(x, y, x if of is None else test, of, data=DATA),
        )
    pixels = np.random.default_rng(0).integers(0, 256, x.shape).astype(np.float32)
    unit = Data("unit", 20)
    yield call(kind, "test rows on another scale", lambda: Dataset.from_arrays(pixels, y, pixels / 255, y, data=DATA))
    yield call(kind, "unit scaling of 0 to 1", lambda: Dataset.from_arrays(pixels / 255, y, data=unit))
    for name, data in {
        "None": None,
        "a Config": CONFIG,
        "a dictionary": {},
        "all rows for validation": Data(valid_size=120),
    }.items():
        yield call(kind, f"data: {name}", lambda data=data: Dataset.from_arrays(x, y, data=data))
    names = (("a",), tuple("abcde"), 4)
    yield from calls(kind, "class_names", lambda of: Dataset.from_arrays(x, y, data=DATA, class_names=of), names)
    flipped = Data(valid_size=20, flip=True)
    first = np.random.default_rng(0).random((ROWS, 3, 8, 8), np.float32)
    channels = Dataset.from_arrays(first, y, data=flipped)
    yield call(kind, "channels first, flipped", lambda: fit(replace(CONFIG, data=flipped), channels))


def _labels() -> Iterator[Attempt]:
    kind, x, y = "call: Dataset.from_arrays, labels", rows(), labels()
    for name, bad in {
        "None": None,
        "a number": 1,
        "a string": "abcd",
        "a dictionary": {"y": y},
        "fractions": y + 0.5,
        "NaN": changed(y.astype(float), 3, np.nan),
        "infinity": changed(y.astype(float), 3, np.inf),
        "complex": y + 1j,
        "several columns": np.eye(CLASSES)[y],
        "two columns of whole numbers": np.stack([y, y], 1),
        "more than rows": np.arange(ROWS + 1) % CLASSES,
        "none": y[:0],
        "None among them": changed(y.astype(object), 3, None),
        "lists": changed(y.astype(object), 3, [1]),
        "masked": np.ma.masked_array(y, y == 3),
    }.items():
        yield call(kind, name, lambda bad=bad: Dataset.from_arrays(x, bad, data=DATA))
    many = Data(valid_size=40)  # with 20, every class has training rows, which is a warning only
    yield call(kind, "sorted, so that training lacks some", lambda: Dataset.from_arrays(x, np.sort(y), data=many))
    for name, test in {
        "test labels unknown in training": y + 10,
        "fractions in test": y + 0.5,
        "too few in test": y[:-1],
    }.items():
        yield call(kind, name, lambda test=test: Dataset.from_arrays(x, y, x, test, data=DATA))
    yield call(kind, "test labels without rows", lambda: Dataset.from_arrays(x, y, None, y, data=DATA))


def _predictions() -> Iterator[Attempt]:
    x = rows()
    wrong = {
        "None": None,
        "a number": 5,
        "a string": "rows",
        "one row": x[0],
        "too few columns": x[:, :-1],
        "too many columns": np.hstack([x, x]),
        "no rows": x[:0],
        "ragged": [[1.0], [1.0, 2.0]],
        "strings": x.astype(str),
        "objects": np.full((3, COLUMNS), None),
        "complex": x + 1j,
        "NaN": changed(x, (5, 2), np.nan),
        "infinity": changed(x, (5, 2), np.inf),
        "masked": np.ma.masked_array(x, x > 1),
    }
    key = jax.random.key(0)
    for name, bad in wrong.items():
        yield call("call: predict", name, lambda bad=bad: trained().predict(bad))
        yield call("call: mc_predict", name, lambda bad=bad: mc_predict(trained(dropout=True), bad, key, 2))
    pixels = np.random.default_rng(1).random((5, COLUMNS), np.float32)
    yield call("call: predict", "0 to 1 in place of 0 to 255", lambda: trained(pixels=True).predict(pixels))
    kind, run = "call: mc_predict", trained
    samples = (0, 1, -1, 2.5, "10", None, True, float("nan"))
    yield from calls(kind, "samples", lambda of: mc_predict(run(dropout=True), x, key, of), samples)
    bits = (0, 7, "16", None)
    yield from calls(kind, "mask_bits", lambda of: mc_predict(run(dropout=True), x, key, 2, mask_bits=of), bits)
    for name, bad in {"None": None, "a seed": 5, "a string": "key", "several": jax.random.split(key)}.items():
        yield call("call: mc_predict", f"key: {name}", lambda bad=bad: mc_predict(trained(dropout=True), x, bad, 2))
    yield call("call: mc_predict", "a network without dropout", lambda: mc_predict(trained(), x, key, 2))
    yield call("call: mc_predict", "no run", lambda: mc_predict(CONFIG, x, key, 2))  # pyright: ignore[reportArgumentType]
    shares = np.full((3, 5, CLASSES), 0.25)
    for name, bad in {
        "nothing": [],
        "one network": shares[:1],
        "None": None,
        "a number": 5,
        "numbers": [0.5, 0.5],
        "a matrix": shares[0],
        "networks of different images": [shares[0], shares[0, :-1]],
        "NaN": shares * np.nan,
        "strings": shares.astype(str),
    }.items():
        yield call("call: ensemble", name, lambda bad=bad: ensemble(bad))
