"""A contestant's own process. It builds, then trains or predicts for each line, and waits in between.

    python -m bench.peers.worker CONTESTANT WORKLOAD.npz

Requests and answers are lines of JSON on stdin and stdout (`bench.peers.serving`).
"""

import importlib
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from bench.contestants import CONTESTANTS
from bench.peers.predictor import PeerPredictor
from bench.peers.serving import Answer, serve
from bench.peers.trainer import Trainer
from bench.peers.transfer import PeerTransfer
from bench.peers.workload import load


def build(name: str, path: str) -> tuple[Mapping[str, Any], Answer]:
    """Build the contestant.

    A request is one name and its value, such as {"epoch": 3} or {"memory": true}.

    Args:
        name: Name of the contestant.
        path: Path of the workload.

    Returns:
        JSON values of the contestant, and the function that answers a request.
    """
    contestant = CONTESTANTS[name]
    module = importlib.import_module(contestant.module)
    import_bytes = _bytes("VmHWM")
    built: Trainer | PeerPredictor | PeerTransfer = module.build(load(Path(path)), **contestant.options)
    build_bytes = _bytes("VmHWM")
    _forget_peak()
    held_bytes = _bytes("VmRSS")

    def memory(_: object) -> Mapping[str, Any]:
        work_bytes = _bytes("VmHWM")
        return {"peak_bytes": max(build_bytes, work_bytes), "work_bytes": work_bytes - held_bytes, **built.memory()}

    answers = {"memory": memory, **built.answers}

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        ((name, value),) = request.items()
        return answers[name](value)

    return {"platform": built.platform, "precision": built.precision, "import_bytes": import_bytes}, answer


def _bytes(field: Literal["VmHWM", "VmRSS"]) -> int:
    """Return the most memory that this process has had resident, or its memory now.

    `ru_maxrss` is the fallback. On Linux it begins with the parent's memory at the start of this process, and it knows
    only the most.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (kibibytes,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(kibibytes) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _forget_peak() -> None:
    """Let the peak begin anew with the memory now, if Linux allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    serve(lambda: build(*sys.argv[1:]))
