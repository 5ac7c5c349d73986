"""`scaling`: what several processes cost and give, measured here, and a model of a study of 10,000 trials.

A study of `selu` on rows of CIFAR-10's shape is trained by one process on one core, and by two processes on a core
each. They divide the trials. The rate counts all trials, epochs and rows over the seconds of the study, gathering
included, and the seconds of the processor beside them. The programs were compiled before. The steps around a study are
timed by themselves: joining the processes, gathering runs, moving half of 64 trials together, and a checkpoint.

Where the compiler of a TPU is installed, an epoch is compiled for a TPU v5e of 8, 64 and 256 chips, and not run.
Collectives are counted as often as they run in an epoch, with the bytes that a chip receives. The epoch of one run
takes 3 steps, and that of a study 38 steps. A study that the compiler refuses is compiled with half as many trials.

The last table is a model, and no measurement. An epoch of 10,000 trials takes the compiler's kernels of a step times
1 us, for 1,407 steps and 30 epochs, 128 trials of a chip at a time. Each chunk of trials is compiled for once. The
measured seconds of joining, gathering and moving are added, as if this machine's memory and network did them, and a
checkpoint of each trial in four threads.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.accelerators import TARGETS, installed
from bench.children import Child, Failed
from bench.contestants import clean_environment
from bench.options import Options, say
from jaxdeep.report.layout import fitted

QUESTION: Final = "scaling"
TRIALS: Final = 8
TRAIN_ROWS: Final = 10_000
EPOCHS: Final = 3
NETWORKS: Final = ("selu", "bn")
"""Networks that are compiled for many chips."""
SECONDS_TO_COMPILE: Final = 1_800.0
MODEL: Final = {"trials": 10_000, "steps": 1_407, "epochs": 30, "side_by_side": 128, "latency_us": 1.0, "writers": 4}
"""Assumptions of the model."""
DEVICES: Final = (1, 8, 256)
"""Numbers of devices in the model."""


def run(options: Options) -> None:
    """Time the studies, compile for many chips, keep the entries and print their tables.

    Args:
        options: Options of the bench.
    """
    say("scaling: one process and two, a core each")
    with TemporaryDirectory() as place:
        rounds = [_round(Path(place)) for _ in range(options.rounds)]
    entry = {"kind": "measured", "trials": TRIALS, "rows": TRAIN_ROWS, "epochs": EPOCHS, "measured": rounds}
    _keep(options, "one process and two", entry)
    programs: dict[str, Any] = {}
    if "v5e" in installed():
        for network in NETWORKS:
            say(f"scaling: {network} for many chips of a TPU v5e")
            try:
                programs[network] = compiled(network)
            except Failed as error:
                say(f"{network} is left out: {error}")
                continue
            entry = {"kind": "compiled", "config": network, "target": TARGETS["v5e"].title}
            _keep(options, network, {**entry, "programs": programs[network]})
    if "selu" in programs:
        costs = _costs(rounds)
        _keep(options, "model", {"kind": "model", "assumed": MODEL, "costs": costs, "programs": programs["selu"]})


def compiled(network: str, chips: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return what the programs of a network exchange on many chips, from a process with the compiler's environment.

    Args:
        network: Name of the network.
        chips: Numbers of chips. None of them takes all.

    Raises:
        Failed: The compiler refused a program.
    """
    environment = {**os.environ, **TARGETS["v5e"].environment, "JAX_ENABLE_COMPILATION_CACHE": "0"}
    with Child("bench.scaling_compilers", "v5e", network, *map(str, chips), environment=environment) as child:
        return child.answer(SECONDS_TO_COMPILE)  # pyright: ignore[reportReturnType] (a list)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry holds.

    Args:
        entry: Entry of the record.
    """
    if entry["kind"] == "compiled":
        return f"{entry['config']} on many chips of a {entry['target']}, compiled and not run"
    if entry["kind"] == "model":
        return f"a model of {entry['assumed']['trials']:,} trials of selu on a TPU v5e, no measurement"
    first = entry["measured"][0]
    return f"{entry['trials']} trials in {' and '.join(sorted(first))} pinned to a core each, {rate_ratio(entry):.2f} x"


def rate_ratio(entry: Mapping[str, Any]) -> float:
    """Return the rate of two processes over the rate of one, as the median of the rounds.

    Args:
        entry: Entry of measurements.
    """
    rates = {name: [found[name]["rows_a_second"] for found in entry["measured"]] for name in ("one", "two")}
    return median(rates["two"]) / median(rates["one"])


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of an entry, the headers first.

    Args:
        entry: Entry of the record.
    """
    if entry["kind"] == "compiled":
        headers = ("program", "chips", "collectives an epoch", "bytes moved an epoch, MB", "temporaries a chip, MB")
        rows = [
            (
                program["program"],
                str(program["chips"]),
                str(program["collectives"]),
                f"{program['exchanged_bytes'] / 1e6:.1f}",
                f"{program['temporaries'] / 1e6:.1f}",
                f"{program['compile_seconds']:.1f}",
            )
            for program in entry["programs"]
        ]
        return [(*headers, "compilation, s"), *rows]
    if entry["kind"] == "model":
        headers = (
            "devices",
            "training, h",
            "compilation, s",
            "gathering, s",
            "moving, s",
            "checkpoints, s",
            "in all, h",
        )
        return [headers, *(_modelled(entry, devices) for devices in DEVICES)]
    rows = []
    for name in ("one", "two"):
        of_name = [found[name] for found in entry["measured"]]
        rows.append((f"study in {name}, images/s", f"{median(each['rows_a_second'] for each in of_name):,.0f}"))
        rows.append((f"processor of process 0 of {name}, s", f"{median(each['cpu_seconds'] for each in of_name):.2f}"))
    costs = entry.get("costs") or _costs(entry["measured"])
    rows += [
        ("joining two processes, s", f"{costs['join_seconds']:.2f}"),
        ("gathering runs, MB/s", f"{costs['gather_rate'] / 1e6:,.0f}"),
        ("bytes of a run, MB", f"{costs['run_bytes'] / 1e6:.2f}"),
        ("moving 32 of 64 trials, ms", f"{1e3 * costs['compaction_seconds']:.1f}"),
        ("a checkpoint, s", f"{costs['checkpoint_seconds']:.3f}"),
    ]
    return [("what", "median"), *rows]


