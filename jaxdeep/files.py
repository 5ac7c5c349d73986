"""Write a file as a whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

PART: Final = ".part"
"""End of the name of a file that is being written. A killed process may leave such a file."""


def replace_file(path: Path, content: bytes) -> None:
    """Give a file new content, as a whole or not at all.

    Args:
        path: Path of the file.
        content: New content of the file.

    Raises:
        OSError: The file cannot be written, for example because the disk is full. Its old content stays.
    """
    part = path.with_name(path.name + PART)
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
