"""`parts`: where the time of jaxdeep's step goes.

Scans over the same batches do more and more of the step: take and scale the rows (data), run the network (forward),
take the gradients (backward), update the weights (optimizer). A part is what it adds, round by round. Parts are not
quite what they are within the step: without the update, the weights stay in the caches. Dispatch is what a step costs
more where Python calls every step by itself; jaxdeep pays it once an epoch.
"""

import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from bench.children import Child
from bench.contestants import clean_environment
from bench.options import Options, say
from bench.peers.workload import save
from bench.rounds import Spread, spread
from bench.throughput import title
from jaxdeep.report.layout import fitted

QUESTION = "parts"
CONFIGS = ("selu", "bn")
BATCH_SIZES = (32,)
LAYERS = (20,)
PROGRAMS = ("data", "forward", "backward", "step")
HEADERS = ("part", "ms a step", "share of the step")

__all__ = ["run", "table", "title"]


def run(options: Options) -> None:
    """Every configuration, depth and batch size: an entry, a table."""
    from bench.workload import bench_config, described, first_rows, steps_of_epoch, workload  # imports JAX

    workloads = product(options.configs or CONFIGS, options.layers or LAYERS, options.batch_sizes or BATCH_SIZES)
    for name, layers, batch_size in workloads:
        say(f"parts of {name}, {layers} layers, batch {batch_size}")
        config = bench_config(name, batch_size, layers)
        work = workload(config, first_rows(config, steps_of_epoch(batch_size) * batch_size), 0)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            save(folder / "workload.npz", work)
            arguments = (str(folder / "workload.npz"),)
            with Child("bench.peers.step_parts", *arguments, environment=clean_environment(folder)) as child:
                measurer = child.answer()
                rounds = [child.ask({}) for _ in range(options.rounds)]
        entry = {
            **described(name, batch_size, layers),
            **measurer,
            "round_ms": rounds,
        }
        options.keep_size(QUESTION, entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each part, the headers first."""
    rounds: Sequence[Mapping[str, float]] = entry["round_ms"]
    whole = spread([timings["step"] for timings in rounds])
    parts = {"data": spread([timings["data"] for timings in rounds])}
    for (before, after), name in zip(pairwise(PROGRAMS), ("forward", "backward", "optimizer"), strict=True):
        parts[name] = spread([timings[after] - timings[before] for timings in rounds])
    dispatch = spread([timings["step_called"] - timings["step"] for timings in rounds])
    rows = [_row(name, part, f"{part.median / whole.median:.0%}") for name, part in parts.items()]
    return [HEADERS, *rows, _row("step", whole, "100%"), _row("dispatch, where each step is a call", dispatch, "")]


def _row(name: str, milliseconds: Spread, share: str) -> tuple[str, ...]:
    return name, f"{milliseconds:.3f}", share
