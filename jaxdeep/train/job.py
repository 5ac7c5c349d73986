"""The job that the present call is a part of: one process by itself, or several that JAX's runtime has joined.

Each process runs the same program. They divide the trials of a study, and gather its runs. What depends on a folder or
is written is done by process 0 alone, and the others hear of it. Without other processes there is the job ALONE, in
which all of this costs nothing.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final


class Job:
    """A process by itself, and what a job of several processes does beyond that.

    Attributes:
        process: Number of this process, counted from 0.
        processes: Number of processes.
        data_parallel: Whether all devices train each trial together. Otherwise the trials are divided.
    """

    process = 0
    processes = 1
    data_parallel = False

    @property
    def leads(self) -> bool:
        """Return whether this process writes files and decides. Process 0 does."""
        return self.process == 0

    def shares(self, groups: Sequence[Hashable]) -> list[list[int]]:
        """Return the trials that each process trains.

        Args:
            groups: For each trial, a value that it has in common with the trials of the same programs.

        Returns:
            Indices of trials in ascending order for each process. Each trial belongs to one process.
        """
        return [list(range(len(groups)))]

    def check(self) -> None:
        """Stop this process if another one has stopped or was lost.

        Raises:
            UserError: Another process had an error, or was lost.
        """

    def stop(self, number: int) -> None:
        """Tell the other processes of a signal that this one got. A signal's handler may call it.

        Args:
            number: Number of the signal.
        """

    def wait_for_loss(self, seconds: float) -> str | None:
        """Return the name of a lost process, once one is lost.

        Args:
            seconds: Seconds to wait for it at most.

        Returns:
            A name such as "process 1", or None if no process is lost.
        """
        del seconds

    def check_together(self, error: BaseException | None) -> None:
        """Stop all processes at the same place if one of them is to stop.

        Args:
            error: Exception that stops this process, or None.

        Raises:
            BaseException: This exception, or that of another process as a UserError.
        """
        if error is not None:
            raise error

    def once(self, do: Callable[[], Any]) -> Any:
        """Let process 0 do something alone.

        Args:
            do: Function that returns JSON values.

        Returns:
            The value that process 0 found, in every process.

        Raises:
            UserError: The function raised one in process 0, or another process was lost.
        """
        return do()

    def agree(self, value: Any, what: str) -> None:
        """Wait for all processes, and refuse what they see differently.

        Args:
            value: JSON value that must be the same in all processes.
            what: Words for it, for the error.

        Raises:
            UserError: The values differ, or another process was lost.
        """

    def gather(self, content: bytes) -> list[bytes]:
        """Give all processes what each of them has.

        Args:
            content: Bytes of this process.

        Returns:
            The bytes of each process in the order of the processes.

        Raises:
            UserError: Another process had an error, or was lost.
        """
        return [content]


ALONE: Final = Job()
"""The job of a process without others."""
_JOB: Final[ContextVar[Job]] = ContextVar("job", default=ALONE)


def current() -> Job:
    """Return the job that the present call is a part of. It is ALONE outside of `all_processes`."""
    return _JOB.get()


@contextmanager
def within(job: Job) -> Iterator[Job]:
    """Make a job the current one.

    Args:
        job: Job of all processes, or ALONE.
    """
    token = _JOB.set(job)
    try:
        yield job
    finally:
        _JOB.reset(token)
