"""Counts what an optimised program of XLA runs, from its text.

A program is a tree: its entry runs operations and loops, and each loop runs its body a known number of times. On an
accelerator each operation is a kernel that is launched and waited for, or a copy.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

FREE: Final = frozenset(
    (
        *("parameter", "tuple", "get-tuple-element", "constant", "bitcast", "after-all", "partition-id", "opt-barrier"),
        *("async-update", "async-done"),  # the end of what async-start runs
    )
)
"""Operations that run nothing."""
CONTROL: Final = frozenset({"call", "async-start"})
"""Operations that run another computation once."""
CUSTOM: Final = "custom-call "
"""Beginning of the name of a custom call. Its target follows."""
IDLE: Final = frozenset({f"{CUSTOM}AllocateBuffer", f"{CUSTOM}ConcatBitcast"})
"""Custom calls of a TPU's compiler that run nothing."""
COLLECTIVE: Final = re.compile(r" (?:ragged-)?(?:all-reduce|all-gather|all-to-all|collective-|reduce-scatter)[\w\-]*\(")
SHAPE: Final = re.compile(r"\b(pred|[bfsuc]+\d+\w*)\[([\d,]*)\]")
HEAD: Final = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) .*->.*\{\s*$")
LINE: Final = re.compile(r"^(?:ROOT )?%?[\w.\-]+ = (?:\([^=]*?\)|\S+) (?P<op>[\w\-]+)\(")
TRIPS: Final = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
BODY: Final = re.compile(r"body=%?([\w.\-]+)")
CONDITION: Final = re.compile(r"condition=%?([\w.\-]+)")
LIMIT: Final = re.compile(r"= s(?:32|64)\[\]\S* constant\((\d+)\)")
CALLED: Final = re.compile(r"(?:to_apply|called_computations=\{|calls)=?%?([\w.\-]+)")
BRANCHES: Final = re.compile(r"branch_computations=\{([^}]*)\}|(?:true|false)_computation=%?([\w.\-]+)")
TARGET: Final = re.compile(r'custom_call_target="([^"]+)"')


@dataclass(frozen=True)
class Loop:
    """A loop of a computation.

    Attributes:
        trips: Number of times that its body runs. None if the compiler does not know it.
        body: What the body runs.
    """

    trips: int | None
    body: "Computation"


@dataclass(frozen=True)
class Computation:
    """What a computation runs.

    Attributes:
        operations: Name of each operation in the order of the program. That of a custom call is CUSTOM and its target.
        loops: Loops of the computation.
    """

    operations: Sequence[str]
    loops: Sequence[Loop] = field(default=())

    @property
    def kernels(self) -> int:
        """Return the number of operations. A loop counts as often as it runs, or once if its trips are not known."""
        return len(self.operations) + sum((loop.trips or 1) * loop.body.kernels for loop in self.loops)

    @property
    def fusions(self) -> int:
        """Return the number of fusions and custom calls. A loop counts as often as it runs.

        A TPU runs scalars and copies beside them, so they are what counts there.
        """
        own = sum(name == "fusion" or (name.startswith(CUSTOM) and name not in IDLE) for name in self.operations)
        return own + sum((loop.trips or 1) * loop.body.fusions for loop in self.loops)

    def step(self, steps: int) -> "Computation | None":
        """Return the body of the loop over an epoch's steps. Among loops with this many trips it has the most kernels.

        Args:
            steps: Number of steps.
        """
        bodies = [loop.body for loop in self._all_loops() if loop.trips == steps]
        return max(bodies, key=lambda body: body.kernels, default=None)

    def _all_loops(self) -> Iterator[Loop]:
        for loop in self.loops:
            yield loop
            yield from loop.body._all_loops()


def entry_of(text: str) -> Computation:
    """Return what a program runs.

    Args:
        text: Text of an optimised program, as `compiled.as_text()` returns it.

    Raises:
        ValueError: The text has no entry.
    """
    parts, entry = _parts(text)
    return _computation(parts, entry)


def _parts(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the lines of each computation of a program, and the name of its entry."""
    parts: dict[str, list[str]] = {}
    name = entry = None
    for line in text.splitlines():
        if (head := HEAD.match(line)) is not None:
            name = head["name"]
            parts[name], entry = [], name if head["entry"] else entry
        elif line.startswith("}"):
            name = None
        elif name is not None:
            parts[name].append(re.sub(r"/\*index=\d+\*/", "", line.strip()))
    if entry is None:
        raise ValueError("the text is no program of XLA: it has no ENTRY")
    return parts, entry


def collectives(text: str) -> int:
    """Return how many operations of a program exchange values among devices. Those inside fusions count too.

    Args:
        text: Text of an optimised program, as `compiled.as_text()` returns it.
    """
    return len(COLLECTIVE.findall(text))


def exchanged(text: str) -> tuple[int, int]:
    """Return how many collectives a program runs, and how many bytes they give to each device.

    A loop counts as often as it runs.

    Args:
        text: Text of an optimised program, as `compiled.as_text()` returns it.

    Returns:
        The number of collectives and the bytes of their results on one device.
    """
    parts, entry = _parts(text)

    def of(name: str) -> tuple[int, int]:
        count = moved = 0
        for line in parts.get(name, ()):
            if (found := COLLECTIVE.search(line)) is not None and "-done(" not in found[0]:
                count += 1
                result = line[: found.start()].partition(" = ")[2]
                moved += _bytes_of(result) // (2 if "-start(" in found[0] else 1)  # its operands are in its result
            loop = BODY.search(line) if " while(" in line else None
            times = (_trips(parts, line) or 1) if loop else 1
            for inner in [loop[1]] if loop else CALLED.findall(line):
                inner_count, inner_moved = of(inner)
                count, moved = count + times * inner_count, moved + times * inner_moved
        return count, moved

    return of(entry)


def _bytes_of(shapes: str) -> int:
    """Return the bytes of one or several arrays, whose shapes are text such as f32[8,100]."""
    total = 0
    for kind, sizes in SHAPE.findall(shapes):
        bits = 8 if kind == "pred" else int(re.sub(r"\D", "", kind.split("e")[0]) or 8)
        total += math.prod(int(size) for size in sizes.split(",") if size) * bits // 8
    return total


def _computation(parts: dict[str, list[str]], name: str) -> Computation:
    operations: list[str] = []
    loops: list[Loop] = []
    for line in parts[name]:
        found = LINE.match(line)
        operation = found["op"] if found else None
        if operation is None or operation in FREE:
            continue
        if operation == "while":
            body = BODY.search(line)
            assert body is not None
            loops.append(Loop(_trips(parts, line), _computation(parts, body[1])))
        elif operation == "conditional":
            listed = ",".join(name for groups in BRANCHES.findall(line) for name in groups).split(",")
            branches = [_computation(parts, name.strip().lstrip("%")) for name in listed if name.strip()]
            loops.append(Loop(1, max(branches, key=lambda branch: branch.kernels)))
        elif operation in CONTROL:
            if (called := CALLED.search(line)) is not None and called[1] in parts:
                loops.append(Loop(1, _computation(parts, called[1])))
        elif operation == "custom-call":
            target = TARGET.search(line)
            operations.append(f"{CUSTOM}{target[1] if target else ''}")
        else:
            operations.append(operation)
    return Computation(operations, loops)


def _trips(parts: dict[str, list[str]], line: str) -> int | None:
    """Return the trips that a loop's line states, or the only limit that its condition compares with."""
    if (stated := TRIPS.search(line)) is not None:
        return int(stated[1])
    condition = CONDITION.search(line)
    limits = (
        [] if condition is None else [int(limit[1]) for part in parts[condition[1]] if (limit := LIMIT.search(part))]
    )
    return limits[0] if len(limits) == 1 else None
