"""Rows enter the network as float64 would have them, or the user is told what float32 loses."""

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from small_data import lean_compilation, small_arrays

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import stratified_folds
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train.fit import fit
from jaxdeep.train.forward import scaled

N = 400
U = np.random.default_rng(0).random((N, 3))
Y = (U[:, 0] + U[:, 1] > 1).astype(int)
VALID = Data(valid_size=80)
CONFIG = Config(VALID, Model(units=(8,)), Optim(learning_rate=1e-2), Train(epochs=2))


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def made(rows: Any, data: Data = VALID, tests: Any = None) -> Dataset:
    return Dataset.from_arrays(rows, Y, tests, None if tests is None else Y[: len(tests)], data=data)


def offset_of(data: Dataset) -> np.ndarray | None:
    assert data.info is not None
    assert data.info.columns is not None
    return data.info.columns.offset


def entering(data: Dataset, rows: np.ndarray | None = None) -> np.ndarray:
    """Training rows, or new ones, as they enter the network."""
    return np.asarray(scaled(CONFIG, data, data.train.images if rows is None else jax.numpy.asarray(rows)))


@pytest.mark.parametrize("offset", [0, 1e3, 1e4, 1e6, 1.7e9, -1.7e9, 1e12])
@pytest.mark.parametrize("x64", [False, True])
def test_an_offset_does_not_change_what_enters(offset: float, x64: bool) -> None:
    with jax.enable_x64(x64):
        rows = U + np.asarray([offset, 0, 0])
        data = made(rows)
        near = rows - rows[0]  # exact, and its mean is not rounded to steps of the offset's
        train = near[80:320]
        exact = (near - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(entering(data), exact[80:320], rtol=0, atol=2**-11)
        np.testing.assert_array_equal(data.to_stored(rows[320:]), data.test.images)
        new = data.to_stored(rows[:7])
        np.testing.assert_allclose(entering(data, new), exact[:7], rtol=0, atol=2**-11)
    assert (offset_of(data) is not None) == (abs(offset) > 1e3)


def test_a_run_learns_from_columns_with_an_offset_what_it_learns_without() -> None:
    plain, moved = fit(CONFIG, made(U)), fit(CONFIG, made(U + np.asarray([1e6, 1.7e9, 0])))
    assert moved.test_loss == pytest.approx(plain.test_loss, abs=1e-4)


def test_integers_and_float32_with_an_offset_are_centred_too() -> None:
    numbers = np.random.default_rng(1).integers(0, 100, (N, 3))
    for rows in (numbers + 1_700_000_000, (numbers + 1_000_000).astype(np.float32)):
        train = numbers[80:320]
        np.testing.assert_allclose(entering(made(rows)), (train - train.mean(0)) / train.std(0), atol=2**-11)


def test_ordinary_rows_are_not_centred() -> None:
    rows = np.random.default_rng(1).normal(size=(N, 3)) * [1e-9, 1, 1e9] + [0, 1_000, 0]
    data = made(rows)
    assert offset_of(data) is None
    np.testing.assert_array_equal(data.train.images, rows[80:320].astype(np.float32))


def test_float64_runs_see_float64() -> None:
    with jax.enable_x64(True):
        data = made(U + 1.7e9)
        mean, scale = np.asarray(data.mean), np.asarray(data.scale)
        train = U[80:320]
        found = (np.asarray(data.train.images) - mean) * scale
        np.testing.assert_allclose(found, (train - train.mean(0)) / train.std(0), atol=1e-5)  # 1.7e9 + u keeps 2e-7
        assert data.train.images.dtype == np.float64


@pytest.mark.parametrize("data", [Data("none", 80), Data("unit", 80), Data(valid_size=80, shift_pixels=1)])
def test_an_offset_that_stays_is_warned_of(data: Data) -> None:
    with pytest.warns(JaxdeepWarning, match=r"^column 1 varies too little around its mean for float32, which loses"):
        found = made(U + np.asarray([5, 1e6, 5]), data)
    assert offset_of(found) is None


def test_warnings_point_to_the_users_line() -> None:
    constant = U.copy()
    constant[80:320, 1] = 0.5
    labels = Y.copy()
    labels[:80] = 0
    spread = U + 1e5
    spread[300] = 1e7
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        made(constant)
        made(U + 1e6, Data("none", 80))
        Dataset.from_arrays(U, labels, data=VALID)
        stratified_folds(made(spread), VALID, 2)
    assert [(warning.category, warning.filename) for warning in found] == [(JaxdeepWarning, __file__)] * 5


def test_augmentation_that_would_mix_centred_columns_is_refused() -> None:
    data = made((U + 1e6).reshape(N, 3, 1))
    with pytest.raises(UserError, match=r"subtracts a mean from each column.*Make the data set with data=config\.data"):
        data.check_prepared_as(Data(valid_size=80, flip=True))
    data.check_prepared_as(VALID)
    made(U.reshape(N, 3, 1)).check_prepared_as(Data(valid_size=80, flip=True))


@pytest.mark.parametrize(("rows", "part"), [(slice(80), "validation"), (slice(320, None), "test")])
def test_a_column_that_is_constant_in_training_only_enters_as_0(rows: slice, part: str) -> None:
    changed = U.copy()
    changed[:, 1] = 0.1
    data = made(changed)
    assert float(data.scale[0, 1]) == 0
    changed[rows, 1] = 1e6
    with pytest.warns(JaxdeepWarning, match=f"^column 1 is constant in the training rows and not in the {part} rows"):
        other = made(changed)
    np.testing.assert_array_equal(entering(other)[:, 1], 0)
    np.testing.assert_array_equal(entering(other, np.asarray(other.valid.images))[:, 1], 0)
    plain, of_other = fit(CONFIG, data), fit(CONFIG, other)
    assert (plain.val_loss, plain.test_loss) == (of_other.val_loss, of_other.test_loss)


def test_pixels_of_uint8_images_that_are_constant_in_training_are_as_they_were() -> None:
    images, labels = small_arrays(200)
    images[:, 0, 0] = 0
    images[:50, 0, 0] = 9
    data = Dataset.from_arrays(images, labels, data=Data(valid_size=50))
    assert (float(data.mean[0, 0]), float(data.scale[0, 0])) == (0, 1)


def test_columns_that_vary_within_the_rounding_of_their_type_are_constant() -> None:
    rows = U.astype(np.float32)
    rows[:, 2] = np.where(np.arange(N) % 3 == 0, np.nextafter(np.float32(1), np.float32(2)), 1)
    data = made(rows)
    assert offset_of(data) is None
    assert float(data.scale[0, 2]) == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            np.where(np.arange(N) < 320, U[:, 0] * 1e-20, 1e30),
            "80 values of the test rows are infinite in float32",
        ),
        (np.where(np.arange(N) == 80, -3e38, 3e38), "infinite in float32 when standardised"),
        (U[:, 0] * 1e-35, "^column 1 of the training rows varies by less than 8e-31, which float32 cannot"),
    ],
)
def test_what_is_infinite_when_standardised_is_refused(column: np.ndarray, message: str) -> None:
    rows = np.stack([U[:, 0], column], 1)
    with pytest.raises(UserError, match=message):
        made(rows)


