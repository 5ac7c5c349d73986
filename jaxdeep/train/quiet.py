"""Silence Orbax's own words about a failure that jaxdeep reports in one line."""

import logging
import sys
from typing import Any, Final

OF_TENSORSTORE: Final = ("OCDBT", "zarr", "tensorstore")
"""Words in an error that say that it concerns an array of a checkpoint."""


def quieten_orbax() -> None:
    """Keep Orbax's own words about a failed read or write off stderr.

    The caller still gets the exception. When one array fails, Orbax closes its event loop while others are under way.
    Each of these prints a traceback. Nothing else is hidden. A second call changes nothing.
    """
    logging.getLogger("absl").addFilter(_is_not_of_orbax)
    logging.getLogger("asyncio").addFilter(_is_not_abandoned)
    if not getattr(sys.unraisablehook, "is_jaxdeeps", False):
        sys.unraisablehook = _without_closed_loops(sys.unraisablehook)


def _is_not_of_orbax(record: logging.LogRecord) -> bool:
    """Return whether a log record comes from another library than Orbax."""
    return "orbax" not in record.pathname


def _is_not_abandoned(record: logging.LogRecord) -> bool:
    """Return whether a log record of asyncio is something else than an array that nobody waited for."""
    error = record.exc_info[1] if record.exc_info else None
    is_array = any(word in str(error) for word in OF_TENSORSTORE)
    return not (is_array and "exception was never retrieved" in record.getMessage())


def _without_closed_loops(previous: Any) -> Any:
    """Return a hook that ignores closed event loops and passes other exceptions on."""

    def hook(unraisable: Any) -> None:
        if not (unraisable.exc_type is RuntimeError and str(unraisable.exc_value) == "Event loop is closed"):
            previous(unraisable)

    hook.is_jaxdeeps = True  # pyright: ignore[reportFunctionMemberAccess]
    return hook
