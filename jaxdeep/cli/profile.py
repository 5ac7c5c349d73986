"""`--profile`: a trace of one epoch, for Perfetto or TensorBoard."""

import sys
from pathlib import Path

import jax


class Profiler:
    """Traces the second epoch of a process, which compiles nothing; a context that ends the trace."""

    def __init__(self, folder: Path | None) -> None:
        """Wait for the first epoch.

        Args:
            folder: for the trace; None: trace nothing.
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
        """An epoch is over, or a run continues behind one.

        Args:
            goes_on: whether another one follows.
        """
        if self._is_tracing:
            self._stop()
        elif self._folder is not None and goes_on:
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0  # what Python does is not the question
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True, profiler_options=options)
            self._is_tracing = True

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        found = sorted(self._folder.rglob("perfetto_trace.json.gz")) if self._folder else []
        print(f"traced: {found[-1]} opens in ui.perfetto.dev, {self._folder} in TensorBoard", file=sys.stderr)
        self._folder, self._is_tracing = None, False