IMAGES, LABELS = small_arrays(200)
UNIT = IMAGES.astype(np.float32) / 255


@pytest.mark.parametrize("scaling", ["none", "standardize"])
@pytest.mark.parametrize("convert", [lambda x: x, lambda x: x.astype(np.float32), lambda x: x.astype(np.int64)])
def test_pixels_on_two_scales_are_refused(scaling, convert) -> None:
    data = Data(scaling, 50)
    pixels = convert(IMAGES)
    with pytest.raises(UserError, match=r"^the test rows are within 0 \.\. 1, and the training rows within 0 \.\. 255"):
        Dataset.from_arrays(pixels, LABELS, UNIT[:60], LABELS[:60], data=data)
    with pytest.raises(UserError, match=r"^the test rows are within 0 \.\. 255.*training.* 0 \.\. 1\. Divide them by"):
        Dataset.from_arrays(UNIT, LABELS, pixels[:60], LABELS[:60], data=data)
    Dataset.from_arrays(IMAGES, LABELS, pixels[:60], LABELS[:60], data=data)
    Dataset.from_arrays(UNIT, LABELS, UNIT[:60].astype(np.float64), LABELS[:60], data=data)


@pytest.mark.parametrize("rows", [UNIT, (IMAGES > 100).astype(np.uint8), IMAGES > 100, IMAGES / 255])
def test_dividing_by_255_what_is_within_0_and_1_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"^data\.scaling is unit, which divides by 255.*within 0 \.\. 1 already\. Use"):
        Dataset.from_arrays(rows, LABELS, data=Data("unit", 50))
    Dataset.from_arrays(rows, LABELS, data=Data("none", 50))


def test_rows_outside_the_training_range_are_no_scale_mistake() -> None:
    counts = np.random.default_rng(2).poisson(2, (N, 3)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(counts, tests=np.minimum(counts[:50], 1))
        made(U, tests=U[:50] + np.asarray([0, 0, 40]))
        made(counts * 10, tests=counts[:50] * 0)


@pytest.mark.parametrize("columns", [1, 7, 8])
def test_a_few_columns_are_no_pixels(columns: int) -> None:
    small = np.repeat(U[:, :1], columns, axis=1)
    for train, tests in ((small, small[:50] * 40), (small * 40, small[:50])):
        if columns < 8:
            made(train, tests=tests)
        else:
            with pytest.raises(UserError, match=r"^the test rows are within 0 \.\. "):
                made(train, tests=tests)
