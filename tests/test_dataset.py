"""A user's arrays become three parts on the device, or are refused with the reason."""

import jax
import numpy as np
import pytest
from small_data import small_arrays

from jaxdeep.config import Data
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError

VALID = Data(valid_size=50)


def test_validation_is_the_first_rows_and_training_the_others_in_order() -> None:
    images, labels = small_arrays(200)
    data = Dataset.from_arrays(images, labels, *small_arrays(60, seed=1), data=VALID)
    flat = images.reshape(200, -1)
    np.testing.assert_array_equal(data.valid.images, flat[:50])
    np.testing.assert_array_equal(data.train.images, flat[50:])
    np.testing.assert_array_equal(data.train.labels, labels[50:])
    assert data.train.images.dtype == np.uint8
    assert (data.inputs, data.classes) == (36, 4)


def test_train_size_takes_the_first_training_rows_and_standardises_on_them_alone() -> None:
    images, labels = small_arrays(200)
    data = Dataset.from_arrays(images, labels, data=Data(valid_size=50, train_size=40))
    rows = images[50:90].reshape(40, -1).astype(np.float64)
    np.testing.assert_array_equal(data.train.images, rows)
    np.testing.assert_allclose(data.mean[0], rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(1 / data.scale[0], rows.std(0), rtol=1e-5)


def test_without_test_arrays_the_last_rows_are_the_test() -> None:
    images, labels = small_arrays(200)
    data = Dataset.from_arrays(images, labels, data=VALID)
    np.testing.assert_array_equal(data.test.labels, labels[150:])
    assert len(data.train.labels) == 100


def test_a_constant_pixel_is_centred_and_not_divided_by_zero() -> None:
    images, labels = small_arrays(200)
    images[:, 0, 0] = 7
    data = Dataset.from_arrays(images, labels, data=VALID)
    assert float(data.mean[0, 0]) == 7
    assert float(data.scale[0, 0]) == 1


def test_npz_files_are_read_by_the_usual_names(tmp_path) -> None:
    images, labels = small_arrays(200)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels)
    data = Dataset.from_npz(tmp_path / "mine.npz", VALID)
    assert data.info is not None
    assert data.info.name == "mine"
    with pytest.raises(UserError, match=r"nothing\.npz"):
        Dataset.from_npz(tmp_path / "nothing.npz")


def test_the_digest_tells_other_images_from_the_same() -> None:
    images, labels = small_arrays(200)
    infos = [Dataset.from_arrays(images, labels, data=VALID).info for _ in range(2)]
    images[3, 2, 1] ^= 1
    other = Dataset.from_arrays(images, labels, data=VALID).info
    assert infos[0] is not None and infos[1] is not None and other is not None  # noqa: PT018
    assert infos[0].digest == infos[1].digest != other.digest


def test_what_the_images_are_does_not_make_another_program() -> None:
    images, labels = small_arrays(200)
    one = Dataset.from_arrays(images, labels, data=VALID)
    other = Dataset.from_arrays(images[::-1], labels[::-1], data=VALID, name="other")
    assert jax.tree.structure(one) == jax.tree.structure(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y[:-1]), r"images have the shape \(200, 6, 6, 1\) and labels \(199,\)"),
        (lambda x, y: (x.astype(np.int64), y), "images are int64; allowed: uint8 or a floating type"),
        (lambda x, y: (x, y.astype(np.float32)), "labels are float32"),
        (lambda x, y: (x, y.astype(np.int64) - 1), "labels are int64 from -1; allowed: integers from 0"),
        (lambda x, y: (x[np.argsort(y)], np.sort(y)), "are the rows sorted by class"),
        (lambda x, y: (x[:80], y[:80]), "data.valid_size is 50"),
        (lambda x, y: (x[:0], y[:0]), "no training rows"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_the_reason(change, message) -> None:
    with pytest.raises(UserError, match=message):
        Dataset.from_arrays(*change(*small_arrays(200)), data=VALID)


def test_test_rows_of_another_shape_are_refused() -> None:
    images, labels = small_arrays(200)
    with pytest.raises(UserError, match=r"a test row has the shape \(36,\), a training row \(6, 6, 1\)"):
        Dataset.from_arrays(images, labels, images.reshape(200, -1), labels, data=VALID)
