"""Make arrays of the bytes of the classic files.

The files are CIFAR-10's python and binary batches, idx files, and their packings. Each function takes the file's name
for its error message only. It raises UserError if the bytes do not follow the format.
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
"""First bytes of data that gzip has packed."""

CLASSES = 10
CIFAR_PIXELS = 3 * 32 * 32
"""Number of bytes in an image of CIFAR-10."""
PARTS = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
"""Names of CIFAR-10's batches. The last one is the test set."""


def unpack_gzip(data: bytes, file: str) -> bytes:
    """Return the bytes that gzip has packed.

    Args:
        data: Bytes of a gzip file.
        file: Name of the file, for the error.

    Returns:
        The unpacked bytes.

    Raises:
        UserError: The bytes do not unpack.
    """
    try:
        return gzip.decompress(data)
    except Exception as error:  # damaged bytes can raise anything
        raise _unpackable(data, file, error, "gzip") from error


def unpack_tar(data: bytes, members: tuple[str, ...], file: str) -> list[bytes]:
    """Return the bytes of some files in an archive.

    Args:
        data: Bytes of a tar archive, packed by gzip or not.
        members: Names of the files. Their folders in the archive do not matter.
        file: Name of the archive, for the error.

    Returns:
        The bytes of each file in the order of the names.

    Raises:
        UserError: The bytes do not unpack, or a file is missing.
    """
    wanted = {member.rpartition("/")[2]: member for member in members}
    unpacked = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz" if data.startswith(GZIP) else "r:") as archive:
            for entry in archive:
                member = wanted.get(entry.name.rpartition("/")[2])
                if member is not None and (stream := archive.extractfile(entry)):
                    unpacked[member] = stream.read()
    except Exception as error:  # a damaged archive can raise anything
        raise _unpackable(data, file, error, "tar.gz") from error
    for member in members:
        if member not in unpacked:
            raise UserError(f"{file}: found no {member}, expected {', '.join(members)}. Get the archive again.")
    return [unpacked[member] for member in members]


