"""Check the folders for checkpoints before anything is trained, and say why one cannot be used."""

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from jaxdeep.config.arguments import first_twice
from jaxdeep.config.choices import check
from jaxdeep.errors import UserError
from jaxdeep.locks import alone_in

REASONS: Final = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EIO)
)
"""The system's words for a file that cannot be written.

The libraries in between quote them somewhere in their messages.
"""


def checked_folder(folder: Any) -> Path | None:
    """Return a run's folder for checkpoints as a path.

    Args:
        folder: String or path of the folder. `~` is the user's home. It need not exist. None keeps no checkpoints.

    Returns:
        The path with `~` expanded, or None.

    Raises:
        UserError: The argument has another type, is a file, or cannot be made a folder. Nothing of the attempt stays.
    """
    path = _as_path("checkpoints", folder)
    if path is not None:
        _check_can_be_made(path, set())
    return path


def checked_folders(folders: Sequence[Any], names: Sequence[str]) -> list[Path | None]:
    """Return the folders for checkpoints of a study's trials as paths.

    Args:
        folders: String, path or None for each trial.
        names: Name of each trial, for the message.

    Returns:
        The path of each trial with `~` expanded, or None.

    Raises:
        UserError: A folder cannot be used, or two trials have the same folder.
    """
    paths = [_as_path(f"checkpoints of trial {index}", folder) for index, folder in enumerate(folders)]
    kept = [(index, path) for index, path in enumerate(paths) if path is not None]
    tried: set[Path] = set()
    for _, path in kept:
        _check_can_be_made(path, tried)
    if (twice := first_twice([os.path.realpath(path) for _, path in kept])) is not None:
        (first, path), (second, _) = (kept[position] for position in twice)
        raise UserError(
            f"{path}: the checkpoint folder of two trials, {first} ({names[first]}) and {second} ({names[second]}). "
            "Give each trial a folder of its own."
        )
    return paths


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn the system's error about a folder for checkpoints into one line.

    Args:
        folder: Folder that the message names.

    Yields:
        Nothing. Errors within the context are turned.

    Raises:
        UserError: The system refused an operation within the context.
    """
    try:
        yield
    except UserError:  # UserError is a ValueError too
        raise
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder}: cannot be used for checkpoints (not a folder). Choose another folder.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{folder}: cannot be used for checkpoints ({reason}). Choose another folder.") from error


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder for checkpoints if it does not exist and use it alone.

    Args:
        folder: Folder to use.

    Yields:
        Nothing. The folder is locked within the context.

    Raises:
        UserError: The folder cannot be made, or somebody else uses it.
    """
    with ExitStack() as stack:
        with refusing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_in(folder))
        yield


def reason_of(error: BaseException) -> str:
    """Return in a few words why an operation failed.

    Args:
        error: Exception of any library.

    Returns:
        The system's reason if the message quotes one. Otherwise the first 120 characters of the message.
    """
    text = str(error)
    for reason in REASONS:
        if reason in text:
            return reason
    return text.splitlines()[0][:120] if text.strip() else type(error).__name__


def _as_path(name: str, folder: Any) -> Path | None:
    """Return the given path with `~` expanded."""
    if folder is None:
        return None
    text = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    check(name, folder, isinstance(text, str) and text != "", "the path of a folder, or None")
    return Path(os.path.expanduser(folder))


def _check_can_be_made(folder: Path, tried: set[Path]) -> None:
    """Check that a folder exists or can be made.

    It makes a folder in the nearest existing folder above and removes it again.

    Args:
        folder: Folder to be used.
        tried: Folders that are known to take a new folder. The function adds to them.

    Raises:
        UserError: The folder cannot be used.
    """
    with refusing(folder):
        place = folder
        while not _exists(place):
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError
        if place != folder and place not in tried:
            os.rmdir(tempfile.mkdtemp(prefix=".", dir=place))
            tried.add(place)


def _exists(path: Path) -> bool:
    """Return whether a path exists. Other errors than its absence are raised."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True
