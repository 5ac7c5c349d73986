"""The classic files: every form is read alike, every damage is told in one line."""

import gzip
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import small_files

from jaxdeep.data import classic, digests, formats
from jaxdeep.data.images import SPECS
from jaxdeep.errors import UserError

FORMS = [
    ("cifar10", "python"),
    ("cifar10", "python packed"),
    ("cifar10", "binary"),
    ("cifar10", "binary packed"),
    ("mnist", "idx"),
    ("mnist", "idx packed"),
    ("fashion_mnist", "idx packed"),
]
PYTHON = "cifar-10-batches-py/data_batch_2"
BINARY = "cifar-10-batches-bin/data_batch_2.bin"
IMAGES = "mnist/train-images-idx3-ubyte"
LABELS = "mnist/train-labels-idx1-ubyte"


@pytest.fixture
def unofficial(monkeypatch):
    """No content is checked: what is behind the digests is tested."""
    monkeypatch.setattr(digests, "OFFICIAL", {})


@pytest.fixture
def official(monkeypatch):
    """The small files are the official ones."""
    monkeypatch.setattr(digests, "OFFICIAL", small_files.official())


def assert_refused(name: str, folder: Path, file: str, found: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        classic.read(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder / file) in message
    assert re.search(rf"found .*{found}.*, expected .*{expected}", message), message


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_every_form_gives_the_same_arrays_in_their_order(official, tmp_path, name, kind):
    written = small_files.write(name, tmp_path, kind)
    found = classic.read(name, tmp_path)
    for array, expected in zip(found, written, strict=True):
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
        assert array.flags.writeable
        np.testing.assert_array_equal(array, expected)


def test_every_part_of_every_set_has_an_official_digest():
    assert set(digests.OFFICIAL["cifar10"]) == {*formats.PARTS, *classic.BINARY_PARTS}
    assert set(digests.OFFICIAL["mnist"]) == set(digests.OFFICIAL["fashion_mnist"]) == set(classic.IDX_FILES)
    assert set(digests.OFFICIAL) == set(SPECS)


def test_batches_saved_by_old_numpy_are_read(unofficial, tmp_path):
    small_files.write("cifar10", tmp_path, "python")
    path = tmp_path / PYTHON
    batch = pickle.loads(path.read_bytes())
    data = pickle.dumps(batch, protocol=3)
    path.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    np.testing.assert_array_equal(
        classic.read("cifar10", tmp_path).train_images, small_files.arrays("cifar10").train_images
    )


@pytest.mark.parametrize(
    ("name", "kind", "file"),
    [
        ("cifar10", "python", PYTHON),
        ("cifar10", "binary", BINARY),
        ("mnist", "idx", LABELS),
        ("fashion_mnist", "idx", LABELS.replace("mnist", "fashion_mnist")),
    ],
)
def test_other_content_than_the_official_is_refused_with_both_digests(official, tmp_path, name, kind, file):
    small_files.write(name, tmp_path, kind)
    data = (tmp_path / file).read_bytes()
    expected = digests.digest_of(data)
    for changed in (data[:-1] + bytes([data[-1] ^ 1]), data[:-10], b""):
        (tmp_path / file).write_bytes(changed)
        found = digests.digest_of(changed)
        words = [f"{digest.size:,} bytes, md5 {digest.md5}" for digest in (found, expected)]
        assert_refused(name, tmp_path, file, *words)


@pytest.mark.parametrize("name", SPECS)
def test_content_that_is_not_official_is_refused_in_production(tmp_path, name):
    small_files.write(name, tmp_path, "python" if name == "cifar10" else "idx")
    assert_refused(name, tmp_path, "", "bytes, md5", "(31,0|47,040,016)")


@pytest.mark.parametrize("kind", ["python packed", "binary packed", "idx packed"])
def test_equal_content_may_be_packed_by_anybody(official, tmp_path, kind):
    name = "mnist" if kind == "idx packed" else "cifar10"
    written = small_files.write(name, tmp_path, kind)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1))
    np.testing.assert_array_equal(classic.read(name, tmp_path).test_images, written.test_images)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.write_bytes(gzip.decompress(path.read_bytes()))  # as a browser saves it, under the packed file's name
    np.testing.assert_array_equal(classic.read(name, tmp_path).test_images, written.test_images)


@pytest.mark.parametrize(
    ("name", "kind", "file"),
    [("cifar10", "python", PYTHON), ("cifar10", "binary", BINARY), ("mnist", "idx packed", f"{LABELS}.gz")],
)
def test_a_missing_file_of_a_set_is_named(unofficial, tmp_path, name, kind, file):
    small_files.write(name, tmp_path, kind)
    (tmp_path / file).unlink()
    assert_refused(name, tmp_path, file.removesuffix(".gz"), "no such file", "beside the others")


