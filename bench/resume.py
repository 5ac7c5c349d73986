"""`resume`: studies killed by SIGKILL at random moments, and continued by the same command until they end.

A moment is uniform between a command's start and the time of an undisturbed command. Each kind of study is killed six
times, perhaps several times on its way to one end. Its files are compared with the files of the undisturbed command.
Each figure of summary.json and metrics.jsonl must agree to the last digit, and each image in hits.npz. Seconds are left
out. Checkpoints are kept twice a second, so that kills fall before, into and behind them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.children import ROOT, Failed, last_words
from bench.contestants import clean_environment
from bench.options import Options, say
from jaxdeep.report.layout import fitted

QUESTION: Final = "resume"
HEADERS: Final = ("kind of study", "kills", "studies ended", "that differ")
KILLS: Final = 6
"""Kills of each kind of study."""
TIMES: Final = frozenset({"seconds", "checkpoint_seconds", "wall_seconds", "compile_seconds", "files"})
"""Keys that differ from one process to the next. `files` holds digests of files with seconds in them."""
SMALL: Final = "--data.train-size 2000 --data.valid-size 1000 --model.units 32 32 32"
"""Flags that make a study small."""
KINDS: Final[Mapping[str, str]] = {
    "one run": "--config selu --schedule.kind plateau --train.epochs 60 --train.patience 60",
    "seeds": "--config bn --seeds 4 --train.epochs 20",
    "rates": "--config elu --grid optim.learning_rate=1e-5,1e-4,1e-3 --seeds 2 --train.epochs 15",
    "architectures": "--config selu --grid model.units=24,48 --grid train.batch_size=32,64 --train.epochs 20",
    "random candidates": "--config swish --space optim.learning_rate=1e-5:1e-2:log --samples 5 --train.epochs 20",
    "folds": "--config selu --folds 4 --train.epochs 20",
    "successive halving": "--config selu --grid optim.learning_rate=1e-5,3e-5,1e-4,3e-4,1e-3,3e-3,1e-2,3e-2,1e-1 "
    "--halving successive --train.epochs 27",
    "hyperband": "--config selu --space optim.learning_rate=1e-5:1e-1:log --halving hyperband --train.epochs 9",
    "uncertainty": "--config alpha_dropout --seeds 3 --train.epochs 15 --mc-samples 20 --ensemble",
}
"""Kind of study -> its flags."""


def run(options: Options) -> None:
    """Kill and continue a study of each kind, keep the record, and print the table.

    Args:
        options: Options of the bench. Only the place of the records is used.
    """
    rng = np.random.default_rng()
    with tempfile.TemporaryDirectory() as place:
        kinds = {}
        for name, argv in KINDS.items():
            say(f"resume: {name}")
            kinds[name] = killed(argv.split(), Path(place) / name.replace(" ", "_"), rng)
    entry = {"rounds": 1, "data": "cifar10" if _has_images() else "synthetic", "kinds": kinds}
    options.keep(QUESTION, "nine kinds of study", (), entry)
    print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def killed(argv: Sequence[str], place: Path, rng: np.random.Generator, kills: int = KILLS) -> dict[str, Any]:
    """Kill the commands of a study at random moments and continue them, until there were enough kills.

    Args:
        argv: Flags of the study.
        place: Folder in which its run folders are made.
        rng: Generator of the moments.
        kills: Number of kills.

    Returns:
        JSON values. `seconds` is the time of an undisturbed command. `moments` lists for each study the kills in
        seconds from the start. `differences` lists for each study the files that differ from the undisturbed one.

    Raises:
        Failed: A command that was not killed did not end with status 0.
    """
    undisturbed = place / "undisturbed"
    _end(argv, undisturbed)  # fills the cache of compiled programs
    began = time.perf_counter()
    _end(argv, place / "timed")
    seconds = time.perf_counter() - began
    moments: list[list[float]] = []
    differences: list[list[str]] = []
    left = kills
    while left:
        folder = place / f"killed_{len(moments)}"
        moments.append([])
        for moment in rng.uniform(0, seconds, left):
            if _ends_within(argv, folder, moment):
                break
            moments[-1].append(round(float(moment), 3))
            left -= 1
        _end(argv, folder)
        differences.append(differing(undisturbed, folder))
    return {"seconds": round(seconds, 3), "moments": moments, "differences": differences}


def differing(first: Path, second: Path) -> list[str]:
    """Return the names of the files of two run folders that do not hold the same figures.

    Args:
        first: Folder of a finished run.
        second: Folder of another finished run.

    Returns:
        Names of files. The list is empty if all figures agree.
    """
    return [name for name, figures in _figures(first) if figures != dict(_figures(second))[name]]


def title(entry: Mapping[str, Any]) -> str:
    """Return in words how many kills there were, and how many studies differ behind them.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    kills, ended, differ = (sum(counts) for counts in zip(*map(_counts, entry["kinds"].values()), strict=True))
    return (
        f"{kills} kills in {len(entry['kinds'])} kinds of study on {entry['data']}, {differ} of {ended} studies differ"
    )


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each kind of study, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of four cells.
    """
    return [HEADERS, *((name, *map(str, _counts(kind))) for name, kind in entry["kinds"].items())]


def _counts(kind: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the number of kills, of studies and of studies that differ."""
    return sum(map(len, kind["moments"])), len(kind["differences"]), sum(map(bool, kind["differences"]))


def _figures(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield the name of each file of a run folder, and its figures without times."""
    rows = (json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    yield "metrics.jsonl", [json.dumps(_without_times(row), sort_keys=True) for row in rows]
    yield "summary.json", _without_times(json.loads((folder / "summary.json").read_text()))
    with np.load(folder / "hits.npz") as hits:
        yield "hits.npz", {name: (hits[name].shape, hits[name].tobytes()) for name in hits.files}


def _without_times(value: Any) -> Any:
    """Return JSON values without the keys that differ from one process to the next."""
    if isinstance(value, dict):
        return {name: _without_times(inner) for name, inner in value.items() if name not in TIMES}
    return [_without_times(inner) for inner in value] if isinstance(value, list) else value


def _started(argv: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command of a study."""
    source = "cifar10" if _has_images() else "synthetic"
    command = (sys.executable, "-m", "bench.peers.saving_often", *SMALL.split(), *argv, "--data", source)
    caching = {"JAXDEEP_CACHE": str(folder.parent / "cache"), "JAX_ENABLE_COMPILATION_CACHE": "1"}
    environment = clean_environment(folder.parent) | caching
    folder.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        (*command, "--workdir", str(folder)),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ends_within(argv: Sequence[str], folder: Path, seconds: float) -> bool:
    """Say whether a command ends by itself before it is killed."""
    process = _started(argv, folder)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    _check(process, errors)
    return True


def _end(argv: Sequence[str], folder: Path) -> None:
    """Run a command to its end."""
    process = _started(argv, folder)
    _, errors = process.communicate()
    _check(process, errors)


def _check(process: subprocess.Popen[str], errors: str) -> None:
    """Raise Failed if a process did not end with status 0."""
    if process.returncode:
        raise Failed(f"status {process.returncode}: {last_words(errors.splitlines())}")


def _has_images() -> bool:
    """Say whether the real images are to be used."""
    return bool(os.environ.get("JAXDEEP_DATA"))
