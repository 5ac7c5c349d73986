"""A contestant's own process: it builds, then trains or predicts for each line that it is sent, and waits in between.

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
from bench.peers.workload import load


def build(name: str, path: str) -> tuple[Mapping[str, Any], Answer]:
    """Build the contestant; a request is one name and its value, such as {"epoch": 3} or {"memory": true}.

    Args:
        name: of the contestant.
        path: of the workload.
    """
    contestant = CONTESTANTS[name]
    module = importlib.import_module(contestant.module)
    import_bytes = _bytes("VmHWM")
    built: Trainer | PeerPredictor = module.build(load(Path(path)), **contestant.options)
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
    """The most memory that this process has had resident, or what it has now.

    Not `ru_maxrss` where it can be helped: on Linux it begins with what the parent had when it started this process,
    and it knows the most alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (found,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(found) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _forget_peak() -> None:
    """Let the peak begin anew with what is resident now, where Linux lets it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    serve(lambda: build(*sys.argv[1:]))
