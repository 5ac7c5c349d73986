"""One of the processes whose study `scaling` times. It prints one line of JSON.

    python -m bench.peers.scaling_process COORDINATOR PROCESSES PROCESS CORE TRIALS TRAIN_ROWS EPOCHS

It runs on one core. The study is trained once to compile its programs, and once for the time. Without other processes
COORDINATOR is "-".
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BATCH_SIZE = 32


def main() -> None:
    """Join the processes, train the study, and print the seconds of each part."""
    coordinator, *numbers = sys.argv[1:]
    processes, process, core, trials, rows, epochs = map(int, numbers)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    import jax

    began = time.perf_counter()
    if coordinator != "-":
        jax.config.update("jax_enable_preemption_service", False)
        jax.distributed.initialize(coordinator, processes, process)
    jax.devices()
    join_seconds = time.perf_counter() - began

    from jaxdeep.run.api import run_study
    from jaxdeep.train.saved import saved_bytes
    from jaxdeep.train.several_processes import all_processes

    config, data = _workload(rows, epochs)
    run_study(config, data, seeds=1 if processes == 1 else processes, devices="all", verbose=False)
    began, processor_began = time.perf_counter(), time.process_time()
    result = run_study(config, data, seeds=trials, devices="all", verbose=False)
    study_seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - processor_began
    run = next(iter(result.runs.values()))
    content = b"".join([saved_bytes(run)] * (trials // processes))
    gathered = []
    with all_processes() as job:
        for _ in range(3):
            began = time.perf_counter()
            job.gather(content)
            gathered.append(time.perf_counter() - began)
    found = {
        "join_seconds": join_seconds,
        "study_seconds": study_seconds,
        "cpu_seconds": cpu_seconds,
        "rows_a_second": trials * epochs * rows / study_seconds,
        "gathered_bytes": len(content) * processes,
        "gather_seconds": gathered[1:],
        "run_bytes": len(saved_bytes(run)),
        **(_alone(config, data) if processes == 1 else {}),
    }
    print(json.dumps(found), flush=True)


def _workload(rows: int, epochs: int) -> tuple[Any, Any]:
    """Return the configuration `selu` and its data set: CIFAR-10 if it is at hand, or noise of its shape."""
    import numpy as np

    from experiments.cifar import CONFIGS
    from jaxdeep.data.dataset import Dataset

    config = CONFIGS["selu"].config.updated(
        {
            "data.valid_size": 1_000,
            "data.train_size": None,
            "train.epochs": epochs,
            "train.patience": epochs,
            "train.batch_size": BATCH_SIZE,
        }
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (rows + 1_000, 32, 32, 3), np.uint8)
    labels = np.arange(rows + 1_000) % 10
    return config, Dataset.from_arrays(images, labels, images[:1_000], labels[:1_000], data=config.data)


def _alone(config: Any, data: Any) -> dict[str, Any]:
    """Return the seconds of a checkpoint and of moving trials together, in one process."""
    import jax
    import numpy as np

    from jaxdeep.study.batched_rows import placed, taken
    from jaxdeep.train.checkpoint import Checkpointer
    from jaxdeep.train.programs import compile_program, traced

    start = compile_program(config, data).start
    state = start(traced(config), data, jax.random.key(0))
    keeping = []
    for index in range(3):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with Checkpointer(Path(folder) / "kept", {"run": index}) as checkpointer:
                checkpointer.save(state._replace(epoch=state.epoch), [], at_once=True)
            keeping.append(time.perf_counter() - began)
    many = jax.tree.map(
        lambda leaf: jax.numpy.stack([leaf] * SIDE_BY_SIDE), state._replace(key=jax.random.key_data(state.key))
    )
    moving = []
    for _ in range(3):
        began = time.perf_counter()
        jax.block_until_ready(placed(taken(many, np.arange(SIDE_BY_SIDE // 2))))
        moving.append(time.perf_counter() - began)
    moved = sum(leaf.nbytes for leaf in jax.tree.leaves(many)) // 2
    return {"checkpoint_seconds": keeping[1:], "compaction_seconds": moving[1:], "compacted_bytes": moved}


SIDE_BY_SIDE = 64
"""Number of trials. Half of them are moved together."""

if __name__ == "__main__":
    main()
