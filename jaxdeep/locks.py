"""One user of a folder at a time."""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from jaxdeep.errors import JaxdeepWarning, UserError

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What a file system answers that has no locks."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let no other process and no other thread use a folder within the context.

    The system holds the lock for this process. It is free again when the process ends, however it ends, and nothing is
    left in the folder. File systems without locks do not notice a second user, nor does Windows, which is warned of.

    Args:
        folder: an existing folder.

    Raises:
        UserError: somebody else uses the folder.
        OSError: the folder cannot be opened.
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
                "Wait for it, or choose another folder"
            ) from error
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)


@cache
def _warn() -> None:
    """Say once what a system without locks does not notice."""
    warnings.warn(
        "this system has no fcntl, so that two processes in one folder are not noticed. Train with one at a time.",
        JaxdeepWarning,
        stacklevel=4,
    )
