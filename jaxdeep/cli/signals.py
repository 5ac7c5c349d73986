"""Handlers of Ctrl-C, SIGTERM and SIGHUP, and a stderr whose terminal may be gone."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

NUMBERS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that are handled, as far as the system has them."""


class Interrupted(KeyboardInterrupt):
    """A signal came. As a KeyboardInterrupt it passes every `except Exception`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


_HEARERS: Final[list[Callable[[int], bool]]] = []
"""Functions that hear of each signal first."""


@contextmanager
def hearing(is_echo: Callable[[int], bool]) -> Iterator[None]:
    """Let a function hear of each signal that `signals` handles.

    Args:
        is_echo: Function of a signal's number. It returns whether the signal came already and is left out.
    """
    _HEARERS.append(is_echo)
    try:
        yield
    finally:
        _HEARERS.remove(is_echo)


@contextmanager
def signals(standing: Callable[[], str], *, waits: bool = False) -> Iterator[list[int]]:
    """Handle signals in place of dying of them. A second signal stops at once and says what is saved.

    A signal that the process ignores stays ignored, such as SIGHUP after `nohup`. Python allows handlers in the main
    thread only. Other threads go without.

    Args:
        standing: Returns in words what is saved, and what the same command does next.
        waits: Whether to collect the first signal, so that the epoch can end. Otherwise it is raised at once.

    Yields:
        The list of the signals that came. It grows as they come.

    Raises:
        Interrupted: A signal came, and `waits` is False.
    """
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if any(is_echo(number) for is_echo in _HEARERS):
            return
        if received:  # the trials' threads would run to the end of their epochs
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
    """A stream that may be gone, such as stderr without its terminal. Text that it refuses is dropped."""

    def __init__(self, stream: Any) -> None:
        """Wrap a stream.

        Args:
            stream: Stream to write to, or None if the process has none.
        """
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or drop it if the stream is gone.

        Args:
            text: Text to write.

        Returns:
            The number of characters written, or the text's length if it is dropped.
        """
        try:
            return self._stream.write(text)
        except (AttributeError, OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush the stream, unless it is gone."""
        try:
            self._stream.flush()
        except (AttributeError, OSError, ValueError):
            return

    def isatty(self) -> bool:
        """Say whether the stream is a terminal.

        Returns:
            False if the stream is gone.
        """
        try:
            return self._stream.isatty()
        except (AttributeError, OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(text: str) -> None:
    """Print from a signal's handler, which may have interrupted another print."""
    try:
        print(text, file=sys.stderr, flush=True)
    except RuntimeError:
        os.write(2, f"{text}\n".encode())