@pytest.mark.parametrize(("name", "kind"), [("cifar10", "python packed"), ("cifar10", "binary packed")])
def test_a_damaged_archive_is_refused(unofficial, tmp_path, name, kind):
    small_files.write(name, tmp_path, kind)
    file = f"cifar-10-{kind.split()[0]}.tar.gz"
    data = (tmp_path / file).read_bytes()
    for damaged in (data[: len(data) // 2], b"", b"not an archive"):
        (tmp_path / file).write_bytes(damaged)
        assert_refused(name, tmp_path, file, f"{len(damaged):,} bytes", "tar.gz")
    (tmp_path / file).write_bytes(small_files.tarred({classic.CIFAR_PYTHON[0]: b"", classic.CIFAR_BINARY[0]: b""}))
    assert_refused(name, tmp_path, file, "no data_batch_2", "data_batch_1")


def test_a_damaged_gzip_file_is_refused(unofficial, tmp_path):
    small_files.write("mnist", tmp_path, "idx packed")
    path = tmp_path / f"{IMAGES}.gz"
    data = path.read_bytes()
    for damaged in (data[:-20], b"", b"not packed"):
        path.write_bytes(damaged)
        assert_refused("mnist", tmp_path, f"{IMAGES}.gz", "", "gzip|00000803")


def without_content(value: object) -> str | None:
    """Return an id that names a file's size, as pytest names the rest by itself."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


@pytest.mark.parametrize(
    ("data", "found", "expected"),
    [
        (b"", "EOFError", "pickled"),
        (small_files.pickled(np.zeros((3, 3072), np.uint8), [1, 2, 3])[:5000], "no readable batch", "pickled"),
        (small_files.pickled(np.zeros((3, 784), np.uint8), [1, 2, 3]), r"uint8 \(3, 784\)", r"\(N, 3072\)"),
        (small_files.pickled(np.zeros((3, 3072), np.float32), [1, 2, 3]), "float32", "uint8"),
        (small_files.pickled([1, 2], [1, 2]), "data of list", "uint8"),
        (small_files.pickled(np.zeros((3, 3072), np.uint8), [1, 2]), "2 labels", "3"),
        (small_files.pickled(np.zeros((3, 3072), np.uint8), [1, 10, 3]), "label 10", "0 to 9"),
        (small_files.pickled(np.zeros((3, 3072), np.uint8), [1, -1, 3]), "label -1", "0 to 9"),
        (pickle.dumps(os.getcwd), "getcwd", "pickled"),
    ],
    ids=without_content,
)
def test_a_wrong_python_batch_is_refused(unofficial, tmp_path, data, found, expected):
    small_files.write("cifar10", tmp_path, "python")
    (tmp_path / PYTHON).write_bytes(data)
    assert_refused("cifar10", tmp_path, PYTHON, found, expected)


def test_a_pickle_cannot_run_code(unofficial, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "attacked",)

    small_files.write("cifar10", tmp_path, "python")
    (tmp_path / PYTHON).write_bytes(pickle.dumps({b"data": Attack(), b"labels": []}))
    assert_refused("cifar10", tmp_path, PYTHON, "asks for", "pickled")
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("data", "found", "expected"),
    [
        (b"", "0 bytes", "3,073"),
        (bytes(3073 + 5), "3,078 bytes", "multiple of 3,073"),
        (bytes([12]) + bytes(3072), "label 12", "0 to 9"),
    ],
    ids=without_content,
)
def test_a_wrong_binary_batch_is_refused(unofficial, tmp_path, data, found, expected):
    small_files.write("cifar10", tmp_path, "binary")
    (tmp_path / BINARY).write_bytes(data)
    assert_refused("cifar10", tmp_path, BINARY, found, expected)


@pytest.mark.parametrize(
    ("file", "data", "found", "expected"),
    [
        (IMAGES, b"", "nothing", "00000803"),
        (IMAGES, small_files.idx(np.zeros(12)), "00000801", "00000803"),
        (IMAGES, small_files.idx(np.zeros((12, 28, 28)))[:-1], "9,423 bytes", "9,424"),
        (IMAGES, small_files.idx(np.zeros((12, 32, 32))), r"\(32, 32\)", r"\(28, 28\)"),
        (LABELS, small_files.idx(np.full(12, 10)), "label 10", "0 to 9"),
        (LABELS, small_files.idx(np.zeros(11)), "11 labels", "12"),
    ],
    ids=without_content,
)
def test_a_wrong_idx_file_is_refused(unofficial, tmp_path, file, data, found, expected):
    small_files.write("mnist", tmp_path, "idx")
    (tmp_path / file).write_bytes(data)
    assert_refused("mnist", tmp_path, file, found, expected)


@pytest.mark.parametrize("name", SPECS)
def test_the_real_files_are_whole(name):
    if not os.environ.get("JAXDEEP_DATA"):
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files")
    spec = SPECS[name]
    try:
        found = classic.read(name, Path(os.environ["JAXDEEP_DATA"]))
    except classic.Absent:
        pytest.skip(f"JAXDEEP_DATA has no files of {name}")
    assert found.train_images.shape == (spec.train, *spec.image_shape)
    assert found.test_images.shape == (spec.test, *spec.image_shape)
    if name != "mnist":  # whose classes are not of one size
        np.testing.assert_array_equal(np.bincount(found.train_labels), [spec.train // 10] * 10)
        np.testing.assert_array_equal(np.bincount(found.test_labels), [spec.test // 10] * 10)
    first = {"cifar10": [6, 9, 9, 4, 1], "mnist": [5, 0, 4, 1, 9], "fashion_mnist": [9, 0, 0, 3, 0]}[name]
    assert found.train_labels[:5].tolist() == first
