"""A contest, in which every contestant has a process of its own and works when it is its turn."""

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

SECONDS_BETWEEN_TURNS = 0.3
"""Seconds of rest, because thread pools spin for a while after their work."""


def failed_row(name: str, outcome: Mapping[str, Any], headers: Sequence[str]) -> tuple[str, ...] | None:
    """Return the row of a failed contestant in a table, or None if it did not fail.

    Args:
        name: Name of the contestant, for the first column.
        outcome: Outcome of the contestant in `contest`.
        headers: Headers of the table. The reason stands in the last column.

    Returns:
        Cells of the row.
    """
    reason = outcome.get("failed")
    return (name, *("-" for _ in headers[2:]), f"failed: {reason}") if reason else None


def contest(
    names: Sequence[str],
    workload: Workload,
    rounds: int,
    *,
    work: Literal["epoch", "prediction", "training"] = "epoch",
    afterwards: Sequence[str] = (),
) -> dict[str, Any]:
    """Warm up all contestants with the first piece of work, then time the other pieces in turn.

    Args:
        names: Names of contestants that can run here, in the order of their turns.
        workload: Images, weights and orders. Epochs need rounds + 1 orders.
        rounds: Number of timed rounds.
        work: Name of the work in a turn.
        afterwards: Further requests after the last round, such as "memory".

    Returns:
        A mapping for each contestant. `platform`, `precision` and `import_bytes` describe it. `warm_up` is the first
        piece of work. `epochs`, `predictions` or `trainings` lists the timed pieces. Each further request has its
        answer under its name. `failed` says in one line why a contestant failed.
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
        for name in names:  # they import and build all at once, which is not timed
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
