"""Keep arrays on disk between runs, with a checksum that is verified when they are read.

A file is one line of JSON, {"sha256": ..., "shapes": [...]}, and the bytes of four uint8 arrays.
"""

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from jaxdeep.data.images import Arrays

LOG: Final = logging.getLogger("jaxdeep")


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


def read(name: str) -> Arrays | None:
    """Return the arrays that are kept under a name.

    The log says so if they are damaged or cannot be read.

    Args:
        name: Name of the data set.

    Returns:
        The arrays. None if there are none or they are damaged.
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


def write(name: str, arrays: Arrays) -> None:
    """Keep arrays under a name.

    The whole file is written or nothing. If it cannot be written, the log says so.

    Args:
        name: Name of the data set.
        arrays: Four uint8 arrays.
    """
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_header(arrays))
                for array in arrays:
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


def _header(arrays: Arrays) -> bytes:
    """Return the first line of a file."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    header = {"sha256": digest.hexdigest(), "shapes": [array.shape for array in arrays]}
    return json.dumps(header).encode() + b"\n"


def _decoded(data: np.ndarray) -> Arrays:
    """Return the arrays in the bytes of a file."""
    line, newline, _ = data[:4096].tobytes().partition(b"\n")
    body = data[len(line) + 1 :]
    try:
        header = json.loads(line)
        sha256 = header["sha256"]
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
    return Arrays(*(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)))
