"""Let one process at a time use a folder."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from jaxdeep.errors import UserError, warn

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""Error numbers of a file system that has no locks."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other process and thread out of a folder within the context.

    The system holds the lock for this process. It frees the lock when the process ends for any reason. Nothing is left
    in the folder. A file system without locks does not notice a second user. Windows does not notice one either and a
    warning says so.

    Args:
        folder: Folder that exists.

    Yields:
        Nothing. The lock is held within the context.

    Raises:
        UserError: Another process or thread uses the folder.
        OSError: The folder cannot be opened.

    Warns:
        JaxdeepWarning: The system has no `fcntl` and so no locks.
    """
    try:
        import fcntl
    except ImportError:
        _warn()
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{folder}: another process has it open, or another thread of this one. "
                "Wait for it, or choose another folder."
            ) from error
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)


@cache
def _warn() -> None:
    """Warn once of a second user that a system without locks does not notice."""
    warn("this system has no fcntl, so two processes in one folder are not noticed. Train with one at a time.")
