"""`throughput`: milliseconds a training step and images a second, all on the same batches from the same weights.

An epoch of a round is 300 steps at a batch size of 32, 100 at 128, and 50 at 512. A peer's float32 inputs are scaled
and put in the order of the epoch before its time begins. The work of Keras's `fit` once a call is left out of its step.
Both favour the peers. jaxdeep's time includes its shuffling, its scaling of uint8 images and the transfer of the
figures.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

from bench.contest import contest, failed_row
from bench.contestants import Contestants
from bench.options import Options, say
from bench.rounds import ratio, spread
from bench.sanity import checked_outcomes
from jaxdeep.report.layout import fitted

QUESTION = "throughput"
CONFIGS = ("elu", "bn", "selu", "alpha_dropout")
BATCH_SIZES = (32, 128, 512)
LAYERS = (20, 100)
HEADERS = ("contestant", "ms a step", "images/s", "time / {}'s", "compile, s", "first loss", "products", "remark")


def run(options: Options) -> None:
    """Run a contest for every configuration, depth and batch size, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    part = options.taking_part()
    if not part.present:
        return
    workloads = product(options.configs or CONFIGS, options.layers or LAYERS, options.batch_sizes or BATCH_SIZES)
    for name, layers, batch_size in workloads:
        entry = measured(QUESTION, part, options, name, layers, batch_size)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def measured(
    question: str, part: Contestants, options: Options, name: str, layers: int, batch_size: int
) -> Mapping[str, Any]:
    """Run a contest over epochs and keep it as an entry.

    Args:
        question: Name of the question.
        part: Contestants on this machine.
        options: Options of the bench.
        name: Name of a configuration in experiments.cifar.
        layers: Number of hidden layers.
        batch_size: Images of a step.

    Returns:
        The entry.
    """
    from bench.workload import bench_config, described, first_rows, steps_of_epoch, workload  # imports JAX

    say(f"{question} of {name}, {layers} layers, batch {batch_size}: {', '.join(part.present)}")
    config, steps = bench_config(name, batch_size, layers), steps_of_epoch(batch_size)
    work = workload(config, first_rows(config, steps * batch_size), options.rounds)
    entry = {
        **described(name, batch_size, layers),
        "steps": steps,
        "contestants": checked_outcomes(contest(part.present, work, options.rounds), name),
        "left_out": part.left_out,
    }
    options.keep_size(question, entry)
    return entry


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    synthetic = " (SYNTHETIC images)" if entry["synthetic"] else ""
    return f"{entry['config']}, {entry['layers']} layers of 100, batch {entry['batch_size']}{synthetic}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of eight cells.
    """
    outcomes = entry["contestants"]
    reference = reference_of(entry)
    rows = [tuple(header.format(reference) for header in HEADERS)]
    for name, outcome in outcomes.items():
        if failed := failed_row(name, outcome, HEADERS):
            rows.append(failed)
            continue
        step = spread(step_ms(entry, name))
        times = ratios(entry, name)
        rows.append(
            (
                name,
                f"{step:.3f}",
                f"{entry['batch_size'] * 1e3 / step.median:,.0f}",
                "-" if times is None else f"{times:.2f}",
                f"{compile_seconds(outcome):.1f}",
                "-" if outcome["warm_up"]["loss"] is None else f"{outcome['warm_up']['loss']:.4f}",
                outcome["precision"],
                f"OTHER WORK: {outcome['other_work']}" if outcome["other_work"] else "",
            )
        )
    return rows


def reference_of(entry: Mapping[str, Any]) -> str:
    """Return the name of the contestant that the others are compared with.

    Args:
        entry: Entry of the record.

    Returns:
        "jaxdeep", or the first contestant if jaxdeep took no part.
    """
    return "jaxdeep" if "jaxdeep" in entry["contestants"] else next(iter(entry["contestants"]))


def step_ms(entry: Mapping[str, Any], name: str) -> Sequence[float]:
    """Return the milliseconds of a contestant's step.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.

    Returns:
        One value for each round.
    """
    return [epoch["seconds"] / entry["steps"] * 1e3 for epoch in entry["contestants"][name]["epochs"]]


def ratios(entry: Mapping[str, Any], name: str) -> Any:
    """Return a contestant's time over the reference's, or None if either does other work or failed.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.

    Returns:
        Ratio of the medians, with the smallest and the largest ratio within a round.
    """
    reference = reference_of(entry)
    outcomes = entry["contestants"]
    if any(outcome.get("failed") or outcome["other_work"] for outcome in (outcomes[name], outcomes[reference])):
        return None
    return ratio(step_ms(entry, name), step_ms(entry, reference))


def compile_seconds(outcome: Mapping[str, Any]) -> float:
    """Return the seconds from the built network to the end of the first epoch, less a later epoch.

    The definition is the same for every contestant.

    Args:
        outcome: Outcome of a contestant.

    Returns:
        Seconds, 0 or more.
    """
    later = median(epoch["seconds"] for epoch in outcome["epochs"])
    return max(outcome["warm_up"]["call_seconds"] - later, 0.0)
