"""Ctrl-C, SIGTERM, and a terminal that goes away: what they stop, and what is said of it."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

NUMBERS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(KeyboardInterrupt):
    """A signal came. No `except Exception` takes it for a fault."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def signals(standing: Callable[[], str], *, waits: bool = False) -> Iterator[list[int]]:
    """Handle signals in place of dying of them. A second one stops at once, and says what is saved.

    A signal that the process ignores stays ignored, as SIGHUP after `nohup`. Another thread than the main one goes
    without: Python allows no handlers there.

    Args:
        standing: Says in words what is saved, and what the same command does next.
        waits: Collect the first signal, for the epoch to end. Otherwise raise it at once.

    Yields:
        The signals that came.

    Raises:
        Interrupted: A signal came, and nothing waits for it.
    """
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if received:  # the trials' threads would go on to the end of their epochs
            _say(f"stopped at once; {standing()}")
            os._exit(128 + number)
        received.append(number)
        if waits:
            _say("\nstopping after this epoch; once more stops at once")
            return
        _say(f"\n{standing()}")
        raise Interrupted(number)

    is_main = threading.current_thread() is threading.main_thread()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in NUMBERS} if is_main else {}
    handled = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in handled:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


class LenientStream:
    """A stream that may be gone, as stderr is with its terminal: what cannot be written there is dropped."""

    def __init__(self, stream: Any) -> None:
        """Wrap a stream.

        Args:
            stream: Where to write, or None where the process has none.
        """
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written.

        Args:
            text: What to write.
        """
        try:
            return self._stream.write(text)
        except (AttributeError, OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (AttributeError, OSError, ValueError):
            return

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        try:
            return self._stream.isatty()
        except (AttributeError, OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(text: str) -> None:
    """Print from a signal's handler, which may have come in the midst of another print."""
    try:
        print(text, file=sys.stderr, flush=True)
    except RuntimeError:
        os.write(2, f"{text}\n".encode())
