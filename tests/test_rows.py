"""Feature rows of any origin become numbers on the device, or are refused with the true reason."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from scipy import sparse

from jaxdeep.config import Data
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError

N = 120
X = np.random.default_rng(0).normal(size=(N, 3))
Y = np.random.default_rng(1).permutation(np.arange(N) % 3)
VALID = Data(valid_size=30)


class Frame:
    """Stands for a pandas DataFrame."""

    def __init__(self, columns: dict[Any, Any]) -> None:
        self.columns = [*columns]
        self.values = columns

    def to_numpy(self) -> np.ndarray:
        kinds = {np.asarray(column).dtype for column in self.values.values()}
        columns = [np.asarray(column).astype(object) if len(kinds) > 1 else column for column in self.values.values()]
        return np.stack(columns, 1)


class Tensor:
    """Stands for a tensor of another library."""

    def __init__(self, values: np.ndarray, error: Exception | None = None) -> None:
        self.array, self.error = values, error

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.error:
            raise self.error
        return self.array


def frame(order: str = "abc", rows: slice = slice(None)) -> Frame:
    return Frame({name: X[rows, "abc".index(name)] for name in order})


def made(rows: Any, tests: Any = None, data: Data = VALID) -> Dataset:
    test_labels = None if tests is None else Y[: len(tests if hasattr(tests, "__len__") else tests.to_numpy())]
    return Dataset.from_arrays(rows, Y, tests, test_labels, data=data)


def stored(data: Dataset) -> np.ndarray:
    return np.concatenate([np.asarray(part.images) for part in (data.valid, data.train, data.test)])


@pytest.mark.parametrize(
    ("change", "dtype"),
    [
        (lambda x: x.tolist(), "float32"),
        (lambda x: [tuple(row) for row in x], "float32"),
        (lambda x: x.astype(">f8"), "float32"),
        (lambda x: x.astype(">f4"), "float32"),
        (lambda x: x.astype(np.float16), "float32"),
        (lambda x: x.astype(np.longdouble), "float32"),
        (lambda x: x.astype(jnp.bfloat16), "float32"),
        (lambda x: jnp.asarray(x), "float32"),
        (lambda x: Tensor(x.astype(np.float32)), "float32"),
        (lambda x: x > 0, "float32"),
        (lambda x: (100 * x).astype(np.int8), "float32"),
        (lambda x: (100 * x).astype(">i4"), "float32"),
        (lambda x: (1e6 * x).astype(np.int64), "float32"),
        (lambda x: (100 * abs(x)).astype(np.uint32), "float32"),
        (lambda x: (50 * abs(x)).astype(np.uint8), "uint8"),
        (lambda x: np.asfortranarray(x), "float32"),
        (lambda x: np.repeat(x, 2, 1)[:, ::2], "float32"),
        (lambda x: np.ma.masked_array(x, mask=False), "float32"),
        (lambda x: frame(), "float32"),
        (lambda x: Frame({"a": x[:, 0], "b": x[:, 1] > 0, "c": (100 * x[:, 2]).astype(int)}), "float32"),
    ],
)
def test_numbers_of_any_type_are_taken(change: Callable[..., Any], dtype: str) -> None:
    given = change(X)
    data = made(given)
    values = np.asarray(given.to_numpy() if isinstance(given, Frame) else given)
    assert data.train.images.dtype == dtype
    np.testing.assert_array_equal(stored(data), values.astype(np.float64).astype(np.float32))
    assert data.info is not None
    assert data.info.columns is not None
    np.testing.assert_array_equal(data.info.columns.high, values[30:90].astype(np.float64).max(0))
    assert data.info.columns.dtype == ("float64" if isinstance(given, Frame) else str(values.dtype))


def test_read_only_and_memory_mapped_arrays_are_taken(tmp_path) -> None:
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert made(mapped).identity() == made(X).identity()
    np.testing.assert_array_equal(stored(made(mapped)), X.astype(np.float32))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (X + 1j, "^images is complex128: complex numbers. Give their real"),
        (X.astype(str), "^images is <U32: text. Encode it"),
        (X.astype("S5"), r"^images is \|S5: text"),
        (X.astype("M8[s]"), r"^images is datetime64\[s\]: dates. Give numbers"),
        (X.astype("m8[s]"), r"^images is timedelta64\[s\]: durations"),
        (np.zeros((N, 2), [("a", "f4")]), "a structured type"),
        (X.astype(object), "^images is an array of Python objects. Give numbers"),
        ([[1, "a"]] * N, "text"),
        ([[1, None]] * N, "^images misses a value in row 0, column 1"),
        (Frame({"age": X[:, 0], "city": ["Rome"] * N}), r"^images holds text \('Rome'\) in row 0, column 1 \('city'\)"),
        (Frame({"age": X[:, 0], "x": [None] * N}), r"^images misses a value in row 0, column 1 \('x'\)"),
        ([[1, 2], [3]] * 60, "^images is ragged: its rows differ in length"),
        (sparse.csr_matrix(X), r"^images is a sparse csr_matrix. Give the dense array images.toarray\(\)"),
        (sparse.coo_array(X), r"images.toarray\(\)"),
        (
            Tensor(X, RuntimeError("requires grad\nsecond line")),
            r"^images, a Tensor, cannot be made an array \(requires",
        ),
        (None, "^images is a NoneType. Give an array"),
        ({"a": 1}, "^images is a dict. Give an array"),
        (3.0, r"the shape \(\)"),
        (X[:, :0], "without a value"),
        (np.full((N, 2), 2**60) + np.arange(N)[:, None], "^images holds integers up to 1152921504606847095, which"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(rows: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        made(rows)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e300])
@pytest.mark.parametrize(("part", "row"), [("validation", 3), ("training", 50), ("test", 100)])
def test_the_first_value_that_float32_cannot_hold_is_named(value: float, part: str, row: int) -> None:
    rows = X.copy()
    rows[row, 1] = rows[row + 1, 0] = value
    kind = "infinite in float32" if np.isfinite(value) else "not finite"
    with pytest.raises(UserError) as refused:
        made(rows)
    start = f"2 values of the {part} rows are {kind}, the first ({value}) in row {row} of images, column 1. "
    assert str(refused.value).startswith(start)
    of_frame = Frame({name: rows[:, index] for index, name in enumerate("abc")})
    with pytest.raises(UserError, match=rf"row {row} of images, column 1 \('b'\)\. "):
        made(of_frame)
    with pytest.raises(UserError, match=r"^1 value of the test rows is .* row 7 of test_images, column 2"):
        made(X, np.where(np.arange(N * 3).reshape(N, 3) == 23, value, X))


def test_masked_values_are_refused_and_unused_rows_are_not_looked_at() -> None:
    mask = np.zeros(X.shape, bool)
    mask[40, 2] = True
    with pytest.raises(
        UserError, match=r"^1 value of the training rows is masked, the first in row 40 of images, column 2\. "
    ):
        made(np.ma.masked_array(X, mask))
    rows = X.copy()
    rows[85] = np.nan
    made(rows, data=Data(valid_size=30, train_size=50))


def test_a_data_frames_columns_are_matched_by_name() -> None:
    data, other = made(frame(), frame("cab", slice(40))), made(X, X[:40])
    np.testing.assert_array_equal(data.test.images, other.test.images)
    assert data.identity() == other.identity()
    assert data.info is not None
    assert data.info.columns is not None
    assert data.info.columns.names == ("a", "b", "c")
    np.testing.assert_array_equal(made(frame(), X[:40]).test.images, other.test.images)
    np.testing.assert_array_equal(made(X, frame("cab")).test.images, np.float32(X[:, [2, 0, 1]]))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": X[:, 0], "b": X[:, 1]}, r"^test_images lacks \['c'\]. Give the columns of the training rows"),
        ({"a": X[:, 0], "b": X[:, 1], "x": X[:, 2]}, r"^test_images lacks \['c'\] and has the unknown \['x'\]"),
        ({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], 4: X[:, 2]}, r"^test_images has the unknown \['4'\]"),
    ],
)
def test_a_test_frame_of_other_columns_is_refused(columns: dict[Any, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(frame(), Frame(columns))


def test_test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(UserError, match=r"a test row has the shape \(2,\), a training row \(3,\)"):
        made(X, X[:, :2])


NUMBERS = (
    arrays_of.boolean_dtypes()
    | arrays_of.integer_dtypes(endianness="?")
    | arrays_of.unsigned_integer_dtypes(endianness="?")
    | arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64))
)
OTHERS = (
    arrays_of.complex_number_dtypes()
    | arrays_of.unicode_string_dtypes()
    | arrays_of.byte_string_dtypes()
    | arrays_of.datetime64_dtypes()
)
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)
LONG = st.tuples(st.integers(9, 40), st.integers(1, 3))
FLOATS = st.sampled_from([1e-40, 1e-30, 1e-3, 1.0, 1e9, 1e30, 3e38, 1e200]).flatmap(
    lambda size: arrays_of.arrays(np.float64, LONG, elements=st.floats(-size, size))
)


@given(
    FLOATS | arrays_of.arrays(NUMBERS, LONG) | arrays_of.arrays(NUMBERS | OTHERS, SHAPES),
    st.sampled_from(["none", "unit", "standardize"]),
    st.integers(0, 5),
)
@settings(max_examples=200)
@pytest.mark.filterwarnings("ignore::jaxdeep.errors.JaxdeepWarning")
def test_rows_of_any_array_round_trip_or_are_refused(rows: np.ndarray, scaling: Any, bad: int) -> None:
    labels = np.arange(rows.shape[0] if rows.ndim else 0) % 2
    if bad == 0 and rows.size and rows.dtype.kind == "f":
        rows.reshape(-1)[rows.size // 2] = np.nan
    try:
        data = Dataset.from_arrays(rows, labels, data=Data(scaling, valid_size=max(len(labels) // 3, 1)))
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert data.info is not None
    assert data.info.columns is not None
    assert np.isfinite(rows.astype(np.float64)).all()
    offset = data.info.columns.offset
    exact = rows.reshape(len(rows), -1).astype(np.float64) - (0 if offset is None else offset)
    np.testing.assert_array_equal(stored(data), exact.astype(stored(data).dtype))
    np.testing.assert_array_equal(data.to_stored(rows.reshape(len(rows), -1)), stored(data))
    entering = (stored(data).astype(np.float32) - np.asarray(data.mean)) * np.asarray(data.scale)
    assert np.isfinite(entering).all()


@given(st.lists(st.floats(0, 1, width=32), min_size=9, max_size=40), st.floats(-1e12, 1e12), st.floats(1e-3, 1e3))
@settings(max_examples=150)
def test_standardised_rows_are_those_of_float64_whatever_the_offset(values, offset: float, width: float) -> None:
    rows = offset + width * np.asarray(values, np.float64)[:, None]
    size = len(rows) // 3
    near = rows - rows[0]  # exact where it matters, and its mean is not rounded to steps of the offset's
    train = near[size : len(rows) - size]
    std = train.std()
    if std < 1e-3 * max(width, 1e-9 * abs(offset)):
        return
    data = Dataset.from_arrays(rows, np.arange(len(rows)) % 2, data=Data(valid_size=size))
    entering = (stored(data) - np.asarray(data.mean)) * np.asarray(data.scale)
    exact = (near - train.mean()) / std
    np.testing.assert_allclose(entering, exact, rtol=1e-5, atol=2**-11)
