"""What a terminal shows: how wide it is, and the letters that it has."""

import codecs
import io
import os
import shutil
from typing import Any, Final

ASCII: Final = {"\N{PLUS-MINUS SIGN}": "+-", "\N{MULTIPLICATION SIGN}": "x", "\N{HORIZONTAL ELLIPSIS}": "..."}
"""Letter that is printed -> what stands for it where only ASCII can be shown."""
WITHOUT_TERMINAL: Final = 80
"""Characters of a line of help in a file or a pipe."""


def show_what_can_be(*streams: Any) -> None:
    """Let streams print any text: what their encoding lacks is replaced, and never an error.

    Args:
        streams: Such as sys.stdout. Others than text files of Python's own are left alone.
    """
    codecs.register_error("jaxdeep", _replaced)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="jaxdeep")


def width_of(stream: Any) -> int | None:
    """Return the characters of a line, or None where a stream is no terminal.

    Args:
        stream: Such as sys.stdout.
    """
    try:
        if not stream.isatty():
            return None
        given = os.environ.get("COLUMNS", "")
        found = int(given) if given.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return None
    return found or WITHOUT_TERMINAL  # 0 is what a terminal says that does not know


def help_width() -> int:
    """Return the characters of a line of help."""
    return shutil.get_terminal_size((WITHOUT_TERMINAL, 24)).columns


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Give the letters that an encoding lacks in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    shown = (ASCII.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(shown), error.end
