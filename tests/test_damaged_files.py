"""Whatever happens to the bytes of a file of images: the original arrays, or an error in one line."""

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import small_files
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdeep.data import classic, digests, npz
from jaxdeep.errors import UserError

FORMS = {
    "idx": ("mnist", "mnist/train-labels-idx1-ubyte"),
    "idx packed": ("fashion_mnist", "fashion_mnist/t10k-images-idx3-ubyte.gz"),
    "python": ("cifar10", "cifar-10-batches-py/data_batch_2"),
    "python packed": ("cifar10", "cifar-10-python.tar.gz"),
    "binary": ("cifar10", "cifar-10-batches-bin/test_batch.bin"),
    "binary packed": ("cifar10", "cifar-10-binary.tar.gz"),
    "keras npz": ("mnist", "mnist.npz"),
}
PLACES = st.floats(0, 1, exclude_max=True)


def damage(data: bytes, place: float, other: int, is_cut: bool) -> bytes:
    """Return the bytes cut off at a place, or with the byte there changed by `other`, 1 .. 255."""
    position = int(place * len(data))
    if is_cut:
        return data[:position]
    return data[:position] + bytes([data[position] ^ other]) + data[position + 1 :]


def assert_original_or_refused(read: Callable[[], tuple], original: tuple) -> None:
    """Read, and compare with what was written."""
    try:
        found = read()
    except UserError:
        return
    for array, expected in zip(found, original, strict=True):
        assert (array is None) == (expected is None)
        if array is not None:
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


@pytest.fixture(scope="module", autouse=True)
def _official() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "OFFICIAL", small_files.official())
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    """A folder of each form."""
    folders = {form: tmp_path_factory.mktemp("form") for form in FORMS}
    for form, folder in folders.items():
        name = FORMS[form][0]
        if form == "keras npz":
            kept = small_files.arrays(name)
            images = [kept.train_images[..., 0], kept.test_images[..., 0]]
            arrays = {"x_train": images[0], "y_train": kept[1], "x_test": images[1], "y_test": kept[3]}
            np.savez(folder / "mnist.npz", **arrays)
        else:
            small_files.write(name, folder, form)
    return folders


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_classic_file_is_refused_or_does_not_matter(written, form):
    name, file = FORMS[form]
    path = written[form] / file
    whole, original = path.read_bytes(), small_files.arrays(name)
    assert_original_or_refused(lambda: classic.read(name, written[form]), original)

    @settings(max_examples=60)
    @given(PLACES, st.integers(1, 255), st.booleans())
    def check(place: float, other: int, is_cut: bool) -> None:
        path.write_bytes(damage(whole, place, other, is_cut))
        assert_original_or_refused(lambda: classic.read(name, written[form]), original)

    try:
        check()
    finally:
        path.write_bytes(whole)


ROWS = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
CLASSES = np.arange(9) % 3
PACKERS = {"savez": np.savez, "savez_compressed": np.savez_compressed}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_damaged_npz_file_is_refused_or_does_not_matter(tmp_path, packer):
    path = tmp_path / "mine.npz"
    PACKERS[packer](path, X=ROWS, y=CLASSES, X_test=ROWS[:2], y_test=CLASSES[:2].astype("U3"))
    whole, original = path.read_bytes(), npz.read_rows(path)
    np.testing.assert_array_equal(original.x, ROWS)

    @settings(max_examples=400)
    @given(PLACES, st.integers(1, 255), st.booleans())
    def check(place: float, other: int, is_cut: bool) -> None:
        path.write_bytes(damage(whole, place, other, is_cut))
        assert_original_or_refused(lambda: npz.read_rows(path), original)

    check()


def test_a_damaged_directory_does_not_hide_arrays(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, X=ROWS, y=CLASSES, X_test=ROWS[:2], y_test=CLASSES[:2])
    whole, original = path.read_bytes(), npz.read_rows(path)
    for position in range(whole.index(b"PK\1\2"), len(whole)):
        for other in (1, 47, 255):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ other]) + whole[position + 1 :])
            assert_original_or_refused(lambda: npz.read_rows(path), original)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=100)
def test_bytes_of_any_kind_in_an_npz_file_are_refused(tmp_path_factory, data, is_member):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    path.write_bytes(trial(data) if is_member else data)
    with pytest.raises(UserError, match=r"any\.npz: "):
        npz.read_rows(path)


def trial(data: bytes) -> bytes:
    """Return an `.npz` file whose x_train has these bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x_train.npy", data)
        archive.writestr("y_train.npy", npy(CLASSES))
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def with_shape(shape: str) -> bytes:
    """Return an `.npy` file of ROWS whose header says another shape."""
    return npy(ROWS).replace(b"(9, 4), }".ljust(len(shape) + 3), f"{shape}, }}".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an array",
        npy(ROWS)[:-1],
        npy(ROWS) + b"more",
        npy(np.asarray(7.0)),
        npy(np.asarray([{}, None], object)),
        pickle.dumps([1, 2]),
        gzip.compress(npy(ROWS), mtime=0),
        *map(with_shape, ("(8, 4)", "(10, 4)", "(99999999999999, 4)", "(4294967296, 4294967296)", "(-9, 4)")),
        *map(with_shape, ("()", "(9, 4", "None", "9", "(9.0, 4)", "(9, -1)")),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_a_member_that_is_not_the_array_it_says_is_refused(tmp_path, data):
    path = tmp_path / "mine.npz"
    path.write_bytes(trial(data))
    with pytest.raises(UserError, match=r"mine\.npz: x_train ") as caught:
        npz.read_rows(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_an_npz_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.npz cannot be read \(No such file"):
        npz.read_rows(tmp_path / "absent.npz")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory"):
        npz.read_rows(tmp_path)
    for data in (b"", npy(ROWS), pickle.dumps([1]), b"x_train,y_train"):
        (tmp_path / "mine.npz").write_bytes(data)
        with pytest.raises(UserError, match=r"mine\.npz: not a readable \.npz file"):
            npz.read_rows(tmp_path / "mine.npz")
