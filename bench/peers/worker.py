"""A contestant's own process: it builds, then trains an epoch for each line that it is sent, and waits in between.

    python -m bench.peers.worker CONTESTANT WORKLOAD.npz

Requests and answers are lines of JSON on stdin and stdout (`bench.peers.serving`).
"""

import importlib
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.contestants import CONTESTANTS
from bench.peers.serving import Answer, serve
from bench.peers.trainer import Trainer
from bench.peers.workload import load


def build(name: str, path: str) -> tuple[Mapping[str, Any], Answer]:
    """Build the contestant; a request names an epoch, or asks for the memory.

    Args:
        name: of the contestant.
        path: of the workload.
    """
    contestant = CONTESTANTS[name]
    module = importlib.import_module(contestant.module)
    import_bytes = _peak_bytes()
    trainer: Trainer = module.build(load(Path(path)), **contestant.options)

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        if "epoch" in request:
            return trainer.epoch(request["epoch"])._asdict()
        return {"peak_bytes": _peak_bytes(), **trainer.memory()}

    return {"platform": trainer.platform, "precision": trainer.precision, "import_bytes": import_bytes}, answer


def _peak_bytes() -> int:
    """The most memory that this process has had resident.

    Not `ru_maxrss` where it can be helped: on Linux it begins with what the parent had when it started this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    serve(lambda: build(*sys.argv[1:]))
