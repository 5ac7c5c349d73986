"""Paths that every library takes as they are."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def plain_path(folder: Path) -> Iterator[Path]:
    """Make a folder and yield a path to it without special characters.

    Orbax lists files by patterns in which brackets stand for one of several characters. It takes `gs:/` for a bucket.
    Checkpoints in such folders were written in part and without an error. A link leads around that.

    Args:
        folder: Absolute path of the folder.

    Yields:
        The folder itself, or a link to it that exists only within the context.

    Raises:
        OSError: The folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_plain = not re.search(r"[*?\[\]\\]|:/|[\udc80-\udcff]", str(folder))
    if is_plain or os.name != "posix":
        yield folder
        return
    with TemporaryDirectory(prefix="jaxdeep-") as place:
        link = Path(place, "checkpoints")
        link.symlink_to(folder, target_is_directory=True)
        yield link
