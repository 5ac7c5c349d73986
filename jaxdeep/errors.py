"""The error that the user can mend, and the warning that something may be wrong."""

import contextlib
import sys
import warnings
from pathlib import Path
from typing import Final

PASSED_OVER: Final = (str(Path(__file__).parent), contextlib.__file__)
"""Beginnings of the paths of files whose lines a warning does not name."""


class UserError(ValueError):
    """Something the user gave cannot be used, such as a wrong value, a damaged file or a folder with another run.

    Its message is one line. It says what was given and what is wrong, then what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class JaxdeepWarning(UserWarning):
    """Something the user gave can be used, and is probably not what was meant.

    Its message is one line. It says what is odd, why that matters, and what to do. The command line prints it on
    stderr.
    """


def warn(text: str) -> None:
    """Warn the user at the line that called the library.

    Args:
        text: One line for a JaxdeepWarning.

    Warns:
        JaxdeepWarning: Always.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PASSED_OVER):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, JaxdeepWarning, stacklevel=level)
