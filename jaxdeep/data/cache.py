"""Keep arrays on disk between runs, with their origin and a checksum that is verified when they are read.

A file is one line of JSON, {"sha256": ..., "shapes": [...], "source": ...}, and the bytes of four uint8 arrays.
"""

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.data.images import Arrays

LOG: Final = logging.getLogger("jaxdeep")
FIRST_SOURCE: Final = "tensorflow_datasets"
"""Origin of the arrays in a file that names none. Files from before the other download have no name."""


class Kept(NamedTuple):
    """Arrays and their origin.

    Attributes:
        arrays: Images and labels in the official order.
        source: Origin "tensorflow_datasets" or "download by URL".
    """

    arrays: Arrays
    source: str


def folder() -> Path:
    """Return the cache folder. It need not exist.

    Returns:
        JAXDEEP_CACHE if it is set. Else `jaxdeep` in XDG_CACHE_HOME if that is set. Else `~/.cache/jaxdeep`.
    """
    if given := os.environ.get("JAXDEEP_CACHE"):
        return Path(given).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "jaxdeep"
    return Path.home() / ".cache" / "jaxdeep"


def read(name: str) -> Kept | None:
    """Return the arrays that are kept under a name.

    The log says so if they are damaged or cannot be read.

    Args:
        name: Name of the data set.

    Returns:
        The arrays and their origin. None if there are none or they are damaged.
    """
    path = _path(name)
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        return None
    except OSError as error:
        LOG.warning(f"{path}: the cache cannot be read ({error.strerror}). The data set is made again.")
        return None
    try:
        return _decoded(data)
    except ValueError as error:
        LOG.warning(f"{path}: the cache is damaged ({error}). The data set is made again.")
        return None


def write(name: str, kept: Kept) -> None:
    """Keep arrays under a name.

    The whole file is written or nothing. If it cannot be written, the log says so.

    Args:
        name: Name of the data set.
        kept: Four uint8 arrays and their origin.
    """
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_header(kept))
                for array in kept.arrays:
                    stream.write(np.ascontiguousarray(array).data)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        LOG.warning(
            f"{path}: the cache cannot be written ({error.strerror}). The next run prepares the data set again."
        )


def _path(name: str) -> Path:
    """Return the path of a data set's file."""
    return folder() / f"{name}.arrays"


def _header(kept: Kept) -> bytes:
    """Return the first line of a file."""
    digest = hashlib.sha256()
    for array in kept.arrays:
        digest.update(np.ascontiguousarray(array).data)
    shapes = [array.shape for array in kept.arrays]
    header = {"sha256": digest.hexdigest(), "shapes": shapes, "source": kept.source}
    return json.dumps(header).encode() + b"\n"


def _decoded(data: np.ndarray) -> Kept:
    """Return the arrays and the origin in the bytes of a file."""
    line, newline, _ = data[:4096].tobytes().partition(b"\n")
    body = data[len(line) + 1 :]
    try:
        header = json.loads(line)
        sha256, source = header["sha256"], str(header.get("source", FIRST_SOURCE))
        shapes = [tuple(map(int, shape)) for shape in header["shapes"]]
        sizes = [int(np.prod(shape)) for shape in shapes]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("its header cannot be read") from error
    if not newline or len(shapes) != len(Arrays._fields) or sum(sizes) != body.size:
        raise ValueError(f"found {body.size:,} bytes of arrays, expected {sum(sizes):,}")
    actual = hashlib.sha256(body.data).hexdigest()
    if actual != sha256:
        raise ValueError(f"found sha256 {actual}, expected {sha256}")
    pieces = np.split(body, np.cumsum(sizes)[:-1])
    return Kept(Arrays(*(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True))), source)
