"""`memory`: the most memory that a process needs to train `selu`, batch 32, for an epoch of 45,000 images.

Each contestant runs alone. `process` is the peak of resident bytes. It includes the libraries and 138 MB of uint8 rows,
which every contestant's process holds. `imports` is the peak before there were any rows. Peers are handed float32 rows
of 553 MB, because `fit` wants them. `device` is the peak that the library counts on an accelerator.
"""

from collections.abc import Mapping
from typing import Any

from bench.contest import contest
from bench.options import Options, say
from bench.throughput import title
from jaxdeep.report.layout import fitted

QUESTION = "memory"
CONFIGS = ("selu",)
HEADERS = ("contestant", "process, MB", "imports, MB", "device, MB", "program's temporaries, MB", "remark")


def run(options: Options) -> None:
    """Run each contestant alone for every configuration, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    from bench.workload import bench_config, described, first_rows, workload  # imports JAX

    present, left_out = options.taking_part()
    if not present:
        return
    for config_name in options.configs or CONFIGS:
        config = bench_config(config_name, 32, 20)
        work = workload(config, first_rows(config, 45_000), 0)
        outcomes: dict[str, Any] = {}
        for name in present:
            say(f"memory of {config_name}: {name}")
            outcomes |= contest([name], work, 0, afterwards=("memory",))
        entry = {
            **described(config_name, 32, 20),
            "rounds": 1,
            "contestants": outcomes,
            "left_out": left_out,
        }
        options.keep(QUESTION, f"{config_name},batch=32,layers=20", ("--configs", config_name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of six cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for name, outcome in entry["contestants"].items():
        memory = outcome.get("memory") or {}
        columns = (
            memory.get("peak_bytes"),
            outcome.get("import_bytes"),
            memory.get("peak_bytes_in_use"),
            memory.get("temp_size_in_bytes"),
        )
        cells = ("-" if value is None else f"{value / 1e6:,.0f}" for value in columns)
        rows.append((name, *cells, f"failed: {outcome['failed']}" if "failed" in outcome else ""))
    return rows
