"""A folder's name that every library takes for a plain one."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def plain_path(folder: Path) -> Iterator[Path]:
    """Make a folder, and give a path to it without characters that Orbax does not take as they are.

    Orbax lists files by patterns, in which brackets stand for one of several characters, and takes `gs:/` for a
    bucket: checkpoints in such folders were written in part, without an error. A link leads around that.

    Args:
        folder: An absolute path.

    Yields:
        The folder itself, or a link to it that is gone afterwards.

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
