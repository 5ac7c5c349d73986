"""The arrays of an `.npz` file are found by the names of the field, or the file is refused with the reason."""

import numpy as np
import pytest

from jaxdeep.config import Data
from jaxdeep.data import npz
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
CLASSES = np.arange(60) % 3
VALID = Data(valid_size=12)
NAMES = [
    ("X", "y"),
    ("x", "y"),
    ("X_train", "y_train"),
    ("x_train", "y_train"),
    ("train_x", "train_y"),
    ("xtrain", "ytrain"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("data", "target"),
    ("train_data", "train_labels"),
    ("features", "targets"),
]
TEST_NAMES = [
    ("X_test", "y_test"),
    ("x_test", "y_test"),
    ("test_images", "test_labels"),
    ("testX", "testY"),
    ("test_data", "test_target"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


@pytest.mark.parametrize(("rows", "labels"), NAMES)
def test_training_arrays_are_found_by_the_names_of_the_field(path, rows, labels):
    np.savez(path, **{rows: ROWS, labels: CLASSES, "names": np.asarray(["a", None], object)})
    found = npz.read_rows(path)
    np.testing.assert_array_equal(found.x, ROWS)
    np.testing.assert_array_equal(found.y, CLASSES)
    assert found[2:] == (None,) * 4
    data = Dataset.from_npz(path, VALID)
    np.testing.assert_array_equal(data.train.images, ROWS[12:48])


@pytest.mark.parametrize(("rows", "labels"), TEST_NAMES)
def test_test_arrays_are_found_by_the_names_of_the_field(path, rows, labels):
    np.savez(path, X=ROWS, y=CLASSES, **{rows: ROWS[:9], labels: CLASSES[:9]})
    data = Dataset.from_npz(path, VALID)
    np.testing.assert_array_equal(data.test.images, ROWS[:9])
    np.testing.assert_array_equal(data.train.images, ROWS[12:])


@pytest.mark.parametrize("part", ["val", "valid", "validation"])
def test_validation_rows_of_the_file_are_those_of_the_data_set(path, part):
    """The layout of MedMNIST."""
    parts = {"train": slice(0, 30), part: slice(30, 42), "test": slice(42, 60)}
    arrays = {f"{name}_images": ROWS[rows] for name, rows in parts.items()}
    arrays |= {f"{name}_labels": CLASSES[rows] for name, rows in parts.items()}
    np.savez(path, **arrays)
    data = Dataset.from_npz(path, VALID)
    np.testing.assert_array_equal(data.valid.images, ROWS[30:42])
    np.testing.assert_array_equal(data.valid.labels, CLASSES[30:42])
    np.testing.assert_array_equal(data.train.images, ROWS[:30])
    np.testing.assert_array_equal(data.test.images, ROWS[42:])
    with pytest.raises(UserError, match=r"found 12 validation rows .*valid_size is 20\. Set data\.valid_size to 12"):
        Dataset.from_npz(path, Data(valid_size=20))
    for wrong in (ROWS[30:42, :3], np.zeros((12, 4), np.uint8)):
        np.savez(path, **(arrays | {f"{part}_images": wrong}))
        with pytest.raises(UserError, match="found validation arrays of"):
            Dataset.from_npz(path, VALID)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("X", "x", "y"), "found X and x, which all may be training rows"),
        (("X", "X_train", "y"), "found X and X_train, which all may be training rows"),
        (("data", "images", "target"), "found data and images, which all may be training rows"),
        (("x_train", "y_train", "train_labels"), "found train_labels and y_train, which all may be training labels"),
        (("X", "y", "x_test", "test_images", "y_test"), "found test_images and x_test, which all may be test rows"),
    ],
)
def test_two_arrays_for_one_role_are_refused_with_their_names(path, keys, message):
    np.savez(path, **dict.fromkeys(keys, ROWS))
    with pytest.raises(UserError, match=rf"mine\.npz: {message}\. Save the file with one of them"):
        Dataset.from_npz(path, VALID)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            (),
            "found no arrays, and no training rows. Name them one of x_train, train_images, x, images",
        ),
        (
            ("x",),
            "found the arrays x, and no training labels. Name them one of y_train, train_labels, y, labels",
        ),
        (("arr_0", "arr_1"), "found the arrays arr_0, arr_1, and no training rows"),
        (("x_train_test", "y"), "found the arrays x_train_test, y, and no training rows"),
        (("X", "y", "x_test"), "and no test labels. Name them one of y_test, test_labels"),
        (("X", "y", "y_test"), "and no test rows. Name them one of x_test, test_images"),
        (("X", "y", "val_x"), "and no validation labels. Name them one of y_val, val_labels"),
        (("x_test", "y_test"), "found the arrays x_test, y_test, and no training rows"),
    ],
)
def test_a_missing_array_is_told_with_what_the_file_holds_and_what_is_looked_for(path, keys, message):
    np.savez(path, **dict.fromkeys(keys, ROWS))
    with pytest.raises(UserError) as caught:
        Dataset.from_npz(path, VALID)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_arrays_are_not_all_listed(path):
    np.savez(path, **{f"a{number:02}": CLASSES for number in range(20)})
    with pytest.raises(UserError, match=r"found the arrays a00, .*, a11 and 8 more, and no training rows"):
        Dataset.from_npz(path, VALID)


def test_the_home_folder_may_be_written_short(monkeypatch, path):
    np.savez(path, X=ROWS, y=CLASSES)
    monkeypatch.setenv("HOME", str(path.parent))
    data = Dataset.from_npz("~/mine.npz", VALID)
    assert data.info is not None
    assert data.info.name == "mine"