def python_batch(data: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of a pickled batch of CIFAR-10.

    Args:
        data: Bytes of the batch.
        file: Name of the file, for the error.

    Returns:
        Images [N, 32, 32, 3] uint8, a view of bytes with channels first. Then labels [N] uint8 in 0 .. 9.

    Raises:
        UserError: The bytes are not a batch of CIFAR-10.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        pixels, labels = batch[b"data"], batch[b"labels"]
    except Exception as error:  # a damaged pickle can raise anything
        problem = one_line(error)
        raise UserError(
            f"{file}: found no readable batch ({problem}), expected a pickled batch. Get it again."
        ) from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (CIFAR_PIXELS,):
        problem = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise UserError(f"{file}: found data of {problem}, expected uint8 (N, {CIFAR_PIXELS}). Get the file again.")
    if len(labels) != len(pixels):
        raise UserError(
            f"{file}: found {len(labels)} labels, expected one for each of {len(pixels)} images. Get it again."
        )
    return _channels_last(pixels), _checked(np.asarray(labels, dtype=np.int64), file)


def binary_batch(data: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of a binary batch of CIFAR-10.

    A batch is a sequence of records. Each holds one byte of label and 3,072 bytes of pixels with channels first.

    Args:
        data: Bytes of the batch.
        file: Name of the file, for the error.

    Returns:
        Images [N, 32, 32, 3] uint8, a view of bytes with channels first. Then labels [N] uint8 in 0 .. 9.

    Raises:
        UserError: The bytes are not a batch of CIFAR-10.
    """
    record = 1 + CIFAR_PIXELS
    if not data or len(data) % record:
        raise UserError(f"{file}: found {len(data):,} bytes, expected a multiple of {record:,}. Get the file again.")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return _channels_last(rows[:, 1:]), _checked(rows[:, 0], file)


def idx_images(data: bytes, file: str) -> np.ndarray:
    """Return the images of an idx3 file.

    Args:
        data: Unpacked bytes of the file.
        file: Name of the file, for the error.

    Returns:
        Images [N, 28, 28, 1] uint8.

    Raises:
        UserError: The bytes are not an idx3 file of 28x28 images.
    """
    images = _idx(data, 3, file)
    if images.shape[1:] != (28, 28):
        raise UserError(f"{file}: found images of shape {images.shape[1:]}, expected (28, 28). Get the file again.")
    return images[..., None]


def idx_labels(data: bytes, file: str) -> np.ndarray:
    """Return the labels of an idx1 file.

    Args:
        data: Unpacked bytes of the file.
        file: Name of the file, for the error.

    Returns:
        Labels [N] uint8 in 0 .. 9.

    Raises:
        UserError: The bytes are not an idx1 file of labels from 0 to 9.
    """
    return _checked(_idx(data, 1, file), file)


def as_idx(array: np.ndarray | None, file: str) -> bytes:
    """Return the idx file that holds an array.

    Args:
        array: Array [N, ...] of uint8, or None.
        file: Origin of the array, for the error.

    Returns:
        The bytes of the file.

    Raises:
        UserError: There is no array, or its type is not uint8.
    """
    if array is None or array.dtype != np.uint8:
        given = "no test arrays" if array is None else f"an array of {array.dtype}"
        raise UserError(f"{file}: found {given}, expected training and test arrays of uint8. Save them so.")
    return bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes() + array.tobytes()


def one_line(error: Exception) -> str:
    """Return an error's type and message without line breaks.

    Args:
        error: Any exception.

    Returns:
        One line of text.
    """
    return " ".join(f"{type(error).__name__}: {error}".split())


def joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> Arrays:
    """Return CIFAR-10 from its batches.

    The pixels are put in order and joined in one copy because fresh memory costs as much as reading and hashing.

    Args:
        batches: Images [N, 32, 32, 3] and labels [N] of each batch in the order of PARTS. The last one is the test set.

    Returns:
        Images and labels in the official order.
    """
    images = np.empty((sum(len(labels) for _, labels in batches), 32, 32, 3), np.uint8)
    ends = np.cumsum([len(labels) for _, labels in batches])[:-1]
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(np.copyto, np.split(images, ends), [pixels for pixels, _ in batches]))
    labels = np.concatenate([labels for _, labels in batches])
    return Arrays(images[: ends[-1]], labels[: ends[-1]], images[ends[-1] :], labels[ends[-1] :])


def _idx(data: bytes, dimensions: int, file: str) -> np.ndarray:
    """Return the array of an idx file with some number of dimensions."""
    header = 4 + 4 * dimensions
    magic = bytes([0, 0, 8, dimensions])
    if data[:4] != magic or len(data) < header:
        raise UserError(
            f"{file}: found {data[:4].hex() or 'nothing'} as its first bytes, expected {magic.hex()}. Get it again."
        )
    shape = tuple(int(size) for size in np.frombuffer(data[4:header], ">u4"))
    size = header + int(np.prod(shape))
    if len(data) != size:
        raise UserError(
            f"{file}: found {len(data):,} bytes, expected {size:,} for its shape {shape}. Get the file again."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


def _unpackable(data: bytes, file: str, error: Exception, kind: str) -> UserError:
    """Return the error for bytes that do not unpack."""
    return UserError(
        f"{file}: found {len(data):,} bytes that do not unpack ({one_line(error)}), expected {kind}. Get it again."
    )


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """View pixels [N, 3072] with channels first as images [N, 32, 32, 3]."""
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _checked(labels: np.ndarray, file: str) -> np.ndarray:
    """Return labels as uint8 after checking that they are in 0 .. 9."""
    wrong = labels[(labels < 0) | (labels >= CLASSES)]
    if wrong.size:
        raise UserError(f"{file}: found the label {wrong[0]}, expected 0 to {CLASSES - 1}. Get the file again.")
    return labels.astype(np.uint8)


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler of plain containers and NumPy arrays.

    It refuses everything else because a pickle can name any code to run.
    """

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return one of the three names that an array's pickle needs."""
        if (module_name, global_name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module_name, global_name) == ("numpy", "dtype"):
            return _dtype
        if module_name in ("numpy.core.multiarray", "numpy._core.multiarray") and global_name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")


def _dtype(code: bytes | str, *_: object) -> np.dtype:
    """Return a copy of a type. The pickle then sets the state of that copy."""
    return np.dtype(code.decode() if isinstance(code, bytes) else code, copy=True)
