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
        (lambda x, y: (x[:, 0, 0, 0], y), r"shape \(200,\) .*, or images.reshape\(-1, 1\) for one column"),
        (lambda x, y: (x[:, :0], y), r"shape \(200, 0, 6, 1\), without a value"),
        (lambda x, y: (x[np.argsort(y)], np.sort(y)), r"lacks the classes \[0, 3\].* Rows sorted by class"),
        (lambda x, y: (x[:80], y[:80]), "data.valid_size is 50"),
        (lambda x, y: (x[:0], y[:0]), "no training rows"),
        (lambda x, y: (x[:40], y[:40]), "data.valid_size is 50, and 0 rows are left"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_the_reason(change, message) -> None:
    with pytest.raises(UserError, match=message):
        Dataset.from_arrays(*change(*small_arrays(200)), data=VALID)


def test_test_rows_of_another_shape_are_refused() -> None:
    images, labels = small_arrays(200)
    with pytest.raises(UserError, match=r"a test row has the shape \(36,\), a training row \(6, 6, 1\)"):
        Dataset.from_arrays(images, labels, images.reshape(200, -1), labels, data=VALID)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "float16", "int64", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_happens_to_the_arrays_afterwards_does_not_matter(dtype: str, order) -> None:
    images = np.asarray(np.random.default_rng(0).integers(0, 2, (200, 8, 8)), dtype, order=order)
    labels = np.arange(200, dtype=np.int32) % 4
    tests, test_labels = images[:60].copy(order), labels[:60].copy()
    data = Dataset.from_arrays(images, labels, tests, test_labels, data=VALID)
    before = [np.array(leaf) for leaf in jax.tree.leaves(data)]
    assert data.info is not None
    assert data.info.columns is not None
    low, high = data.info.columns.low.copy(), data.info.columns.high.copy()
    for array in (images, labels, tests, test_labels):
        array[...] = 1
    for leaf, was in zip(jax.tree.leaves(data), before, strict=True):
        np.testing.assert_array_equal(leaf, was)
    np.testing.assert_array_equal(data.info.columns.low, low)
    np.testing.assert_array_equal(data.info.columns.high, high)


@pytest.mark.parametrize(
    ("dtype", "digest"),
    [("uint8", "6120bec6e84d6f9d"), ("float32", "e0f2b68054d44e1c")],
)
def test_the_digest_of_plain_arrays_is_what_records_hold(dtype: str, digest: str) -> None:
    images, labels = small_arrays(200)
    info = Dataset.from_arrays(images.astype(dtype), labels, data=VALID).info
    assert info is not None
    assert info.digest == digest


def test_the_digest_tells_other_encodings() -> None:
    images, labels = small_arrays(200)
    given = [labels, labels + 1, labels * 2, np.array(["a", "b", "c", "d"])[labels], np.array([*"abce"])[labels]]
    infos = [Dataset.from_arrays(images, of, data=VALID).info for of in given]
    assert len({info.digest for info in infos if info}) == len(given)
    objects = [np.array([f"name {label}" for label in labels], object) for _ in range(2)]
    assert len({str(Dataset.from_arrays(images, of, data=VALID).identity()) for of in objects}) == 1
