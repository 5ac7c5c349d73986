"""A contest: every contestant in a process of its own, all alive, each working when it is its turn."""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from bench.children import Child, Failed
from bench.contestants import CONTESTANTS, clean_environment
from bench.peers.workload import Workload, save
from bench.rounds import turns
from jaxdeep.train.history import null_if_not_finite

SECONDS_BETWEEN_TURNS = 0.3  # thread pools spin for a while after their work


def failed_row(name: str, outcome: Mapping[str, Any], headers: Sequence[str]) -> tuple[str, ...] | None:
    """The row of a table for a contestant that failed; None where it did not.

    Args:
        name: of the contestant, in the first column.
        outcome: as of `contest`.
        headers: of the table; the reason stands in the last column.
    """
    reason = outcome.get("failed")
    return (name, *("-" for _ in headers[2:]), f"failed: {reason}") if reason else None


def contest(
    names: Sequence[str],
    workload: Workload,
    rounds: int,
    *,
    work: Literal["epoch", "prediction"] = "epoch",
    afterwards: Sequence[str] = (),
) -> dict[str, Any]:
    """Warm everyone up with the first piece of work, then time the others in turn.

    Args:
        names: of contestants that can run here, in the order of their turns.
        workload: for epochs with rounds + 1 orders.
        rounds: that are timed.
        work: of a turn, as the contestants answer it.
        afterwards: what else they are asked after the last round, such as "memory".

    Returns:
        For each contestant: platform, precision, import_bytes; warm_up: the first piece of work; epochs or predictions:
        the timed ones; what was asked afterwards, by name; failed: in one line, where it failed.
    """
    timed = f"{work}s"
    outcomes: dict[str, dict[str, Any]] = {name: {} for name in names}
    children: dict[str, Child] = {}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        save(folder / "workload.npz", workload)

        def turn(name: str, request: dict[str, Any] | None) -> dict[str, Any] | None:
            if "failed" in outcomes[name]:
                return None
            try:
                answer = children[name].answer() if request is None else children[name].ask(request)
            except Failed as reason:
                outcomes[name]["failed"] = str(reason).replace(temporary, "")
                print(f"{name} failed: {reason}", file=sys.stderr)
                return None
            time.sleep(SECONDS_BETWEEN_TURNS)
            return {key: null_if_not_finite(value) for key, value in answer.items()}

        for name in names:
            environment = clean_environment(folder, CONTESTANTS[name])
            arguments = (name, str(folder / "workload.npz"))
            children[name] = stack.enter_context(Child("bench.peers.worker", *arguments, environment=environment))
        for name in names:  # they import and build all at once: nothing of that is timed
            outcomes[name] |= turn(name, None) or {}
        for name in names:
            outcomes[name] |= {"warm_up": turn(name, {work: 0}), timed: []}
        for index, name in turns(names, rounds):
            if (piece := turn(name, {work: index + 1})) is not None:
                outcomes[name][timed].append(piece)
        for request in afterwards:
            for name in names:
                outcomes[name][request] = turn(name, {request: True})
        for child in children.values():
            child.dismiss()
    return outcomes
