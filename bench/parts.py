"""`parts`: where the time of jaxdeep's step goes.

Scans over the same batches do more and more of the step. The first takes and scales the rows (data). The second runs
the network (forward), the third takes the gradients (backward), the fourth updates the weights (optimizer). A part is
the time that it adds, round by round. Its time differs a little from its time within the step, because without the
update the weights stay in the caches. Dispatch is the further time of a step that Python calls by itself. jaxdeep pays
it once an epoch.
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
    """Measure every configuration, depth and batch size, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
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
    """Return a row for each part, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of three cells.
    """
    rounds: Sequence[Mapping[str, float]] = entry["round_ms"]
    whole = spread([timings["step"] for timings in rounds])
    parts = {"data": spread([timings["data"] for timings in rounds])}
    for (before, after), name in zip(pairwise(PROGRAMS), ("forward", "backward", "optimizer"), strict=True):
        parts[name] = spread([timings[after] - timings[before] for timings in rounds])
    dispatch = spread([timings["step_called"] - timings["step"] for timings in rounds])
    rows = [_row(name, part, f"{part.median / whole.median:.0%}") for name, part in parts.items()]
    return [HEADERS, *rows, _row("step", whole, "100%"), _row("dispatch, where each step is a call", dispatch, "")]


def _row(name: str, milliseconds: Spread, share: str) -> tuple[str, ...]:
    """Return the cells of a part."""
    return name, f"{milliseconds:.3f}", share
