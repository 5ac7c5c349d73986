"""Data frames and labels of pandas itself: taken as they are meant, or refused with the reason."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_data import lean_compilation

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run, fit

ROWS = 120
DATA = Data(valid_size=30)
CLASSES = np.arange(ROWS) % 3
NAMES = np.array(["x", "y", "z"])[CLASSES]
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=ROWS), "b": RNG.integers(0, 9, ROWS), "c": RNG.random(ROWS) > 0.5})


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    config = Config(DATA, Model(units=(4,)), Optim(learning_rate=1e-2), Train(epochs=1))
    with lean_compilation():
        yield fit(config, Dataset.from_arrays(FRAME, pd.Series(NAMES), data=DATA))


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (pd.Categorical(NAMES), ("x", "y", "z")),
        (pd.Series(NAMES), ("x", "y", "z")),
        (pd.Series(NAMES, dtype="string"), ("x", "y", "z")),
        (pd.Series(CLASSES + 1, dtype="Int64"), (1, 2, 3)),
        (pd.Series(CLASSES > 0, dtype="boolean"), (False, True)),
        (pd.Series(CLASSES.astype(float)), (0, 1, 2)),
        (pd.DataFrame({"label": CLASSES}), (0, 1, 2)),
    ],
    ids=["Categorical", "strings", "string", "Int64", "boolean", "floats", "one column"],
)
def test_labels_of_pandas_are_encoded(labels: Any, values: tuple) -> None:
    info = Dataset.from_arrays(FRAME, labels, data=DATA).info
    assert info is not None
    assert info.label_values == values
    assert info.class_names == tuple(map(str, values))


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (pd.Series([None, *CLASSES[1:]], dtype="Int64"), "nan in row 0"),
        (pd.DataFrame({"one": CLASSES, "other": CLASSES}), r"shape \(120, 2\)"),
        (pd.Series(pd.date_range("2020", periods=ROWS)), "datetime64"),
    ],
    ids=["a gap", "two columns", "dates"],
)
def test_labels_of_pandas_that_are_none_are_refused(labels: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Dataset.from_arrays(FRAME, labels, data=DATA)


def test_columns_are_matched_by_name(run: Run) -> None:
    np.testing.assert_array_equal(run.predict(FRAME[:5]), run.predict(FRAME[["c", "a", "b"]][:5]))
    other = run.predict(FRAME.rename(columns={"a": "b", "b": "a"})[:5], check=False)
    assert np.abs(run.predict(FRAME[:5]) - other).max() > 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAME[["a", "b"]], r"lacks \['c'\]"),
        (FRAME.rename(columns={"a": "A"}), r"lacks \['a'\] and has the unknown \['A'\]"),
        (FRAME.assign(a="text"), "holds text"),
        (FRAME.assign(b=None), "misses a value in row 0, column 1"),
        (FRAME.assign(b=pd.Series([None] + [1] * (ROWS - 1), dtype="Int64")), "misses a value in row 0, column 1"),
    ],
    ids=["a column less", "another name", "text", "None", "NA"],
)
def test_frames_that_do_not_fit_are_refused(run: Run, frame: pd.DataFrame, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        run.predict(frame)


@pytest.mark.parametrize("column", [pd.array([1] * ROWS, dtype="Int64"), pd.array([0.5] * ROWS, dtype="Float32")])
def test_nullable_columns_without_gaps_are_numbers(column: Any) -> None:
    dataset = Dataset.from_arrays(FRAME.assign(d=column), CLASSES, data=DATA)
    np.testing.assert_array_equal(dataset.test.images[:, 3], np.asarray(column[-30:], np.float32))
