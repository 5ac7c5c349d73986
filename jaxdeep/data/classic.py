"""The classic files of CIFAR-10, MNIST and Fashion-MNIST in a folder, packed or unpacked, each of them checked.

A file that is not there is looked for under its next name; a file that is there and wrong is an error.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from jaxdeep.data import digests, formats
from jaxdeep.data.images import Arrays
from jaxdeep.errors import UserError

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR_PYTHON = tuple(f"cifar-10-batches-py/{part}" for part in formats.PARTS)
CIFAR_BINARY = tuple(f"cifar-10-batches-bin/{part}.bin" for part in formats.PARTS)

Batch = tuple[np.ndarray, np.ndarray]


def read(name: str, folder: Path) -> Arrays | None:
    """The data set in the folder, None where the folder has no file of it.

    CIFAR-10 is looked for as `cifar-10-batches-py/`, `cifar-10-python.tar.gz`, `cifar-10-batches-bin/` and
    `cifar-10-binary.tar.gz`, in this order; the others as four idx files in a folder of their name, each with or
    without `.gz`.

    Args:
        name: "cifar10", "mnist" or "fashion_mnist".
        folder: holds the files; only read.

    Raises:
        UserError: a file is missing from a set that has others, or its size, md5, shape or labels are wrong.
    """
    return _cifar(folder) if name == "cifar10" else _idx(folder, name)


def _cifar(folder: Path) -> Arrays | None:
    for members, archive, parse in (
        (CIFAR_PYTHON, "cifar-10-python.tar.gz", formats.python_batch),
        (CIFAR_BINARY, "cifar-10-binary.tar.gz", formats.binary_batch),
    ):
        if any((folder / member).exists() for member in members):
            return _cifar_unpacked(folder, members, parse)
        if (folder / archive).exists():
            data = formats.unpack_tar(_verified(folder, archive), members, str(folder / archive))
            files = [f"{folder / archive}: {member}" for member in members]
            return formats.joined([parse(*pair) for pair in zip(data, files, strict=True)])
    return None


def _cifar_unpacked(folder: Path, members: Iterable[str], parse: Callable[[bytes, str], Batch]) -> Arrays:
    with ThreadPoolExecutor(max_workers=4) as pool:
        batches = pool.map(lambda member: parse(_verified(folder, member), str(folder / member)), members)
        return formats.joined(list(batches))


def _idx(folder: Path, name: str) -> Arrays | None:
    names = [_either(folder, f"{name}/{file}") for file in IDX_FILES]
    if not any((folder / file).exists() for file in names):
        return None
    with ThreadPoolExecutor(max_workers=4) as pool:
        data = list(pool.map(lambda file: _unpacked(folder, file), names))
    files = [str(folder / file) for file in names]
    return idx_arrays(data, files)


def idx_arrays(data: list[bytes], files: list[str]) -> Arrays:
    """The four idx files in the order of IDX_FILES, made into arrays.

    Args:
        data: their bytes, unpacked.
        files: their names, for the errors.

    Raises:
        UserError: they are not idx files of 28x28 images and of as many labels from 0 to 9.
    """
    parsers = (formats.idx_images, formats.idx_labels) * 2
    arrays = Arrays(*(parse(*pair) for parse, pair in zip(parsers, zip(data, files, strict=True), strict=True)))
    for images, labels, file in (
        (arrays.train_images, arrays.train_labels, files[1]),
        (arrays.test_images, arrays.test_labels, files[3]),
    ):
        if len(images) != len(labels):
            raise UserError(f"{file}: found {len(labels):,} labels, expected {len(images):,}, one for each image")
    return arrays


def _either(folder: Path, file: str) -> str:
    return file if (folder / file).exists() else f"{file}.gz"


def _unpacked(folder: Path, file: str) -> bytes:
    data = _verified(folder, file)
    return formats.unpack_gzip(data, str(folder / file)) if file.endswith(".gz") else data


def _verified(folder: Path, file: str) -> bytes:
    """The file's bytes, once its size and md5 are the official ones (any, for a file that has no official ones)."""
    path = folder / file
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: found no such file, expected it beside the others of its set") from error
    except OSError as error:
        raise UserError(f"{path}: found {error.strerror}, expected a file that can be read") from error
    official = digests.OFFICIAL.get(file)
    if official is None:
        return data
    if len(data) != official.size:
        raise UserError(f"{path}: found {len(data):,} bytes, expected {official.size:,}")
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if md5 != official.md5:
        raise UserError(f"{path}: found md5 {md5}, expected {official.md5}")
    return data
