"""How long from the command to the first trained epoch, where the time goes, and what an epoch takes after that.

    python -m bench.startup [--config selu] [--rounds 5]      # needs the real CIFAR-10 in JAXDEEP_DATA

Every round starts processes of their own: one with an empty compilation cache (cold), then the same again (warm). A
round is three epochs; the first one counts for `first_epoch_done`, the others are `epoch_seconds`. Writes
bench/records/startup-CONFIG.json with all raw timings, and prints median, minimum and maximum.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from experiments.cifar import CONFIGS
from jaxdeep.report.run_folder import write_json

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run the rounds, write the record, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="selu", choices=CONFIGS)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds: dict[str, list[dict[str, Any]]] = {"cold": [], "warm": []}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for kind, timings in rounds.items():
                timings.append(one_command(arguments.config, Path(folder), kind))
    record = {
        "question": "startup",
        "config": arguments.config,
        "date": datetime.date.today().isoformat(),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()},
        "rounds": rounds,
    }
    write_json(ROOT / "bench" / "records" / f"startup-{arguments.config}.json", record)
    for kind, timings in rounds.items():
        for name in ("first_epoch_done", "compile_seconds", "epoch_seconds"):
            values = [value for timing in timings for value in _listed(timing[name])]
            print(f"{kind}  {name:17} median {median(values):6.2f}  min {min(values):6.2f}  max {max(values):6.2f} s")


def one_command(config: str, folder: Path, kind: str) -> dict[str, Any]:
    """Time a command of three epochs from outside.

    Args:
        config: its name.
        folder: with the compilation cache; the run goes into it too.
        kind: names the run.

    Returns:
        first_epoch_done: seconds from the start of the process to the end of the first epoch; compile_seconds;
        epoch_seconds: of the second and third epoch, validation included.
    """
    workdir = folder / kind
    argv = [sys.executable, "-m", "experiments.cifar", "--config", config, "--data", "cifar10"]
    argv += ["--train.epochs", "3", "--workdir", str(workdir)]
    environment = {**os.environ, "JAXDEEP_CACHE": str(folder)}
    began = time.perf_counter()
    done = None
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if done is None and "epoch 1/3" in line:
                done = time.perf_counter() - began
    if process.returncode or done is None:
        raise SystemExit(f"the command failed with status {process.returncode}: {' '.join(argv)}")
    summary = json.loads((workdir / "summary.json").read_text())
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {
        "first_epoch_done": done,
        "compile_seconds": summary["compile_seconds"],
        "epoch_seconds": [json.loads(line)["seconds"] for line in lines[1:]],
        "versions": summary["versions"],
        "device": summary["device"],
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*argv: str) -> str:
    return subprocess.run(("git", *argv), cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
