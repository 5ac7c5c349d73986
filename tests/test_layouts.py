"""Every layout of a classic set is read, from its own folder and from the parents, and never as another set."""

import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import small_files

from jaxdeep.data import classic, digests, layouts
from jaxdeep.data.images import SPECS, Arrays
from jaxdeep.errors import UserError

TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
OTHER = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}
TARGET = "datasets/cifar-10-batches-py-target"


@pytest.fixture(autouse=True)
def _official(monkeypatch):
    monkeypatch.setattr(digests, "OFFICIAL", small_files.official())


def dotted(file: str) -> str:
    return file.replace("-idx", ".idx")


def npz(parts: Mapping[str, bytes]) -> bytes:
    arrays = [np.frombuffer(data, np.uint8, offset=16 if "images" in file else 8) for file, data in parts.items()]
    images = [array.reshape(-1, 28, 28) for array in arrays[::2]]
    stream = io.BytesIO()
    np.savez(stream, x_train=images[0], y_train=arrays[1], x_test=images[1], y_test=arrays[3])
    return stream.getvalue()


def idx_layouts(name: str, parts: Mapping[str, bytes]) -> dict[str, tuple[dict[str, bytes], list[str]]]:
    """Return by the layout's name its files, and the folders that may be given."""
    packed = {file: gzip.compress(data, 1) for file, data in parts.items()}
    torch, keras = f"{TORCHVISION[name]}/raw", f"datasets/{name.replace('_', '-')}"
    return {
        "ours": ({f"{name}/{file}": data for file, data in parts.items()}, [".", name]),
        "ours packed": ({f"{name}/{file}.gz": data for file, data in packed.items()}, [".", name]),
        "dots": ({f"{name}/{dotted(file)}": data for file, data in parts.items()}, [".", name]),
        "torchvision": (
            {f"{torch}/{file}": data for file, data in parts.items()}
            | {f"{torch}/{file}.gz": data for file, data in packed.items()},
            [".", torch.removesuffix("/raw"), torch],
        ),
        "keras": ({f"{keras}/{file}.gz": data for file, data in packed.items()}, [".", "datasets", keras]),
        "keras npz": ({f"datasets/{name}.npz": npz(parts)}, [".", "datasets"]),
        "flat": (dict(parts), ["."]),
        "flat packed": ({f"{file}.gz": data for file, data in packed.items()}, ["."]),
        "flat dots": ({dotted(file): data for file, data in parts.items()}, ["."]),
        "flat dots packed": ({f"{dotted(file)}.gz": data for file, data in packed.items()}, ["."]),
        "a folder a file": ({f"{dotted(file)}/{dotted(file)}": data for file, data in parts.items()}, ["."]),
    }


def cifar_layouts(
    python: Mapping[str, bytes], binary: Mapping[str, bytes]
) -> dict[str, tuple[dict[str, bytes], list[str]]]:
    """Return by the layout's name its files, and the folders that may be given."""
    batches = {f"cifar-10-batches-py/{file}": data for file, data in python.items()}
    records = {f"cifar-10-batches-bin/{file}": data for file, data in binary.items()}
    elsewhere = {f"./mine/{file}": data for file, data in python.items()}
    return {
        "python": (batches, [".", "cifar-10-batches-py"]),
        "python packed": ({"cifar-10-python.tar.gz": small_files.tarred(batches)}, ["."]),
        "torchvision": (batches | {"cifar-10-python.tar.gz": b"not read"}, ["."]),
        "keras 2": ({"datasets/cifar-10-batches-py.tar.gz": small_files.tarred(batches)}, [".", "datasets"]),
        "keras 3": (
            {f"{TARGET}/{file}": data for file, data in batches.items()},
            [".", "datasets", TARGET, f"{TARGET}/cifar-10-batches-py"],
        ),
        "keras 3 packed": ({f"{TARGET}_archive": small_files.tarred(batches)}, [".", "datasets"]),
        "binary": (records, [".", "cifar-10-batches-bin"]),
        "binary packed": ({"cifar-10-binary.tar.gz": small_files.tarred(records)}, ["."]),
        "packed again": ({"cifar-10-python.tar.gz": small_files.tarred(elsewhere)}, ["."]),
    }


