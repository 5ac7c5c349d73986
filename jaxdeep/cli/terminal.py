"""The width of a terminal, and the letters that it can show."""

import codecs
import io
import shutil
from typing import Any, Final

from jaxdeep.terminal import WITHOUT_TERMINAL

ASCII: Final = {"\N{PLUS-MINUS SIGN}": "+-", "\N{MULTIPLICATION SIGN}": "x", "\N{HORIZONTAL ELLIPSIS}": "..."}
"""Letter -> its replacement in a stream that shows ASCII only."""


def show_what_can_be(*streams: Any) -> None:
    """Let streams print any text. Letters that their encoding lacks are replaced and raise no error.

    Args:
        streams: Streams such as sys.stdout. Only Python's own text files are changed.
    """
    codecs.register_error("jaxdeep", _replaced)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="jaxdeep")


def help_width() -> int:
    """Return the characters of a line of help."""
    return shutil.get_terminal_size((WITHOUT_TERMINAL, 24)).columns


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return the letters that an encoding lacks in ASCII, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    shown = (ASCII.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(shown), error.end
