"""`throughput`: milliseconds a training step and images a second, all on the same batches from the same weights.

An epoch of a round is 300 steps at a batch size of 32, 100 at 128, 50 at 512. A peer's float32 inputs are scaled and in
the order of the epoch before its time begins, and what Keras's `fit` does once a call is left out of its step: both
favour the peers. jaxdeep's time holds its shuffling, its scaling of uint8 images and the transfer of the figures.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

from bench.contest import contest, failed_row
from bench.contestants import Contestants
from bench.options import Options, say
from bench.rounds import ratio, spread
from bench.sanity import judged
from jaxdeep.report.layout import fitted

QUESTION = "throughput"
CONFIGS = ("elu", "bn", "selu", "alpha_dropout")
BATCH_SIZES = (32, 128, 512)
LAYERS = (20, 100)
HEADERS = ("contestant", "ms a step", "images/s", "time / {}'s", "compile, s", "first loss", "products", "remark")


def run(options: Options) -> None:
    """Every configuration, depth and batch size: a contest, an entry, a table."""
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
    """A contest over epochs, kept as an entry.

    Args:
        question: that asks for it.
        part: who takes part.
        options: rounds, and where it is kept.
        name: of a configuration of experiments.cifar.
        layers: hidden ones.
        batch_size: images a step.

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
        "contestants": judged(contest(part.present, work, options.rounds), name),
        "left_out": part.left_out,
    }
    options.keep_size(question, entry)
    return entry


def title(entry: Mapping[str, Any]) -> str:
    """What an entry measured, in words."""
    synthetic = " (SYNTHETIC images)" if entry["synthetic"] else ""
    return f"{entry['config']}, {entry['layers']} layers of 100, batch {entry['batch_size']}{synthetic}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each contestant, the headers first."""
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
    """Whom the others are compared with: jaxdeep, where it took part."""
    return "jaxdeep" if "jaxdeep" in entry["contestants"] else next(iter(entry["contestants"]))


def step_ms(entry: Mapping[str, Any], name: str) -> Sequence[float]:
    """Milliseconds a step, a value a round."""
    return [epoch["seconds"] / entry["steps"] * 1e3 for epoch in entry["contestants"][name]["epochs"]]


def ratios(entry: Mapping[str, Any], name: str) -> Any:
    """A contestant's time over the reference's, as `bench.rounds.ratio`; None where it does other work or failed."""
    reference = reference_of(entry)
    outcomes = entry["contestants"]
    if any(outcomes[one].get("failed") or outcomes[one]["other_work"] for one in (name, reference)):
        return None
    return ratio(step_ms(entry, name), step_ms(entry, reference))


def compile_seconds(outcome: Mapping[str, Any]) -> float:
    """From the built network to the end of the first epoch, less a later epoch: the same for everyone."""
    later = median(epoch["seconds"] for epoch in outcome["epochs"])
    return max(outcome["warm_up"]["call_seconds"] - later, 0.0)
