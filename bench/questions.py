"""The questions by name. A question is a module with

    run(options)     measures, keeps an entry for each workload, prints its table
    title(entry)     what an entry measured, in words
    table(entry)     its rows, the headers first

and a docstring that says what is measured: it stands above the tables in RESULTS.md.
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
    "abuse": "bench.abuse",
    "resume": "bench.resume",
}


def module(question: str) -> Any:
    """The module of a question, imported."""
    return importlib.import_module(QUESTIONS[question])
