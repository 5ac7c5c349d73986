"""The programs of S trials, compiled when they are first asked for, and how many trials fit the memory."""

from typing import Any

import jax

from jaxdeep.train.memory import free_memory, program_bytes, refuse_more_than, tree_bytes
from jaxdeep.train.programs import Compiled, ProgramSpec, compiled


class BatchedPrograms:
    """The programs of some trials, for any number of them.

    Attributes:
        spec: what they are compiled for.
    """

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self._found: dict[tuple[str, int], Compiled] = {}

    def of(self, name: str, size: int) -> Any:
        """Return the program of this name for so many trials."""
        self._found[name, size] = found = compiled((name,), self.spec, size)
        return found.calls[name]

    @property
    def shared_bytes(self) -> int:
        """Bytes of the leaves of the data set that all trials share."""
        spec = self.spec
        return tree_bytes([shape for own, shape in zip(spec.is_own, spec.shapes, strict=True) if not own])

    def argument_bytes(self, size: int) -> int:
        """Return the bytes of so many trials' states and own leaves, and of what they share."""
        spec = self.spec
        own = [shape for own, shape in zip(spec.is_own, spec.shapes, strict=True) if own]
        return size * tree_bytes((spec.state, own)) + self.shared_bytes

    @property
    def compile_seconds(self) -> float:
        """Seconds that tracing and compiling took, of the programs that were asked for."""
        return sum(found.compile_seconds for found in self._found.values())


def sizes_of(trials: int, devices: int = 1) -> list[int]:
    """Return the numbers of trials that programs are compiled for: all, half of them, ..., multiples of the devices.

    >>> sizes_of(20), sizes_of(20, devices=8)
    ([20, 10, 5, 2, 1], [24, 8])
    """
    shares = -(-trials // devices)
    return [devices * (shares >> halved) for halved in range(shares.bit_length())]


def sizes_that_fit(programs: BatchedPrograms, trials: int, memory: int | None) -> list[int]:
    """Return the numbers of trials to train at once: the largest one that fits the device, and its halves.

    Args:
        programs: programs of the trials.
        trials: number of trials.
        memory: bytes of a device that may be used. None: what is free of it.

    Raises:
        UserError: not even one trial for each device fits.
    """
    devices = jax.local_device_count()
    if memory is None:
        # what all trials share stands on a single device already, and is an argument of the programs
        memory = free_memory(programs.shared_bytes if devices == 1 else 0)
    sizes = sizes_of(trials, devices)
    if memory is None:
        return sizes
    for position, size in enumerate(sizes[:-1]):
        if program_bytes(programs.of("epoch", size)) <= memory and planned_bytes(programs, size) <= memory:
            return sizes[position:]
    refuse_more_than(memory, planned_bytes(programs, sizes[-1]))
    return sizes[-1:]


def planned_bytes(programs: BatchedPrograms, size: int) -> int:
    """Return the most bytes that a device holds while its share of this many trials is trained.

    That is the larger of two programs, an epoch's and the evaluation's, or the states with the half of them to which
    trials are moved together, or which go to the host when they are over.

    Args:
        programs: programs of the trials.
        size: number of trials.
    """
    epoch, evaluate = programs.of("epoch", size), programs.of("evaluate", size)
    moved = programs.argument_bytes(size) * 3 // 2 // jax.local_device_count()
    return max(program_bytes(epoch), program_bytes(evaluate), moved)
