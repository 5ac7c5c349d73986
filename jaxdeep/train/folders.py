"""Folders for checkpoints, looked at before anything is trained, and why one cannot be used."""

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
"""What the system says of a file that cannot be written; the libraries between quote it somewhere in their texts."""


def checked_folder(folder: Any) -> Path | None:
    """Return a run's folder for checkpoints as a path, and None as None.

    Args:
        folder: a string or a path; `~` is the user's home. It need not exist.

    Raises:
        UserError: another type, a file, or a folder that cannot be made. Nothing of the attempt stays.
    """
    path = _plain("checkpoints", folder)
    if path is not None:
        _check_can_be_made(path, set())
    return path


def checked_folders(folders: Sequence[Any], names: Sequence[str]) -> list[Path | None]:
    """Return the folders for checkpoints of a study's trials as paths, and None as None.

    Args:
        folders: one for each trial, as `checked_folder` takes it.
        names: of the trials, for the message.

    Raises:
        UserError: as `checked_folder`; or two trials have one folder.
    """
    paths = [_plain(f"checkpoints of trial {index}", folder) for index, folder in enumerate(folders)]
    kept = [(index, path) for index, path in enumerate(paths) if path is not None]
    tried: set[Path] = set()
    for _, path in kept:
        _check_can_be_made(path, tried)
    if (twice := first_twice([os.path.realpath(path) for _, path in kept])) is not None:
        (one, path), (other, _) = (kept[position] for position in twice)
        raise UserError(
            f"{path}: the checkpoint folder of two trials, {one} ({names[one]}) and {other} ({names[other]}). "
            "Give each trial a folder of its own"
        )
    return paths


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn what the system says against a folder for checkpoints into one line.

    Raises:
        UserError: the system refused what was tried within.
    """
    try:
        yield
    except UserError:  # a ValueError too
        raise
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder}: cannot be used for checkpoints: not a folder. Choose another one") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{folder}: cannot be used for checkpoints ({reason}). Choose another folder") from error


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder for checkpoints if there is none, and use it alone.

    Raises:
        UserError: the folder cannot be made, or somebody else uses it.
    """
    with ExitStack() as stack:
        with refusing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_in(folder))
        yield


def reason_of(error: BaseException) -> str:
    """Return in a few words why something failed."""
    text = str(error)
    for reason in REASONS:
        if reason in text:
            return reason
    return text.splitlines()[0][:120] if text.strip() else type(error).__name__


def _plain(name: str, folder: Any) -> Path | None:
    """Return the path that was given, `~` expanded."""
    if folder is None:
        return None
    text = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    check(name, folder, isinstance(text, str) and text != "", "the path of a folder, or None")
    return Path(os.path.expanduser(folder))


def _check_can_be_made(folder: Path, tried: set[Path]) -> None:
    """Find that a folder is one, or can be made: a folder is made in the nearest one above it, and removed.

    Args:
        folder: to be used.
        tried: folders in which one can be made; grows.
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
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True
