"""Keep quiet what Orbax would print of a failure, since we say it in one line."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

OF_TENSORSTORE: Final = ("OCDBT", "zarr", "tensorstore")
_CHANGING: Final = Lock()
_quiet_contexts = 0
_hook_before: Any = None
_has_failed = False


@contextmanager
def quiet_orbax() -> Iterator[None]:
    """Keep Orbax's own words about a failed read or write off stderr: whoever calls it gets the exception.

    When one array fails, Orbax closes its event loop while others are under way, and each of these prints a traceback.
    Nothing else is hidden. Loggers and hooks are as before when the last of several contexts ends, unless one of them
    failed (`stay_quiet`).
    """
    _enter()
    try:
        yield
    except Exception:
        stay_quiet()
        raise
    finally:
        _leave()


def stay_quiet() -> None:
    """Keep quiet to the end of the process: a read or a write failed, and threads of its own may complain later."""
    global _has_failed
    if not _has_failed:
        _has_failed = True
        _enter()


def _enter() -> None:
    global _quiet_contexts, _hook_before
    with _CHANGING:
        _quiet_contexts += 1
        if _quiet_contexts == 1:
            if not logging.root.handlers and logging.lastResort is not None:  # or absl would add one that stays
                logging.root.addHandler(logging.lastResort)
            logging.getLogger("absl").addFilter(_is_not_of_orbax)
            logging.getLogger("asyncio").addFilter(_is_not_abandoned)
            _hook_before, sys.unraisablehook = sys.unraisablehook, _without_closed_loops(sys.unraisablehook)


def _leave() -> None:
    global _quiet_contexts
    with _CHANGING:
        _quiet_contexts -= 1
        if _quiet_contexts == 0:
            if logging.lastResort is not None:
                logging.root.removeHandler(logging.lastResort)
            logging.getLogger("absl").removeFilter(_is_not_of_orbax)
            logging.getLogger("asyncio").removeFilter(_is_not_abandoned)
            sys.unraisablehook = _hook_before


def _is_not_of_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


def _is_not_abandoned(record: logging.LogRecord) -> bool:
    """Say whether a message of asyncio is another one than that nobody waited for an array."""
    error = record.exc_info[1] if record.exc_info else None
    is_array = any(word in str(error) for word in OF_TENSORSTORE)
    return not (is_array and "exception was never retrieved" in record.getMessage())


def _without_closed_loops(others: Any) -> Any:
    def hook(unraisable: Any) -> None:
        if not (unraisable.exc_type is RuntimeError and str(unraisable.exc_value) == "Event loop is closed"):
            others(unraisable)

    return hook
