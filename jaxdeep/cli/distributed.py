"""The flags `--distributed` and `--data-parallel`: one command in several processes, which JAX's own runtime joins.

Process 0 prints and writes. A signal that reaches one process stops all of them behind an epoch. If a process is lost,
each other one prints a line and exits with status 4. JAX's runtime itself aborts the others when process 0 is lost. A
small process without JAX, which waits for this, then has the last word.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, Final

import jax

from jaxdeep.cli.command import Command
from jaxdeep.cli.signals import Interrupted, hearing
from jaxdeep.errors import UserError
from jaxdeep.train.job import Job
from jaxdeep.train.several_processes import LOST_SECONDS, all_processes

LOST: Final = 4
"""Exit status after another process was lost."""
SECONDS_FOR_OTHERS: Final = 10.0
"""Seconds that process 0 waits for others to find a loss. JAX's runtime aborts them once it has ended."""
ECHO_SECONDS: Final = 3.0
"""Seconds in which a signal counts as the same one. A cluster sends it to all processes, and they tell each other."""
CONTINUE: Final = "Give the same command to all processes again to continue."
LAST_WORDS: Final = f"""import sys
if not sys.stdin.buffer.read():
    print("error: this process was ended from outside, or by JAX's runtime because process 0 was lost. "
          "{CONTINUE}", file=sys.stderr)
"""
"""Program that prints a line if the process before its pipe ends without a word."""


@contextmanager
def joined(command: Command) -> Iterator[Job]:
    """Join the processes of a command, and do the work of a context with them.

    Args:
        command: Command with the flags of the processes.

    Yields:
        The job of all processes, or of this process alone.

    Raises:
        UserError: The addresses cannot be found or used, or another process had an error or was lost.
        Interrupted: A signal came to this or another process.
    """
    if not command.distributed:
        if command.data_parallel:
            with all_processes(data_parallel=True) as job:
                yield job
        else:
            yield Job()
        return
    with ExitStack() as stack:
        end_quietly = stack.enter_context(_last_words())
        stack.enter_context(_stdout_of_our_own())
        _initialize(command)
        stack.callback(_shutdown)
        if jax.process_index() != 0:
            nothing = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(redirect_stdout(nothing))
            stack.enter_context(redirect_stderr(nothing))
            stack.enter_context(_silent_log())
        yield stack.enter_context(_together(command, end_quietly))


@contextmanager
def _together(command: Command, end_quietly: Any) -> Iterator[Job]:
    """Work as one of several processes."""
    stopped_at: list[float] = []

    def pass_on(number: int) -> None:
        os.kill(os.getpid(), number)  # as if this process had got it, so that it stops in the same way

    def stop_after_loss(who: str) -> None:
        print(f"error: {who} was lost. {CONTINUE}", file=sys.__stderr__, flush=True)
        end_quietly()
        if jax.process_index() == 0 and jax.process_count() > 2:
            time.sleep(SECONDS_FOR_OTHERS)
        os._exit(LOST)

    with all_processes(
        data_parallel=command.data_parallel, interruption=Interrupted, on_stop=pass_on, on_loss=stop_after_loss
    ) as job:

        def is_echo(number: int) -> bool:
            now = time.monotonic()
            if stopped_at and now - stopped_at[0] < ECHO_SECONDS:
                return True
            stopped_at[:] = [now]
            job.stop(number)
            return False

        with hearing(is_echo):
            try:
                yield job
            except Exception as error:
                is_of_runtime = isinstance(error, jax.errors.JaxRuntimeError) or isinstance(
                    error.__cause__, jax.errors.JaxRuntimeError
                )
                if is_of_runtime:  # perhaps a gathering that a lost process has broken, which the watcher finds soon
                    job.wait_for_loss(LOST_SECONDS + 10)
                raise


def _initialize(command: Command) -> None:
    """Join the processes by JAX's distributed runtime."""
    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    try:
        jax.distributed.initialize(command.coordinator, command.num_processes, command.process_id)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"--distributed cannot join the processes ({reason}). Start it under Slurm, Kubernetes, Open MPI or on a "
            "TPU, or give --coordinator HOST:PORT --num-processes N --process-id I to each process."
        ) from error


def _shutdown() -> None:
    """Leave JAX's distributed runtime. A process that is lost meanwhile does not matter any more."""
    with suppress(RuntimeError):
        jax.distributed.shutdown()


@contextmanager
def _last_words() -> Iterator[Any]:
    """Let a small process print a line if this one is aborted. Yield the function that keeps it quiet."""
    small = subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", LAST_WORDS), stdin=subprocess.PIPE, start_new_session=True
    )

    def end_quietly() -> None:
        with suppress(OSError, ValueError):
            assert small.stdin is not None
            small.stdin.write(b".")
            small.stdin.close()

    try:
        yield end_quietly
    finally:
        end_quietly()
        small.wait()


@contextmanager
def _stdout_of_our_own() -> Iterator[None]:
    """Keep stdout for the tables. The library of the collectives prints a line there, which goes to stderr."""
    try:
        is_standard = sys.stdout.fileno() == 1
    except (OSError, ValueError):  # a stream in memory, or a closed one
        is_standard = False
    if not is_standard:
        yield
        return
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        how = {"encoding": sys.stdout.encoding, "errors": sys.stdout.errors, "closefd": False}
        with open(own, "w", **how) as stream, redirect_stdout(stream):
            yield
    finally:
        os.dup2(own, 1)
        os.close(own)


@contextmanager
def _silent_log() -> Iterator[None]:
    """Keep the library's messages and warnings back. Process 0 prints the same ones."""
    logger = logging.getLogger("jaxdeep")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
