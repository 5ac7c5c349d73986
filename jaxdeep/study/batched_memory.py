"""Programs of S trials, compiled when they are first requested, and the number of trials that fit the memory."""

from typing import Any

import jax

from jaxdeep.train.memory import free_memory, program_bytes, refuse_more_than, tree_bytes
from jaxdeep.train.programs import Compiled, ProgramSpec, compiled


class BatchedPrograms:
    """The programs of several trials, for any number of them.

    Attributes:
        spec: Configuration, shapes and data layout that the programs are compiled for.
    """

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self._compiled: dict[tuple[str, int], Compiled] = {}

    def of(self, name: str, size: int) -> Any:
        """Return a compiled program.

        Args:
            name: Name of the program, "start", "epoch" or "evaluate".
            size: Number of trials S, 1 or more.

        Returns:
            The compiled function.
        """
        self._compiled[name, size] = program = compiled((name,), self.spec, size)
        return program.calls[name]

    @property
    def shared_bytes(self) -> int:
        """Return the bytes of the data set's leaves that all trials share."""
        spec = self.spec
        return tree_bytes([shape for own, shape in zip(spec.is_own, spec.shapes, strict=True) if not own])

    def argument_bytes(self, size: int) -> int:
        """Return the bytes of the trials' states and own leaves, and of the leaves that they share.

        Args:
            size: Number of trials S, 1 or more.
        """
        spec = self.spec
        own = [shape for own, shape in zip(spec.is_own, spec.shapes, strict=True) if own]
        return size * tree_bytes((spec.state, own)) + self.shared_bytes

    def moved_bytes(self, size: int) -> int:
        """Return the bytes of a device on which its share of the trials is moved together or goes to the host.

        That is one and a half times the states with their data, since half of the states is copied. It is known before
        anything is compiled.

        Args:
            size: Number of trials S, 1 or more.
        """
        return self.argument_bytes(size) * 3 // 2 // jax.local_device_count()

    @property
    def compile_seconds(self) -> float:
        """Return the seconds that tracing and compiling the requested programs took."""
        return sum(program.compile_seconds for program in self._compiled.values())


def sizes_of(trials: int, devices: int = 1) -> list[int]:
    """Return the numbers of trials that programs are compiled for: all, half of them and so on.

    Args:
        trials: Number of trials, 1 or more.
        devices: Number of devices. Each size is a multiple of it.

    Returns:
        Sizes in descending order.

    >>> sizes_of(20), sizes_of(20, devices=8)
    ([20, 10, 5, 2, 1], [24, 8])
    """
    shares = -(-trials // devices)
    return [devices * (shares >> halved) for halved in range(shares.bit_length())]


def sizes_that_fit(programs: BatchedPrograms, trials: int, memory: int | None) -> list[int]:
    """Return the numbers of trials to train at once: the largest that fits the device, and its halves.

    A number whose states alone are larger than the memory is left out before its programs are compiled.

    Args:
        programs: Programs of the trials.
        trials: Number of trials, 1 or more.
        memory: Bytes of each device that may be used. None uses the free memory.

    Returns:
        Sizes in descending order.

    Raises:
        UserError: Not even one trial for each device fits.
    """
    devices = jax.local_device_count()
    if memory is None:
        # a single device already holds the leaves that all trials share, which are an argument of the programs
        memory = free_memory(programs.shared_bytes if devices == 1 else 0)
    sizes = sizes_of(trials, devices)
    if memory is None:
        return sizes
    for position, size in enumerate(sizes[:-1]):
        if programs.moved_bytes(size) > memory or program_bytes(programs.of("epoch", size)) > memory:
            continue
        if planned_bytes(programs, size) <= memory:
            return sizes[position:]
    refuse_more_than(memory, planned_bytes(programs, sizes[-1]))
    return sizes[-1:]


def planned_bytes(programs: BatchedPrograms, size: int) -> int:
    """Return the most bytes that a device holds while its share of the trials is trained.

    This is the largest of three: the program of an epoch, the program of the evaluation, and the states with their data
    while trials are moved.

    Args:
        programs: Programs of the trials.
        size: Number of trials S, 1 or more.
    """
    epoch, evaluate = programs.of("epoch", size), programs.of("evaluate", size)
    return max(program_bytes(epoch), program_bytes(evaluate), programs.moved_bytes(size))
