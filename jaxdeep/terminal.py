"""What a stream is: a terminal of some width, or what a notebook shows."""

import os
import sys
from typing import Any, Final

WITHOUT_TERMINAL: Final = 80
"""Characters of a line in a file or a pipe."""


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


def is_watched(verbose: bool | None) -> bool:
    """Say whether progress is shown on stderr.

    Args:
        verbose: True or False decides. None: where stderr is a terminal, or a Jupyter kernel runs this process.
    """
    if verbose is not None:
        return verbose
    try:
        return sys.stderr.isatty() or _in_notebook()
    except (AttributeError, ValueError):  # there is no stderr, or it is closed
        return False


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # who runs a kernel has imported it
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")
