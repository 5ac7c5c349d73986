"""Labels of any kind become classes, and the originals are kept; or they are refused with the true reason."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import small_arrays

from jaxdeep.config import Data
from jaxdeep.data.dataset import Dataset, Info
from jaxdeep.errors import JaxdeepWarning, UserError

IMAGES, LABELS = small_arrays(200)
NAMES = ("ant", "bee", "cat", "dog")
VALID = Data(valid_size=50)


class Column:
    """Stands for a pandas Series: an `__array__` of objects."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array([*self.values, None], object)[:-1]


class NAType:
    """Stands for pandas.NA."""


def info_of(labels: Any, **more: Any) -> Info:
    info = Dataset.from_arrays(IMAGES, labels, data=VALID, **more).info
    assert info is not None
    return info


def codes_of(data: Dataset) -> np.ndarray:
    return np.concatenate([np.asarray(part.labels) for part in (data.valid, data.train, data.test)])


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (lambda y: y, (0, 1, 2, 3)),
        (lambda y: y.tolist(), (0, 1, 2, 3)),
        (lambda y: y.astype(">i8"), (0, 1, 2, 3)),
        (lambda y: jnp.asarray(y), (0, 1, 2, 3)),
        (lambda y: y.astype(np.float32), (0, 1, 2, 3)),
        (lambda y: y.astype(jnp.bfloat16), (0, 1, 2, 3)),
        (lambda y: y[:, None], (0, 1, 2, 3)),
        (lambda y: y.astype(int) + 1, (1, 2, 3, 4)),
        (lambda y: y.astype(int) - 1, (-1, 0, 1, 2)),
        (lambda y: y.astype(int) * 10**9, (0, 10**9, 2 * 10**9, 3 * 10**9)),
        (lambda y: y.astype(np.uint64) + np.uint64(2**63), tuple(2**63 + code for code in range(4))),
        (lambda y: np.array(NAMES)[y], NAMES),
        (lambda y: np.array(NAMES, np.dtypes.StringDType())[y], NAMES),
        (lambda y: np.array(NAMES, object)[y], NAMES),
        (lambda y: np.array(NAMES, "S")[y][:, None], NAMES),
        (lambda y: Column([NAMES[code] for code in y]), NAMES),
        (lambda y: Column([int(code) for code in y]), (0, 1, 2, 3)),
        (lambda y: Column([[0, 1.0, 2, 3.0][code] for code in y]), (0, 1, 2, 3)),
        (lambda y: [["10", "9", "a", "B"][code] for code in y], ("10", "9", "B", "a")),
        (lambda y: np.ma.masked_array(y, mask=False), (0, 1, 2, 3)),
    ],
)
def test_labels_are_encoded_in_sorted_order_and_keep_their_values(change: Callable[..., Any], values) -> None:
    given = change(LABELS)
    data = Dataset.from_arrays(IMAGES, given, data=VALID)
    assert data.info is not None
    assert data.info.label_values == values
    assert data.info.class_names == tuple(map(str, values))
    assert data.classes == 4
    flat = given.values if isinstance(given, Column) else np.asarray(given).reshape(-1).tolist()
    back = [data.info.label_values[code] for code in codes_of(data)]
    assert back == [label.decode() if isinstance(label, bytes) else label for label in flat]


@pytest.mark.parametrize("change", [np.asarray, lambda y: [bool(label) for label in y], lambda y: Column(list(y))])
def test_booleans_are_two_classes(change) -> None:
    data = Dataset.from_arrays(IMAGES, change(LABELS > 1), data=VALID)
    assert data.info is not None
    assert data.info.label_values == (False, True)
    assert data.info.class_names == ("False", "True")
    np.testing.assert_array_equal(codes_of(data), LABELS > 1)


def test_integers_from_0_are_as_they_were_and_strings_are_looked_up_among_class_names() -> None:
    plain = Dataset.from_arrays(IMAGES, LABELS, data=VALID, class_names=NAMES)
    np.testing.assert_array_equal(codes_of(plain), LABELS)
    assert plain.info is not None
    assert (plain.info.class_names, plain.info.label_values) == (NAMES, (0, 1, 2, 3))
    backwards = NAMES[::-1]
    named = Dataset.from_arrays(IMAGES, np.array(NAMES)[LABELS], data=VALID, class_names=[*backwards])
    assert named.info is not None
    assert (named.info.class_names, named.info.label_values) == (backwards, backwards)
    np.testing.assert_array_equal(codes_of(named), 3 - LABELS.astype(int))
    assert info_of(LABELS > 1, class_names=("no", "yes")).class_names == ("no", "yes")


