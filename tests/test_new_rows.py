"""Rows that a trained network is asked about: each is answered like a training row, or refused with the reason."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from small_data import CLASSES, SHAPE, SMALL, compilations, lean_compilation, small_arrays, small_dataset

from jaxdeep.analysis.uncertainty import mc_predict
from jaxdeep.config import Config, Data
from jaxdeep.data.dataset import Columns, Dataset, Info
from jaxdeep.data.new_rows import checked_rows
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.forward import probabilities

INPUTS = int(np.prod(SHAPE))
DROPPED = replace(
    SMALL,
    model=replace(SMALL.model, units=(8, 8), dropout="dropout", dropout_sites="head", dropout_rate=0.3),
    train=replace(SMALL.train, epochs=1),
)
IMAGES, _ = small_arrays(6, seed=3)
rng = np.random.default_rng(0)


class Frame:
    """What a data frame has in common: names of columns, and values."""

    def __init__(self, values: np.ndarray, columns: Any) -> None:
        self.values, self.columns = values, columns

    def to_numpy(self) -> np.ndarray:
        return self.values


def data_of(rows: np.ndarray, names: tuple[str, ...] | None = None) -> Dataset:
    """A data set whose training rows are these; validation and test rows are their first ones."""
    classes = np.arange(len(rows)) % 2
    data = Dataset.from_arrays(
        np.concatenate([rows[:2], rows]), np.r_[0, 1, classes], rows[:2], np.arange(2), data=Data(valid_size=2)
    )
    assert isinstance(data.info, Info)
    assert isinstance(data.info.columns, Columns)
    return replace(data, info=data.info._replace(columns=replace(data.info.columns, names=names)))


def pixels(rows: int = 400, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, 256, (rows, *shape)).astype(np.uint8)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with lean_compilation():
        yield fit(DROPPED, small_dataset(DROPPED))


def ways(run: Run) -> list[Any]:
    """Both ways to ask a run."""

    def mean(rows: Any, **options: bool) -> np.ndarray:
        return np.asarray(mc_predict(run, rows, jax.random.key(0), 2, **options).mean)

    return [run.predict, mean]


shapes = st.one_of(
    st.sampled_from([(1, INPUTS), (2, INPUTS), (2, *SHAPE), (1, 6, 6), SHAPE, (INPUTS,), (2, 1, 6, 6), (0, INPUTS)]),
    of_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7),
)
NUMBERS = ("uint8", "int8", "int64", "uint64", "bool", "float16", "float32", "float64", "longdouble", ">f4", ">i4")
OTHERS = ("complex64", "S3", "U3", "datetime64[s]", "timedelta64[s]", "object")
types = st.sampled_from([*NUMBERS, *OTHERS])
arrays = st.builds(lambda dtype, shape: of_numpy.arrays(dtype, shape), types, shapes).flatmap(lambda found: found)


@given(rows=arrays, way=st.integers(0, 1), check=st.booleans())
def test_an_answer_is_probabilities_for_each_row_or_the_rows_are_refused(
    run: Run, rows: np.ndarray, way: int, check: bool
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = ways(run)[way](rows, check=check)
        except UserError as error:
            refusal = str(error)
        else:
            refusal = ""
            assert len(rows) > 0
            assert rows.size == len(rows) * INPUTS
            assert found.shape == (len(rows), CLASSES)
            np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert "\n" not in refusal
    assert {warning.category for warning in caught} <= {JaxdeepWarning}
    assert len(caught) <= check


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64", ">f4", "longdouble"])
@pytest.mark.parametrize("shape", [SHAPE, SHAPE[:2], (1, *SHAPE[:2]), (INPUTS,)])
def test_the_same_rows_in_another_type_or_form_have_the_same_answer(run: Run, dtype: str, shape: Any) -> None:
    expected = run.predict(IMAGES)
    np.testing.assert_array_equal(run.predict(IMAGES.astype(dtype).reshape(6, *shape)), expected)


def test_lists_and_jax_arrays_are_rows_too(run: Run) -> None:
    expected = run.predict(IMAGES)
    for rows in (IMAGES.tolist(), jnp.asarray(IMAGES), jnp.asarray(IMAGES, jnp.bfloat16), np.ma.array(IMAGES)):
        np.testing.assert_array_equal(run.predict(rows), expected)


flat = IMAGES.reshape(6, INPUTS)
holed = np.where(np.arange(6 * INPUTS).reshape(6, INPUTS) == 40, np.nan, flat)
REFUSED = {
    "one row": (flat[0], r"shape \(36,\).*rows\[None\]"),
    "one image": (IMAGES[0], r"shape \(6, 6, 1\).*rows\[None\]"),
    "one image without its channel": (IMAGES[0, ..., 0], r"shape \(6, 6\).*rows\[None\]"),
    "narrow": (flat[:, 1:], r"\(6, 35\), expected \[N, 6, 6, 1\] or \[N, 36\]"),
    "wide": (np.c_[flat, flat[:, :1]], r"\(6, 37\)"),
    "other axes": (IMAGES.reshape(6, 4, 9), "in their order"),
    "a number": (3.0, r"shape \(\)"),
    "empty": (flat[:0], "there are none"),
    "no image": (IMAGES[:0], "there are none"),
    "text": (flat.astype("U3"), "<U3: text. Encode it as numbers"),
    "objects": (flat.astype(object), "an array of Python objects. Give numbers"),
    "complex": (flat.astype("complex64"), "complex64: complex numbers"),
    "nothing": (None, "a NoneType. Give an array"),
    "ragged": ([[1.0, 2.0], [3.0]], "ragged: its rows differ in length"),
    "nan": (holed, r"1 of 216 values are not finite, the first of them nan in row 1, column 4"),
    "infinite": (np.where(np.isnan(holed), -np.inf, holed), "not finite, the first of them -inf"),
    "too large": (np.where(np.isnan(holed), 1e300, holed), "too large for float32"),
    "masked": (np.ma.masked_equal(flat, flat[2, 2]), "values of the rows are masked"),
    "0..1": (IMAGES / 255, r"all rows are within 0..1.*rows \* 255"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_cannot_be_meant_are_refused_in_both_ways(run: Run, name: str) -> None:
    rows, message = REFUSED[name]
    for way in ways(run):
        with pytest.raises(UserError, match=message):
            way(rows)
        if name != "0..1":
            with pytest.raises(UserError, match=message):
                way(rows, check=False)


def test_what_overflows_in_the_network_has_no_answer(run: Run) -> None:
    rows = np.where(np.arange(6)[:, None] == 4, 3e38, flat)
    steep = replace(run, params=jax.tree.map(lambda leaf: leaf * 1e6, run.params))
    for way in ways(steep):
        with pytest.raises(UserError, match="answers to 1 of 6 rows are not finite, the first of them to row 4"):
            way(rows, check=False)


def test_a_run_without_a_best_epoch_has_no_answer(run: Run) -> None:
    for way in ways(replace(run, best_epoch=0, diverged=True)):
        with pytest.raises(UserError, match="seed 42 diverged before it had a best epoch"):
            way(IMAGES)


def test_channels_first_is_refused_with_the_way_out() -> None:
    images = pixels(20, (4, 4, 3))
    with pytest.raises(UserError, match=r"np.moveaxis\(rows, 1, -1\)"):
        checked_rows(data_of(images), np.moveaxis(images, -1, 1))


@pytest.mark.parametrize("inputs", [1, 5])
def test_a_table_s_single_row_is_not_taken_for_a_column(inputs: int) -> None:
    table = rng.random((50, inputs))
    with pytest.raises(UserError, match=r"rows\[None\]"):
        checked_rows(data_of(table), table[0])
    assert checked_rows(data_of(table), table[:1]).shape == (1, inputs)
    if inputs == 1:
        with pytest.raises(UserError, match=r"rows\[:, None\]"):
            checked_rows(data_of(table), table[:, 0])


WIDE = rng.random((300, 40)) * 255
"""Pixels that are not whole."""
TABLE = np.c_[rng.integers(0, 2, (300, 6)), rng.random((300, 4)) * 200, rng.normal(0, 1, (300, 2))]
"""Flags, lengths and deviations."""
RAIN = np.minimum(np.exp(rng.normal(-1, 1, (2_000, 1)) + rng.normal(0, 0.5, (2_000, 12))), 120)
RAIN[:40] = rng.random((40, 12)) * 250
"""Millimetres a day at 12 places: mostly below 1, up to 250."""
COUNTS = rng.poisson(np.r_[[0.1] * 38, 60, 100], (300, 40))
SCALES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "bytes, 0..1": (pixels(), pixels(5) / 255),
    "bytes, one dark image in 0..1": (pixels(), pixels(1) / 255 * (np.arange(6) == 2)[:, None]),
    "bytes, float32 in 0..1": (pixels(), (pixels(5) / 255).astype("float32")),
    "bytes, black and white": (pixels(), (pixels(5) > 99).astype(float)),
    "bytes, a mask": (pixels(), pixels(5) > 99),
    "bytes as floats, 0..1": (pixels().astype("float32"), pixels(5) / 255),
    "parts of pixels, 0..1": (WIDE, WIDE[:3] / 255),
    "0..1, bytes": (pixels() / 255, pixels(5)),
    "0..1, bytes as floats": ((pixels() / 255).astype("float32"), pixels(5).astype("float32")),
    "0..1, parts of pixels": (WIDE / 255, WIDE[:3]),
    "0..1, one image": (pixels() / 255, pixels(1)),
}


@pytest.mark.parametrize("name", SCALES)
def test_pixels_on_the_other_scale_are_refused(name: str) -> None:
    training, rows = SCALES[name]
    with pytest.raises(UserError, match="another scale of pixels"):
        checked_rows(data_of(training), rows)
    assert len(checked_rows(data_of(training), rows, check=False)) == len(rows)


ALLOWED: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "black bytes": (pixels(), np.zeros((2, *SHAPE), np.uint8)),
    "black": (pixels(), np.zeros((2, *SHAPE))),
    "dark bytes": (pixels(), np.ones((2, *SHAPE), np.uint8)),
    "one bright image of many": (pixels(), np.concatenate([pixels(3) / 255, pixels(1)])),
    "a table's row of small values": (TABLE, np.r_[1, 0, 1, 1, 0, 1, 0.7, 0.5, 0.1, 0.9, 0.5, 0.1][None]),
    "two small lengths": (TABLE[:, 6:8] * 1.0, np.array([[0.8, 0.7]])),
    "a day with little rain": (RAIN, np.full((1, 12), 0.5)),
    "a month with little rain": (RAIN, rng.random((30, 12)) * 0.9 + 0.05),
    "a short text's words": (COUNTS.astype("float32"), (COUNTS[:3] > 0) * (np.arange(40) < 38) * 1.0),
    "flags": (TABLE[:, :6], 1 - TABLE[:3, :6]),
    "0..1 of 0..1": (WIDE / 255, WIDE[:3] / 255),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_rows_that_may_be_meant_are_not_refused_for_their_scale(name: str) -> None:
    training, rows = ALLOWED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JaxdeepWarning)
        assert len(checked_rows(data_of(training), rows)) == len(rows)


OUTSIDE: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "a code for what is missing": (TABLE[:, :6], np.where(np.arange(6) == 3, 255, TABLE[:2, :6])),
    "more than ever": (TABLE, TABLE[:3] + 300),
    "standardised pixels": (pixels(), rng.normal(0, 1, (3, *SHAPE))),
    "beyond white": (pixels(), pixels(2).astype(int) + 30),
    "a little growth": (WIDE / 255, WIDE[:3] / 255 * 1.5),
    "another constant": (np.c_[np.ones(50), rng.random(50)], np.array([[1.1, 0.5]])),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_rows_outside_the_training_range_are_one_warning(name: str) -> None:
    training, rows = OUTSIDE[name]
    with pytest.warns(JaxdeepWarning, match="outside the range of the training rows") as caught:
        found = checked_rows(data_of(training), rows)
    assert len(caught) == 1
    np.testing.assert_allclose(found, rows.reshape(len(rows), -1), rtol=1e-6)
    assert len(checked_rows(data_of(training), rows, check=False)) == len(rows)


def test_the_warning_counts_the_values_and_names_the_worst_at_the_caller_s_line(run: Run) -> None:
    training = np.linspace(0, 1, 50)[:, None] * [1.0, 2.0, 100.0]
    rows = np.array([[0.5, 1.0, 50.0], [0.5, -1.0, 120.0], [0.5, 1.0, 100.0]])
    expected = r"2 of 9 values, in 2 of 3 columns, .* worst -1 in row 1, column 'b' \(training 0..2\)"
    with pytest.warns(JaxdeepWarning, match=expected):
        checked_rows(data_of(training, ("a", "b", "c")), rows)
    for way in ways(run)[:1]:
        with pytest.warns(JaxdeepWarning, match="worst 300 in row 0, column 0") as caught:
            way(np.full((1, INPUTS), 300.0))
        assert caught[0].filename == __file__


def test_fresh_rows_of_the_same_table_are_not_outside() -> None:
    """With 20 normal columns, most sets of fresh rows exceed the training rows somewhere by a little."""
    training = np.random.default_rng(1).normal(size=(2_000, 20))
    data, exceeding = data_of(training), 0
    for seed in range(2, 22):
        fresh = np.random.default_rng(seed).normal(size=(100, 20))
        exceeding += bool(((fresh < training.min(0)) | (fresh > training.max(0))).any())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            checked_rows(data, fresh)
        assert len(caught) <= bool((np.abs(fresh) > 3.8).any())
    assert exceeding > 10
    with pytest.warns(JaxdeepWarning, match="1 of 20 values"):
        checked_rows(data, np.r_[5.0, np.zeros(19)][None])


def test_a_rounding_error_is_not_outside() -> None:
    training = rng.normal(0, 1, (50, 3))
    for dtype in ("float32", "float16"):
        assert len(checked_rows(data_of(training), training.astype(dtype))) == 50
        assert len(checked_rows(data_of(training.astype(dtype)), training.astype(dtype))) == 50


def test_pixels_share_one_range_and_the_columns_of_a_table_do_not() -> None:
    images = pixels(50) // np.arange(1, 7, dtype=np.uint8)[:, None]
    darker = images.copy()
    darker[:, 5] = 200
    for training in (images, images / 255):
        assert len(checked_rows(data_of(training), darker * (training.max() / 255))) == 50
    with pytest.warns(JaxdeepWarning, match="in 5 of 36 columns"):
        checked_rows(data_of(images.reshape(50, -1) / 255), darker.reshape(50, -1) / 255)


def test_a_data_frame_s_columns_are_matched_by_name() -> None:
    table, names = rng.random((30, 3)), ("size", "weight", "7")
    data = data_of(table, names)
    np.testing.assert_array_equal(
        checked_rows(data, Frame(table[:, [2, 0, 1]], [7, "size", "weight"])), checked_rows(data, table)
    )
    for columns, values, message in [
        (("size", "weight", "age"), table, r"lacks \['7'\] and has the unknown \['age'\]"),
        (("size", "weight"), table[:, :2], r"lacks \['7'\]. Give the columns of the training rows"),
        (("size", "weight", "7", "age"), np.c_[table, table[:, :1]], r"has the unknown \['age'\]"),
        (("size", "weight", "7", "size"), np.c_[table, table[:, :1]], r"has the unknown \['size'\]"),
    ]:
        for check in (True, False):
            with pytest.raises(UserError, match=message):
                checked_rows(data, Frame(values, columns), check=check)
    unnamed = checked_rows(data_of(table), Frame(table, ["z", "y", "x"]))
    np.testing.assert_array_equal(unnamed, checked_rows(data, table))
    with pytest.raises(UserError, match="column 'weight'"):
        checked_rows(data, table * [1, np.nan, 1])


def test_many_missing_names_are_shortened() -> None:
    table = rng.random((30, 25))
    data = data_of(table, tuple(f"x{index}" for index in range(25)))
    with pytest.raises(UserError, match=r"'x17'\] and 15 more"):
        checked_rows(data, Frame(table, [f"y{index}" for index in range(25)]))


def test_without_info_only_shape_type_and_finiteness_are_checked() -> None:
    data = replace(data_of(pixels()), info=None)
    assert checked_rows(data, pixels(3) / 255 - 9).shape == (3, INPUTS)
    for rows in (np.full((1, INPUTS), np.nan), pixels(3)[:, :3], pixels(3).astype(str)):
        with pytest.raises(UserError):
            checked_rows(data, rows)


def test_rows_keep_the_type_that_they_can_have() -> None:
    data = data_of(pixels())
    assert checked_rows(data, pixels(2)).dtype == np.uint8
    assert checked_rows(data, pixels(2).astype(int)).dtype == np.float32
    assert checked_rows(data, pixels(2).astype(float)).dtype == np.float32
    with jax.enable_x64(True):
        assert checked_rows(data, pixels(2).astype(float)).dtype == np.float64
        with pytest.raises(UserError, match="too large for float32"):
            checked_rows(data, np.full((1, INPUTS), 1e300), check=False)
        assert checked_rows(data, np.full((1, INPUTS), 1e300), check=False, dtype="float64").max() == 1e300


def test_a_configuration_of_raw_pixels_is_answered_as_before() -> None:
    """Values that are not whole, between pixels: they are not cast to bytes."""
    config = replace(DROPPED, data=replace(Config().data, valid_size=50, scaling="none"))
    with lean_compilation():
        run = fit(config, small_dataset(config))
        halves = IMAGES * 0.5
        assert not np.array_equal(run.predict(halves), run.predict(np.trunc(halves)))


def test_a_number_of_rows_near_an_earlier_one_compiles_nothing(run) -> None:
    rows = np.concatenate([IMAGES] * 8)[:41]
    expected = run.predict(rows)
    cached = probabilities._cache_size()
    for count in (1, 2, 3, 32, 33, 40):
        np.testing.assert_allclose(run.predict(rows[:count]), expected[:count], atol=1e-6)
    assert probabilities._cache_size() <= cached + 2  # 32 and 40
    with compilations() as heard:
        run.predict(rows[:7])
        run.predict(rows[:38])
    assert not heard
