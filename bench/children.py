"""Processes that answer lines of JSON, from the side of the one who asks."""

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
SECONDS_TO_LEAVE = 3.0
SECONDS_TO_END = 10.0


class Failed(Exception):
    """A process ended, or did not answer in time; says why in one line."""


class Child:
    """A process that answers each line of JSON with one; a context that ends it.

    It blocks on its stdin while it is not asked. Its stderr goes to a temporary file.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            module: that `python -m` runs.
            arguments: of its command line.
            environment: all of it.
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
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def answer(self, timeout: float = SECONDS_TO_ANSWER) -> dict[str, Any]:
        """The next answer.

        Args:
            timeout: in seconds.

        Raises:
            Failed: there is none.
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
        """Send a request and wait for its answer.

        Args:
            request: JSON values.
            timeout: in seconds.

        Raises:
            Failed: there is none.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # what it said last tells more
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self.answer(timeout)

    def dismiss(self) -> None:
        """Let it end by itself: nothing more is asked."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._errors.close()
        self._reader.join(SECONDS_TO_LEAVE)  # a helper process of a library's may still hold the pipe
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()


def end(process: subprocess.Popen[Any]) -> None:
    """End a process of one's own: by the end of its stdin, else by SIGTERM, else by SIGKILL."""
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
    """The last of some lines that says something."""
    return next((line.strip()[:300] for line in reversed(text) if line.strip()), "")


def device(environment: Mapping[str, str]) -> dict[str, Any]:
    """What JAX computes on, asked in a process of its own so that this one holds no memory of the device.

    Args:
        environment: of that process.

    Returns:
        platform: "cpu" or "gpu"; kind; count.
    """
    code = (
        "import jax, json; d = jax.devices(); "
        "print(json.dumps({'platform': jax.default_backend(), 'kind': d[0].device_kind, 'count': len(d)}))"
    )
    found = subprocess.run((sys.executable, "-c", code), env=dict(environment), capture_output=True, text=True)
    if found.returncode:
        raise Failed(f"JAX finds no device: {last_words(found.stderr.splitlines())}")
    return json.loads(found.stdout.splitlines()[-1])
