"""The cache: what is written is read back, what is damaged is not used, and its failure stops nothing."""

import os

import numpy as np
import pytest
import small_files

from jaxdeep.data import cache


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(name):
    return cache.Kept(small_files.arrays(name), "download by URL")


def test_arrays_come_back_as_they_were(folder, caplog):
    written = kept("cifar10")
    assert cache.read("cifar10") is None
    cache.write("cifar10", written)
    found = cache.read("cifar10")
    assert found is not None
    assert found.source == "download by URL"
    for array, expected in zip(found.arrays, written.arrays, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
    assert cache.read("mnist") is None
    assert caplog.records == []


def test_a_file_from_before_the_download_by_url_is_of_tensorflow_datasets(folder):
    cache.write("mnist", kept("mnist"))
    path = folder / "mnist.arrays"
    path.write_bytes(path.read_bytes().replace(b', "source": "download by URL"', b"", 1))
    found = cache.read("mnist")
    assert found is not None
    assert found.source == "tensorflow_datasets"


def test_only_the_whole_file_is_left_behind(folder):
    cache.write("mnist", kept("mnist"))
    cache.write("mnist", kept("mnist"))
    assert [path.name for path in folder.iterdir()] == ["mnist.arrays"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "sha256"),
        (lambda data: data[:-5], "bytes of arrays"),
        (lambda data: data + b"more", "bytes of arrays"),
        (lambda data: b"", "header"),
        (lambda data: data[10:], "header"),
        (lambda data: b"[]\n" + data, "header"),
        (lambda data: data.replace(b"15", b"-1", 1), "bytes of arrays"),
    ],
)
def test_a_damaged_file_is_told_and_not_used(folder, caplog, damage, told):
    cache.write("cifar10", kept("cifar10"))
    path = folder / "cifar10.arrays"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read("cifar10") is None
    error = caplog.text
    assert str(path) in error
    assert "damaged" in error
    assert told in error
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_a_folder_that_cannot_be_written_is_told_and_stops_nothing(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "file"))
    assert cache.read("mnist") is None
    cache.write("mnist", kept("mnist"))
    error = caplog.text
    assert "cannot be written" in error
    assert str(tmp_path / "file") in error


def test_a_write_that_fails_leaves_the_old_file(folder, monkeypatch, caplog):
    written = kept("mnist")
    cache.write("mnist", written)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write("mnist", kept("fashion_mnist"))
    assert "No space left" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["mnist.arrays"]
    found = cache.read("mnist")
    assert found is not None
    np.testing.assert_array_equal(found.arrays.train_images, written.arrays.train_images)


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JAXDEEP_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.folder() == tmp_path / ".cache" / "jaxdeep"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache.folder() == tmp_path / "shared" / "jaxdeep"
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "own"))
    assert cache.folder() == tmp_path / "own"