def test_training_and_test_labels_are_encoded_together() -> None:
    labels = np.array(NAMES)[LABELS]
    tests = labels[:60].copy()
    tests[tests == "ant"] = "cat"
    with pytest.warns(JaxdeepWarning, match=r"^the test part lacks the classes \['ant'\]"):
        data = Dataset.from_arrays(IMAGES, labels, IMAGES[:60], tests, data=VALID)
    np.testing.assert_array_equal(np.array(NAMES)[data.test.labels], tests)
    with pytest.raises(UserError, match=r"lacks the classes \['eel'\], and the test rows have them"):
        Dataset.from_arrays(IMAGES, labels, IMAGES[:60], np.where(tests == "cat", "eel", tests), data=VALID)
    with pytest.raises(UserError, match=r"^labels holds text and test_labels holds integers"):
        Dataset.from_arrays(IMAGES, labels, IMAGES[:60], LABELS[:60], data=VALID)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_class_that_one_part_lacks_is_warned_of(part: str) -> None:
    labels = LABELS.astype(int)
    rows = slice(50) if part == "validation" else slice(150, None)
    labels[rows] = np.where(labels[rows] == 2, 1, labels[rows])
    with pytest.warns(JaxdeepWarning, match=rf"^the {part} part lacks the classes \[2\], so its figures say"):
        data = Dataset.from_arrays(IMAGES, labels, data=VALID)
    assert data.classes == 4
    np.testing.assert_array_equal(codes_of(data), labels)


def changed(row: int, value: Any) -> Callable[[np.ndarray], Any]:
    """Labels as objects, with another value in one row."""

    def change(labels: np.ndarray) -> Any:
        values = labels.tolist()
        values[row] = value
        return Column(values)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y + 0.5, "holds 1.5 in row 0, a fraction. Give classes"),
        (lambda y: np.where(np.arange(200) == 7, np.nan, y), "holds nan in row 7, no integer"),
        (lambda y: np.where(np.arange(200) == 7, np.inf, y), "holds inf in row 7, no integer"),
        (lambda y: y * 1e300, "no integer"),
        (lambda y: np.eye(4)[y], r"shape \(200, 4\) and looks one-hot\. Give labels.argmax\(1\)"),
        (lambda y: np.eye(4, dtype=bool)[y], r"one-hot\. Give labels.argmax\(1\)"),
        (lambda y: np.stack([y, y], 1), r"shape \(200, 2\). Give one label a row"),
        (lambda y: y.reshape(-1, 2, 2), r"labels \(50, 2, 2\)\. Give \[N, ...\] and \[N\]\."),
        (lambda y: 3, r"labels \(\)"),
        (lambda y: None, r"labels \(\)"),
        (lambda y: [[0, 1], [2]], "labels is ragged"),
        (lambda y: y + 1j, "labels is complex128, .* Give integers, booleans or strings"),
        (lambda y: y.astype("M8[D]"), r"labels is datetime64\[D\]"),
        (lambda y: y.astype("m8[D]"), r"labels is timedelta64\[D\]"),
        (changed(5, None), "labels misses the label of row 5"),
        (changed(5, NAType()), "labels misses the label of row 5"),
        (changed(5, float("nan")), "labels misses the label of row 5"),
        (changed(5, "ant"), r"labels mixes types: .* and 'ant' \(row 5\)"),
        (changed(5, True), r"labels mixes types: .* and True \(row 5\)"),
        (changed(5, 0.5), "labels holds 0.5 in row 5, a fraction"),
        (changed(5, 2**70), "labels holds 1180591620717411303424, too large"),
        (changed(5, ("a",)), "labels holds a tuple in row 5"),
        (lambda y: np.array([b"\xff", b"a", b"b", b"c"])[y], "bytes that are no UTF-8"),
        (lambda y: np.ma.masked_array(y, mask=np.arange(200) == 9), "labels masks the label of row 9"),
        (lambda y: y * 0, r"one class only, \[0\]"),
    ],
)
def test_what_names_no_class_is_refused_with_the_reason(change, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        info_of(change(LABELS))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (LABELS + 1, NAMES, r"the labels hold \[4\]\. Give 0 .. 3, one for each of class_names"),
        (np.array(NAMES)[LABELS], NAMES[:3], r"the labels hold \['dog'\]\. Give \['ant', 'bee', 'cat'\]"),
        (np.array(NAMES)[LABELS], (*NAMES, "ant"), r"class_names has \['ant'\] twice"),
        (LABELS, (*NAMES, "eel"), r"lacks the classes \[4\], and no row has them"),
        (LABELS > 1, NAMES, "class_names has 4 names, and the labels are booleans"),
        (LABELS, "ant", "class_names is the string 'ant'"),
        (LABELS * 0, ("ant",), "one class only"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(labels, names, message: str) -> None:
    with pytest.raises(UserError, match=message):
        info_of(labels, class_names=names)


SCALARS = st.one_of(
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.booleans(),
    st.none(),
    st.binary(max_size=2),
    st.fractions(),
    st.complex_numbers(),
)


@given(
    st.lists(SCALARS, min_size=1, max_size=2)
    | st.sampled_from([st.integers(), st.floats(), st.text(max_size=3)]).flatmap(
        lambda kind: st.lists(kind, min_size=2, max_size=5)
    ),
    st.booleans(),
)
@settings(max_examples=200)
def test_labels_of_any_objects_come_back_or_are_refused(kinds: list[Any], as_column: bool) -> None:
    labels = kinds * 6
    try:
        data = Dataset.from_arrays(
            np.random.default_rng(0).normal(size=(len(labels), 2)),
            Column(labels) if as_column else labels,
            data=Data(valid_size=2 * len(kinds)),
        )
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert data.info is not None
    assert data.info.label_values is not None
    back = [data.info.label_values[code] for code in codes_of(data)]
    if as_column:
        assert back == [label.decode() if isinstance(label, bytes) else label for label in labels]
    assert [*data.info.label_values] == sorted(set(back))
