"""`sweep`: a search over learning rates as one study on all cores, against one run after the other.

Each contestant trains an epoch of 300 steps at a batch size of 32. jaxdeep-study trains eight trials, two at a time on
two cores. Its time is the time of all of them over eight.

The search is computed from one epoch and not run. It is the time of a step times 7 learning rates x 10 epochs x 1,407
steps, plus compilation. jaxdeep compiles once. A peer compiles once for each learning rate, because its `compile` is
called anew.
"""

from collections.abc import Mapping
from typing import Any, Final

from bench.contest import failed_row
from bench.options import Options
from bench.rounds import spread
from bench.throughput import compile_seconds, measured, ratios, step_ms, title
from jaxdeep.report.layout import fitted

QUESTION = "sweep"
CONFIGS = ("selu", "bn")
CONTESTANTS: Final = ("jaxdeep", "jaxdeep-study", "keras-tf", "keras-jax", "keras-jax-50")
RATES, EPOCHS, STEPS = 7, 10, 1_407
HEADERS = ("contestant", "ms a step", "images/s", "time / jaxdeep's", "the search, s", "remark")

__all__ = ["run", "table", "title"]


def run(options: Options) -> None:
    """Run a contest for every configuration, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    part = options.taking_part(CONTESTANTS)
    if not part.present:
        return
    for name in options.configs or CONFIGS:
        entry = measured(QUESTION, part, options, name, 20, 32)
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
        if failed := failed_row(name, outcome, HEADERS):
            rows.append(failed)
            continue
        step, times = spread(step_ms(entry, name)), ratios(entry, name)
        compilations = 1 if name.startswith("jaxdeep") else RATES
        search = step.median / 1e3 * RATES * EPOCHS * STEPS + compilations * compile_seconds(outcome)
        rows.append(
            (
                name,
                f"{step:.3f}",
                f"{entry['batch_size'] * 1e3 / step.median:,.0f}",
                "-" if times is None else f"{times:.2f}",
                f"{search:,.0f}",
                f"OTHER WORK: {outcome['other_work']}" if outcome["other_work"] else "",
            )
        )
    return rows
