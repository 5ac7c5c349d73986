"""Classic files of a few images, written as the real ones are.

digests.OFFICIAL does not know them. A test puts `official()` in its place, or an empty one, under which all content
passes.
"""

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np

from jaxdeep.data import classic, digests, formats
from jaxdeep.data.images import SPECS, Arrays

CIFAR_BATCH = 3
IDX_COUNTS = (12, 7)


def arrays(name: str) -> Arrays:
    """Random images of the data set's shape, other ones for each set: 15 + 3 for CIFAR-10, 12 + 7 for the others."""
    rng = np.random.default_rng(list(SPECS).index(name))
    shape = SPECS[name].image_shape
    counts = (5 * CIFAR_BATCH, CIFAR_BATCH) if name == "cifar10" else IDX_COUNTS
    parts = []
    for count in counts:
        parts += [rng.integers(0, 256, (count, *shape), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)]
    return Arrays(*parts)


def write(name: str, folder: Path, kind: str) -> Arrays:
    """Write a small data set and return its arrays.

    Args:
        name: "cifar10", "mnist" or "fashion_mnist".
        folder: a data folder.
        kind: "python", "python packed", "binary" or "binary packed" for CIFAR-10; "idx" or "idx packed" for the others.
    """
    kept = arrays(name)
    style, _, packing = kind.partition(" ")
    files = {"python": _python, "binary": _binary}[style](kept) if name == "cifar10" else _idx(kept, name, packing)
    if name == "cifar10" and packing:
        (folder / f"cifar-10-{style}.tar.gz").write_bytes(tarred(files))
        return kept
    for file, data in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(data)
    return kept


def parts(name: str, form: str) -> dict[str, bytes]:
    """Return the unpacked content of each part by its file name.

    Args:
        name: "cifar10", "mnist" or "fashion_mnist".
        form: "python" or "binary" for CIFAR-10; "idx" for the others.
    """
    kept = arrays(name)
    files = _idx(kept, name) if form == "idx" else {"python": _python, "binary": _binary}[form](kept)
    return {file.rpartition("/")[2]: data for file, data in files.items()}


def official() -> dict[str, dict[str, digests.Digest]]:
    """Return what digests.OFFICIAL would be if the small files were the official ones."""
    forms = {"cifar10": ("python", "binary"), "mnist": ("idx",), "fashion_mnist": ("idx",)}
    return {
        name: {part: digests.digest_of(data) for form in forms[name] for part, data in parts(name, form).items()}
        for name in SPECS
    }


def tarred(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for file, data in files.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def pickled(pixels: object, labels: object) -> bytes:
    return pickle.dumps({b"data": pixels, b"labels": labels, b"batch_label": b"small"})


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def _batches(kept: Arrays) -> list[tuple[np.ndarray, np.ndarray]]:
    images = np.concatenate([kept.train_images, kept.test_images])
    rows = images.transpose(0, 3, 1, 2).reshape(-1, CIFAR_BATCH, formats.CIFAR_PIXELS)
    labels = np.concatenate([kept.train_labels, kept.test_labels]).reshape(-1, CIFAR_BATCH)
    return list(zip(rows, labels, strict=True))


def _python(kept: Arrays) -> dict[str, bytes]:
    batches = zip(classic.CIFAR_PYTHON, _batches(kept), strict=True)
    return {trial: pickled(rows, labels.tolist()) for trial, (rows, labels) in batches}


def _binary(kept: Arrays) -> dict[str, bytes]:
    batches = zip(classic.CIFAR_BINARY, _batches(kept), strict=True)
    return {trial: np.hstack([labels[:, None], rows]).tobytes() for trial, (rows, labels) in batches}


def _idx(kept: Arrays, name: str, packing: str = "") -> dict[str, bytes]:
    flat = [array[..., 0] if array.ndim == 4 else array for array in kept]
    files = {f"{name}/{file}": idx(array) for file, array in zip(classic.IDX_FILES, flat, strict=True)}
    return {f"{file}.gz": gzip.compress(data) for file, data in files.items()} if packing else files
