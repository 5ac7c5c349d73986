"""The flag `--profile`, which traces one epoch for Perfetto or TensorBoard."""

import sys
from pathlib import Path

import jax


class Profiler:
    """A context that traces the second epoch of a process, which compiles nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Wait for the first epoch.

        Args:
            folder: Folder for the trace. None traces nothing.
        """
        self._folder = folder
        self._is_tracing = False

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_tracing:
            self._stop()
        elif self._folder is not None:
            print("nothing is traced: that needs a second epoch in this process", file=sys.stderr)

    def follow(self, *, goes_on: bool) -> None:
        """Begin the trace behind the first epoch, and end it behind the second.

        Call it after each epoch, and when a run continues behind a saved epoch.

        Args:
            goes_on: Whether another epoch follows.
        """
        if self._is_tracing:
            self._stop()
        elif self._folder is not None and goes_on:
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0  # Python's own calls would fill the trace
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True, profiler_options=options)
            self._is_tracing = True

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        traces = sorted(self._folder.rglob("perfetto_trace.json.gz")) if self._folder else []
        print(f"traced: {traces[-1]} opens in ui.perfetto.dev, {self._folder} in TensorBoard", file=sys.stderr)
        self._folder, self._is_tracing = None, False
