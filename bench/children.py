"""Child processes that answer lines of JSON."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SECONDS_TO_ANSWER = 900.0
"""Seconds after which a process without an answer has failed."""
SECONDS_TO_LEAVE = 3.0
"""Seconds that a process has to end by itself."""
SECONDS_TO_END = 10.0
"""Seconds that a process has to end after SIGTERM."""


class Failed(Exception):
    """A process ended or did not answer in time. The message is one line."""


class Child:
    """A context with a process that answers each line of JSON with another.

    The process blocks on its stdin while it has nothing to do. Its stderr goes to a temporary file. The context ends
    it.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Start the process.

        Args:
            module: Module for `python -m`.
            arguments: Words of its command line.
            environment: All of its environment variables.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._process = subprocess.Popen(
            (sys.executable, "-m", module, *arguments),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Move lines from the process to the queue, then None."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def answer(self, timeout: float = SECONDS_TO_ANSWER) -> dict[str, Any]:
        """Return the next answer.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            JSON values.

        Raises:
            Failed: The process ended, or did not answer in time.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise Failed(f"no answer within {timeout:.0f} s") from None
        if line is None:
            self._process.wait()
            raise Failed(self._last_error() or f"ended with status {self._process.returncode}")
        return json.loads(line)

    def ask(self, request: Mapping[str, Any], timeout: float = SECONDS_TO_ANSWER) -> dict[str, Any]:
        """Send a request and return its answer.

        Args:
            request: JSON values.
            timeout: Seconds to wait at most.

        Returns:
            JSON values.

        Raises:
            Failed: The process ended, or did not answer in time.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # its last error says more
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self.answer(timeout)

    def dismiss(self) -> None:
        """Close the process's stdin, so that it ends by itself."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _last_error(self) -> str:
        """Return the last line on the process's stderr."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._errors.close()
        self._reader.join(SECONDS_TO_LEAVE)  # a library's helper process may still hold the pipe
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()


def end(process: subprocess.Popen[Any]) -> None:
    """End a process by closing its stdin, else by SIGTERM, else by SIGKILL.

    Args:
        process: Process that this one started.
    """
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_LEAVE)
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_words(text: Sequence[str]) -> str:
    """Return the last line that is not blank, or "" if all are.

    Args:
        text: Lines of text.

    Returns:
        At most 300 characters.
    """
    return next((line.strip()[:300] for line in reversed(text) if line.strip()), "")


def device(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the device that JAX computes on.

    A process of its own finds it, so that this process holds no memory of the device.

    Args:
        environment: Environment variables of the new process.

    Returns:
        `platform` ("cpu" or "gpu"), `kind` and `count`.

    Raises:
        Failed: JAX finds no device.
    """
    code = (
        "import jax, json; d = jax.devices(); "
        "print(json.dumps({'platform': jax.default_backend(), 'kind': d[0].device_kind, 'count': len(d)}))"
    )
    done = subprocess.run((sys.executable, "-c", code), env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"JAX finds no device: {last_words(done.stderr.splitlines())}")
    return json.loads(done.stdout.splitlines()[-1])
