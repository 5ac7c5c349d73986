"""Calls with files and folders that must be refused."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.attempts import Attempt, call, calls
from bench.bad_data import DATA, changed, labels, rows
from jaxdeep import Dataset, load_images


def bad_files(inputs: Path) -> list[Attempt]:
    """Return the attempts of all these calls.

    Args:
        inputs: Folder for the files that the calls read.

    Returns:
        Attempts that are not made yet.
    """
    return [*_archives(inputs), *_images(inputs)]


def _archives(inputs: Path) -> Iterator[Attempt]:
    kind, whole = "call: Dataset.from_npz", io.BytesIO()
    np.savez_compressed(whole, x_train=rows(), y_train=labels())
    data = whole.getvalue()
    flips = {
        f"byte {at} of {len(data)} flipped": data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]
        for at in (200, 900, len(data) - 300)
    }
    contents = {
        "empty": b"",
        "text": b"x_train,y_train\n1,2\n",
        "its first half": data[: len(data) // 2],
        "its last half": data[len(data) // 2 :],
        "all but its last byte": data[:-1],
        "a text in the archive": _zipped({"x_train.npy": b"1,2", "y_train.npy": b"1"}),
        "an empty archive": _zipped({}),
        "a header without values": _zipped({"x_train.npy": _npy(rows())[:128], "y_train.npy": _npy(labels())}),
        "no labels": _saved(x_train=rows()),
        "no rows": _saved(y_train=labels()),
        "names that mean nothing": _saved(a=rows(), b=labels()),
        "test rows without labels": _saved(x_train=rows(), y_train=labels(), x_test=rows()),
        "objects": _saved(x_train=rows().astype(object), y_train=labels()),
        "one array": _npy(rows()),
        "NaN": _saved(x_train=changed(rows(), (5, 2), np.nan), y_train=labels()),
        "fractions as labels": _saved(x_train=rows(), y_train=labels() + 0.5),
        **flips,
    }
    for name, content in contents.items():
        path = inputs / f"{name}.npz"
        path.write_bytes(content)
        yield call(kind, name, lambda path=path: Dataset.from_npz(path, DATA))
    for name, path in {
        "a folder": inputs,
        "nothing": inputs / "none.npz",
        "None": None,
        "a number": 5,
        "''": "",
    }.items():
        yield call(kind, f"path: {name}", lambda path=path: Dataset.from_npz(path, DATA))


def _images(inputs: Path) -> Iterator[Attempt]:
    kind, file = "call: load_images", inputs / "file"
    file.write_text("text")
    empty = inputs / "nothing_in_it"
    empty.mkdir(exist_ok=True)
    yield from calls(kind, "name", load_images, ("cifar", "CIFAR10", "", None, 10))
    sources = ("mnist", "Auto", "", None, 1)
    yield from calls(kind, "source", lambda source: load_images("cifar10", source=source), sources)
    for name, place in {"a file": file, "nothing": inputs / "nowhere", "an empty folder": empty}.items():
        yield call(
            kind, f"data_dir: {name}", lambda place=place: load_images("cifar10", source="cifar10", data_dir=place)
        )


def _saved(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
