"""The questions of the bench by name. A question is a module with three functions.

    run(options)     measures, keeps an entry for each workload, prints its table
    title(entry)     returns in words what an entry measured
    table(entry)     returns its rows, the headers first

Its docstring says what is measured. RESULTS.md has it above the tables, without the words before the first colon.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final

QUESTIONS: Final[Mapping[str, str]] = {
    "throughput": "bench.throughput",
    "startup": "bench.startup",
    "time_to_target": "bench.time_to_target",
    "memory": "bench.memory",
    "sweep": "bench.sweep",
    "parts": "bench.parts",
    "floor": "bench.floor",
    "mc_dropout": "bench.mc_dropout",
    "transfer": "bench.transfer",
    "diagnostics": "bench.diagnostics",
    "kernels": "bench.kernels",
    "fused": "bench.fused",
    "abuse": "bench.abuse",
    "resume": "bench.resume",
    "table_default": "bench.table_default",
    "tables": "bench.tables",
    "small": "bench.small",
    "scaling": "bench.scaling",
}
"""Name of a question -> name of its module."""


def module(question: str) -> Any:
    """Return the imported module of a question.

    Args:
        question: Name of the question.

    Returns:
        The module.
    """
    return importlib.import_module(QUESTIONS[question])
