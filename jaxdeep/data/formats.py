"""The bytes of the classic files made into arrays: CIFAR-10's python and binary batches, idx files, their packings.

Each function takes the file's name only for its error message, and raises UserError where the bytes are not what the
format says.
"""

import gzip
import io
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from jaxdeep.data.images import Arrays
from jaxdeep.errors import UserError

GZIP = b"\x1f\x8b"
"""The first bytes of packed data."""

CLASSES = 10
CIFAR_PIXELS = 3 * 32 * 32
PARTS = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def unpack_gzip(data: bytes, file: str) -> bytes:
    """Return the bytes that were packed.

    Args:
        data: a gzip file.
        file: its name, for the error.

    Raises:
        UserError: the bytes do not unpack.
    """
    try:
        return gzip.decompress(data)
    except Exception as error:  # damaged bytes can raise anything
        raise _unpackable(data, file, error, "gzip") from error


def unpack_tar(data: bytes, trials: tuple[str, ...], file: str) -> list[bytes]:
    """Return the bytes of the trials, in the order asked for.

    Args:
        data: an archive, packed by gzip or not.
        trials: names of the files in it; the folder of a file does not matter.
        file: name of the archive, for the error.

    Raises:
        UserError: the bytes do not unpack, or a trial is missing.
    """
    wanted = {trial.rpartition("/")[2]: trial for trial in trials}
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz" if data.startswith(GZIP) else "r:") as archive:
            for entry in archive:
                trial = wanted.get(entry.name.rpartition("/")[2])
                if trial is not None and (stream := archive.extractfile(entry)):
                    found[trial] = stream.read()
    except Exception as error:  # a damaged archive can raise anything
        raise _unpackable(data, file, error, "tar.gz") from error
    for trial in trials:
        if trial not in found:
            raise UserError(f"{file}: found no trial {trial}, expected {', '.join(trials)}")
    return [found[trial] for trial in trials]


def python_batch(data: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """One pickled batch of CIFAR-10.

    Returns:
        images: [N, 32, 32, 3] uint8, a view of bytes that are channel first.
        labels: [N] uint8.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        pixels, labels = batch[b"data"], batch[b"labels"]
    except Exception as error:  # a damaged pickle can raise anything
        found = one_line(error)
        raise UserError(f"{file}: found no readable batch ({found}), expected a pickled CIFAR-10 batch") from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (CIFAR_PIXELS,):
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise UserError(f"{file}: found data of {found}, expected uint8 (N, {CIFAR_PIXELS})")
    if len(labels) != len(pixels):
        raise UserError(f"{file}: found {len(labels)} labels, expected {len(pixels)}, one for each image")
    return _channels_last(pixels), _checked(np.asarray(labels, dtype=np.int64), file)


def binary_batch(data: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """One binary batch of CIFAR-10: records of a label byte and 3,072 pixel bytes, channel first.

    Returns:
        images: [N, 32, 32, 3] uint8, a view of bytes that are channel first.
        labels: [N] uint8.
    """
    record = 1 + CIFAR_PIXELS
    if not data or len(data) % record:
        raise UserError(f"{file}: found {len(data):,} bytes, expected a multiple of {record:,} (label and pixels)")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return _channels_last(rows[:, 1:]), _checked(rows[:, 0], file)


def idx_images(data: bytes, file: str) -> np.ndarray:
    """The images of an idx3 file: [N, 28, 28, 1] uint8."""
    images = _idx(data, 3, file)
    if images.shape[1:] != (28, 28):
        raise UserError(f"{file}: found images of shape {images.shape[1:]}, expected (28, 28)")
    return images[..., None]


def idx_labels(data: bytes, file: str) -> np.ndarray:
    """The labels of an idx1 file: [N] uint8."""
    return _checked(_idx(data, 1, file), file)


def as_idx(array: np.ndarray | None, file: str) -> bytes:
    """Return the idx file that holds the array.

    Args:
        array: [N, ...] uint8.
        file: where it came from, for the error.

    Raises:
        UserError: there is no array, or its type is not uint8.
    """
    if array is None or array.dtype != np.uint8:
        found = "no test arrays" if array is None else f"an array of {array.dtype}"
        raise UserError(f"{file}: found {found}, expected training and test arrays of uint8")
    return bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes() + array.tobytes()


def one_line(error: Exception) -> str:
    """Return an error's type and message without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> Arrays:
    """CIFAR-10 from its batches in the order of PARTS: the last one is the test set.

    Fresh memory costs as much as reading and hashing, so the pixels are put in order and joined in one copy.
    """
    images = np.empty((sum(len(labels) for _, labels in batches), 32, 32, 3), np.uint8)
    ends = np.cumsum([len(labels) for _, labels in batches])[:-1]
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(np.copyto, np.split(images, ends), [pixels for pixels, _ in batches]))
    labels = np.concatenate([labels for _, labels in batches])
    return Arrays(images[: ends[-1]], labels[: ends[-1]], images[ends[-1] :], labels[ends[-1] :])


def _idx(data: bytes, dimensions: int, file: str) -> np.ndarray:
    header = 4 + 4 * dimensions
    magic = bytes([0, 0, 8, dimensions])
    if data[:4] != magic or len(data) < header:
        raise UserError(f"{file}: found {data[:4].hex() or 'nothing'} as its first bytes, expected {magic.hex()}")
    shape = tuple(int(size) for size in np.frombuffer(data[4:header], ">u4"))
    size = header + int(np.prod(shape))
    if len(data) != size:
        raise UserError(f"{file}: found {len(data):,} bytes, expected {size:,} for the shape {shape} in its header")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


def _unpackable(data: bytes, file: str, error: Exception, kind: str) -> UserError:
    return UserError(f"{file}: found {len(data):,} bytes that do not unpack ({one_line(error)}), expected {kind}")


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _checked(labels: np.ndarray, file: str) -> np.ndarray:
    wrong = labels[(labels < 0) | (labels >= CLASSES)]
    if wrong.size:
        raise UserError(f"{file}: found the label {wrong[0]}, expected 0 to {CLASSES - 1}")
    return labels.astype(np.uint8)


class _ArrayUnpickler(pickle.Unpickler):
    """Makes plain containers and NumPy arrays, and nothing else: a pickle can name any code to run."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module_name, global_name) == ("numpy", "dtype"):
            return _dtype
        if module_name in ("numpy.core.multiarray", "numpy._core.multiarray") and global_name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")


def _dtype(code: bytes | str, *_: object) -> np.dtype:
    """A copy, because the pickle goes on to set its state."""
    return np.dtype(code.decode() if isinstance(code, bytes) else code, copy=True)