def small_layouts(name: str) -> dict[str, tuple[dict[str, bytes], list[str]]]:
    if name == "cifar10":
        return cifar_layouts(small_files.parts(name, "python"), small_files.parts(name, "binary"))
    return idx_layouts(name, small_files.parts(name, "idx"))


def lay_out(files: Mapping[str, bytes], folder: Path) -> None:
    for file, data in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)


def assert_same(found: Arrays, expected: Arrays) -> None:
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, other)


CASES = [(name, layout) for name in SPECS for layout in small_layouts(name)]


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_every_layout_is_read_from_itself_and_from_its_parents(tmp_path, name, layout):
    files, given = small_layouts(name)[layout]
    lay_out(files, tmp_path)
    for folder in given:
        assert_same(classic.read(name, tmp_path / folder), small_files.arrays(name))


@pytest.mark.parametrize(("name", "layout"), [case for case in CASES if case[0] != "cifar10"])
def test_the_other_set_is_never_taken_from_any_layout(tmp_path, name, layout):
    files, given = small_layouts(name)[layout]
    lay_out(files, tmp_path)
    for folder in given:
        with pytest.raises(classic.Absent, match=f"found (the files of {name}, none|no files) of {OTHER[name]}"):
            classic.read(OTHER[name], tmp_path / folder)


@pytest.mark.parametrize(("name", "layout"), [case for case in CASES if case[0] != "cifar10"])
def test_the_other_sets_files_under_the_sets_name_are_refused_as_what_they_are(tmp_path, name, layout):
    named, _ = small_layouts(OTHER[name])[layout]
    for (file, _), data in zip(named.items(), small_layouts(name)[layout][0].values(), strict=True):
        lay_out({file: data}, tmp_path)
    with pytest.raises(UserError, match=rf"found (the files of {name}, none of|{name}'s .*, expected) {OTHER[name]}"):
        classic.read(OTHER[name], tmp_path)


def test_files_of_two_sets_in_one_flat_folder_are_refused(tmp_path):
    lay_out(small_files.parts("mnist", "idx"), tmp_path)
    tests = {file: data for file, data in small_files.parts("fashion_mnist", "idx").items() if "t10k" in file}
    lay_out(tests, tmp_path)
    for name, other in OTHER.items():
        with pytest.raises(UserError, match=rf"found {other}'s .*-ubyte, expected {name}'s"):
            classic.read(name, tmp_path)


def test_a_named_folder_comes_before_flat_files_of_the_other_set(tmp_path):
    lay_out(small_layouts("fashion_mnist")["flat"][0], tmp_path)
    lay_out(small_layouts("mnist")["torchvision"][0], tmp_path)
    for name in OTHER:
        assert_same(classic.read(name, tmp_path), small_files.arrays(name))


@pytest.mark.parametrize("name", SPECS)
def test_a_folder_without_the_set_is_listed(tmp_path, name):
    for folder in ("cifar-10-batches-py", "MNIST/raw", "fashion-mnist", "train-images-idx3-ubyte"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(classic.Absent, match=rf"no files of {name}\. .*holds MNIST, cifar-10-batches-py, fashion"):
        classic.read(name, tmp_path)
    for number in range(20):
        (tmp_path / f"A{number:02}").touch()
    with pytest.raises(classic.Absent, match=r"holds A00, .*, A11 and 12 more\. Give the folder") as caught:
        classic.read(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert layouts.EXPECTED[name] in str(caught.value)
    with pytest.raises(classic.Absent, match="The folder holds nothing"):
        classic.read(name, tmp_path / "MNIST" / "raw")


def test_a_folder_that_cannot_be_listed_is_an_error(monkeypatch, tmp_path):
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(layouts.os, "listdir", refuse)
    with pytest.raises(UserError, match="found Permission denied, expected a folder that can be read"):
        classic.read("mnist", tmp_path)


def test_an_npz_file_without_test_arrays_or_of_another_type_is_refused(tmp_path):
    images = np.zeros((3, 28, 28), np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=images[:, 0, 0])
    with pytest.raises(UserError, match=r"mnist\.npz: found no test arrays, expected"):
        classic.read("mnist", tmp_path)
    np.savez(tmp_path / "mnist.npz", x_train=images / 255, y_train=images[:, 0, 0])
    with pytest.raises(UserError, match=r"mnist\.npz: found an array of float64, expected"):
        classic.read("mnist", tmp_path)
