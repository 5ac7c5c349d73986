"""Keep compiled programs for the next run, for all threads of a process, within the memory and its mappings."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import update_wrapper
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

from jaxdeep.train.memory import total_memory

Result = TypeVar("Result")

PROGRAM_BYTES: Final = 20_000_000
"""Bytes that a compiled program and its trace hold on a CPU.

The three programs of a small network were measured at 40 to 100 MB.
"""
KEPT_SHARE: Final = 0.05
"""Share of the memory that programs may hold."""
FEWEST_KEPT: Final = 144
"""Number of programs that may be kept on a small machine too: 48 networks' start, epoch and evaluation."""
MAPPED_SHARE: Final = 0.6
"""Share of the memory mappings of a process that may be in use before programs are dropped.

A program holds 200 to 400 mappings. Linux allows 65,530, and LLVM ends a process that has none left.
"""
KEPT_IF_SCARCE: Final = 24
"""Number of programs that stay if mappings are scarce. They hold a seventh of all at most.

Others, such as JAX's own caches, may hold the rest. A study whose programs were dropped would compile them again.
"""
MAPPINGS, MOST_MAPPINGS = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
"""Files in which Linux lists the mappings of a process, and names how many there may be."""


class CacheInfo(NamedTuple):
    """Counts of a cache, under the names of `functools.lru_cache`.

    Attributes:
        hits: Number of calls whose programs were there, or were being compiled by another thread.
        misses: Number of calls that compiled.
        maxsize: Number of programs that are kept at most.
        currsize: Number of programs that are kept.
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int


class ProgramCache(Generic[Result]):
    """A function that compiles programs once for equal arguments, for all threads.

    Of several threads that ask for the same programs, one compiles and the others wait. They all get its error if it
    fails, and the next call compiles again. The programs that were used least recently are dropped once there is no
    more room. Who still holds dropped programs can call them.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        """Keep what a function returns.

        Args:
            function: Function of the names of programs and of further arguments that can be hashed.
        """
        self._function = function
        self._lock = Lock()
        self._entries: OrderedDict[tuple[Hashable, ...], Future[Result]] = OrderedDict()
        self._hits = self._misses = 0
        update_wrapper(self, function)

    def __call__(self, *arguments: Hashable) -> Result:
        """Return the programs for some arguments.

        Args:
            arguments: Arguments of the function, the names of the programs first.

        Returns:
            What the function returns. Equal arguments return the same object until it is dropped.
        """
        made: Future[Result] = Future()
        with self._lock:
            found = self._entries.setdefault(arguments, made)
            self._entries.move_to_end(arguments)
            self._hits += found is not made
            self._misses += found is made
        if found is made:
            return self._make(arguments, made)
        try:
            return found.result()
        except Exception:
            raise
        except BaseException:  # what interrupted the other thread is not this one's
            if not found.done() or found.exception() is None:
                raise
            return self(*arguments)

    def cache_info(self) -> CacheInfo:
        """Return the counts of the cache."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, _most_programs(), self._programs())

    def cache_clear(self) -> None:
        """Drop all programs. Programs that are being compiled are not kept either."""
        with self._lock:
            self._entries.clear()
            self._hits = self._misses = 0

    def _make(self, arguments: tuple[Hashable, ...], made: Future[Result]) -> Result:
        """Call the function and keep what it returns, or give its error to all that wait."""
        try:
            result = self._function(*arguments)
        except BaseException as error:
            with self._lock:
                if self._entries.get(arguments) is made:
                    del self._entries[arguments]
            made.set_exception(error)
            raise
        made.set_result(result)
        with self._lock:
            self._drop()
        return result

    def _drop(self) -> None:
        """Drop the programs that were used least recently until the others fit. The latest stay.

        If the process runs out of mappings, half of all programs are dropped, down to KEPT_IF_SCARCE.
        """
        excess = self._programs() - _most_programs()
        if mappings_are_scarce():
            excess = max(excess, min(self._programs() // 2, self._programs() - KEPT_IF_SCARCE))
        for arguments, entry in list(self._entries.items())[:-1]:
            if excess <= 0:
                return
            if entry.done():
                del self._entries[arguments]
                excess -= _count(arguments)

    def _programs(self) -> int:
        """Return the number of programs that are kept or being compiled."""
        return sum(map(_count, self._entries))


def mappings_are_scarce() -> bool:
    """Return whether the process uses more than MAPPED_SHARE of its memory mappings.

    It is False if the system names no limit.
    """
    try:
        with MAPPINGS.open("rb") as lines:
            return sum(1 for _ in lines) > MAPPED_SHARE * int(MOST_MAPPINGS.read_text())
    except (OSError, ValueError):
        return False


def _count(arguments: tuple[Any, ...]) -> int:
    """Return the number of programs that arguments name."""
    return len(arguments[0])


def _most_programs() -> int:
    """Return the number of programs that are kept at most."""
    return max(int(KEPT_SHARE * (total_memory() or 0) / PROGRAM_BYTES), FEWEST_KEPT)