def _keep(options: Options, workload: str, entry: Mapping[str, Any]) -> None:
    """Write an entry into the record and print its table."""
    options.keep(QUESTION, workload, (), entry)
    print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def _round(place: Path) -> dict[str, Any]:
    """Return the figures of one process and of two, after each other."""
    return {"one": _study(1, place)[0], "two": _study(2, place)[0]}


def _study(processes: int, place: Path, trials: int = TRIALS, rows: int = TRAIN_ROWS) -> list[dict[str, Any]]:
    """Return the figures of each process of a study."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    coordinator = "-" if processes == 1 else f"127.0.0.1:{_free_port()}"
    with ExitStack() as stack:
        children = []
        for process in range(processes):
            numbers = (processes, process, allowed[process % len(allowed)], trials, rows, EPOCHS)
            child = Child(
                "bench.peers.scaling_process", coordinator, *map(str, numbers), environment=clean_environment(place)
            )
            children.append(stack.enter_context(child))
        return [_answer(child) for child in children]


def _answer(child: Child) -> dict[str, Any]:
    """Return the first line of a process that is JSON. JAX's own gathering prints a line before it."""
    while True:
        try:
            return child.answer()
        except ValueError:
            continue


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _costs(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the measured cost of each step around a study."""
    one, two = ([found[name] for found in rounds] for name in ("one", "two"))
    gathers = [(each["gathered_bytes"], seconds) for each in two for seconds in each["gather_seconds"]]
    return {
        "join_seconds": median(each["join_seconds"] for each in two),
        "gather_rate": median(size / seconds for size, seconds in gathers),
        "run_bytes": median(each["run_bytes"] for each in one),
        "compaction_seconds": median(seconds for each in one for seconds in each["compaction_seconds"]),
        "compaction_rate": median(
            each["compacted_bytes"] / seconds for each in one for seconds in each["compaction_seconds"]
        ),
        "trial_bytes": median(each["compacted_bytes"] / 32 for each in one),
        "checkpoint_seconds": median(seconds for each in one for seconds in each["checkpoint_seconds"]),
    }


def _modelled(entry: Mapping[str, Any], devices: int) -> tuple[str, ...]:
    """Return the modelled times of a study on some devices."""
    assumed, costs = entry["assumed"], entry["costs"]
    studies = [program for program in entry["programs"] if program["program"].startswith("a study")]
    chip = TARGETS["v5e"]
    share = -(-assumed["trials"] // devices)
    chunks = -(-share // assumed["side_by_side"])
    of_chunk = -(-share // chunks)
    program = min(studies, key=lambda found: abs(found["trials"] / found["chips"] - of_chunk))
    moved = of_chunk * costs["trial_bytes"] * 2 / chip.bandwidth  # each step reads and writes the whole state
    step_seconds = program["kernels_a_step"] * assumed["latency_us"] * 1e-6 + moved
    training = chunks * assumed["epochs"] * assumed["steps"] * step_seconds
    compilation = program["compile_seconds"] * (1 + len(f"{of_chunk:b}") // 2)
    gathering = assumed["trials"] * costs["run_bytes"] / costs["gather_rate"] if devices > 1 else 0.0
    moving = chunks * of_chunk * costs["trial_bytes"] / costs["compaction_rate"]
    checkpoints = share * costs["checkpoint_seconds"] / assumed["writers"]
    total = training + compilation + gathering + moving + checkpoints + costs["join_seconds"]
    seconds = (f"{value:,.0f}" for value in (compilation, gathering, moving, checkpoints))
    return (str(devices), f"{training / 3600:.2f}", *seconds, f"{total / 3600:.2f}")
