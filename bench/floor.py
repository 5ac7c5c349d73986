"""`floor`: how near jaxdeep's step is to what the machine can do.

The floor is the time of the step's matrix products and of the bytes that must move.

The products are measured here, hot, at exactly their shapes. Each counts at its best over operand layouts, libraries,
and one thread or all. They run one after the other.

The bytes move at the measured rate of copying. Nadam reads weights, both moments and gradients, and writes weights and
moments. The batch's rows are read as uint8 and written as float32.

Activation functions, loss, random numbers and loops are taken to be free. The cost analysis is XLA's own count for the
compiled step, with all bytes that its kernels read and write.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.children import Child
from bench.contestants import clean_environment
from bench.options import Options, say
from bench.peers.workload import Workload, save
from bench.rounds import Spread, spread
from bench.throughput import title
from jaxdeep.report.layout import fitted

QUESTION = "floor"
CONFIGS = ("selu", "bn")
BATCH_SIZES = (32,)
LAYERS = (20,)
HEADERS = ("what", "times", "one thread", "all threads", "floor, us")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

__all__ = ["run", "share", "table", "title"]


class Product(NamedTuple):
    """A matrix product of the step.

    Attributes:
        name: Name of the product in words.
        shape: Sizes M, K, N of [M, K] x [K, N].
        times: Number of such products in a step.
    """

    name: str
    shape: tuple[int, int, int]
    times: int

    @property
    def flops(self) -> int:
        """Return the floating-point operations of one product."""
        m, k, n = self.shape
        return 2 * m * k * n

    @property
    def ways(self) -> Sequence[tuple[tuple[int, ...], int]]:
        """Return shapes to measure, one product and all of them as a batch, each with its number of products."""
        return [(self.shape, 1), ((self.times, *self.shape), self.times)] if self.times > 1 else [(self.shape, 1)]


def products(config: Mapping[str, Any], inputs: int, classes: int) -> Iterator[Product]:
    """Yield the matrix products of a step.

    Args:
        config: Configuration as nested JSON values.
        inputs: D, features of a row.
        classes: C, number of classes.

    Yields:
        One product after the other, from the first layer to the last.
    """
    batch, units = config["train"]["batch_size"], config["model"]["units"]
    width, further = units[0], len(units) - 1
    yield Product("first layer, forward", (batch, inputs, width), 1)
    yield Product("first layer, weight gradient", (width, batch, inputs), 1)
    if config["model"]["batch_norm_input"]:
        yield Product("first layer, input gradient", (batch, width, inputs), 1)
    yield Product("hidden layers, forward and input gradient", (batch, width, width), 2 * further)
    yield Product("hidden layers, weight gradient", (width, batch, width), further)
    yield Product("output layer, forward", (batch, width, classes), 1)
    yield Product("output layer, input gradient", (batch, classes, width), 1)
    yield Product("output layer, weight gradient", (classes, batch, width), 1)


def run(options: Options) -> None:
    """Measure every configuration, depth and batch size, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    from bench.workload import bench_config, described, first_rows, steps_of_epoch, workload  # imports JAX

    workloads = product(options.configs or CONFIGS, options.layers or LAYERS, options.batch_sizes or BATCH_SIZES)
    for name, layers, batch_size in workloads:
        say(f"floor of {name}, {layers} layers, batch {batch_size}")
        config = bench_config(name, batch_size, layers)
        work = workload(config, first_rows(config, steps_of_epoch(batch_size) * batch_size), options.rounds)
        entry = {
            **described(name, batch_size, layers),
            **measured(work, options.rounds, options.platform),
        }
        options.keep_size(QUESTION, entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def measured(work: Workload, rounds: int, platform: str) -> dict[str, Any]:
    """Measure step, products and copies, in turn.

    Args:
        work: Images, weights and orders of the step.
        rounds: Number of timed rounds.
        platform: Platform of the device, "cpu" or "gpu".

    Returns:
        JSON values of an entry. Times are in microseconds, sizes in bytes.
    """
    step_products = list(products(work.config, work.images.shape[1], work.classes))
    parameters = sum(array.size for array in (*work.kernels, *work.biases))
    shapes = sorted({shape for matrix_product in step_products for shape, _ in matrix_product.ways})
    task = json.dumps(
        {"products": shapes, "precision": work.config["train"]["matmul_precision"], "copy_bytes": 4 * parameters}
    )
    threads = {"one": ONE_THREAD, "all": {}} if platform == "cpu" else {"all": {}}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        save(folder / "workload.npz", work)
        environment = clean_environment(folder)
        arguments = (str(folder / "workload.npz"),)
        stepping = stack.enter_context(Child("bench.peers.step_cost", *arguments, environment=environment))
        described = stepping.answer()
        rating = {}
        for name, more in threads.items():
            child = Child("bench.peers.rates", task, name, environment=environment | more)
            rating[name] = stack.enter_context(child)
            described[f"cores_of_{name}"] = child.answer()["cores"]
        timings = []
        for index in range(rounds):
            step = stepping.ask({"epoch": index + 1})
            timings.append(step | {f"{name}_us": child.ask({}) for name, child in rating.items()})
    batch, inputs = work.batch_size, work.images.shape[1]
    moved = {"update": 7 * 4 * parameters, "batch": batch * inputs * (work.images.itemsize + 4)}
    return {
        **described,
        "products": [matrix_product._asdict() for matrix_product in step_products],
        "copy_bytes": 4 * parameters,
        "moved_bytes": moved,
        "round": timings,
    }


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each product and each movement of bytes, then the floor, the step and the share.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of five cells, the headers first.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for step_product in _products(entry):
        times, microseconds = step_product.times, _by_threads(entry, step_product)
        rates = [f"{times * step_product.flops / us / 1e3:,.0f} GFLOP/s" for us in microseconds]
        shape = " x ".join(map(str, step_product.shape))
        rows.append((f"{step_product.name}, {shape}", str(times), *rates, f"{min(microseconds):.1f}"))
    for name, moved in entry["moved_bytes"].items():
        rates = [f"{2 * entry['copy_bytes'] / us / 1e3:,.0f} GB/s" for us in _copy_us(entry)]
        rows.append((f"bytes of the {name}, {moved / 1e6:.1f} MB", "1", *rates, f"{_moving_us(entry, moved):.1f}"))
    step = spread([timing["step_us"] for timing in entry["round"]])
    cost = entry["cost_analysis"]
    return [
        *rows,
        ("floor", "", "", "", f"{floor_us(entry):.0f}"),
        ("jaxdeep's step", "", "", "", f"{step:.0f}"),
        ("share of the floor", "", "", "", f"{share(entry):.0%}"),
        (f"cost analysis: {cost['flops'] / 1e6:.1f} MFLOP, {cost['bytes'] / 1e6:.1f} MB", "", "", "", ""),
    ]


def share(entry: Mapping[str, Any]) -> Spread:
    """Return the floor over the step's time. It is 1 for a step at the floor.

    Args:
        entry: Entry of the record.

    Returns:
        Median, minimum and maximum over the rounds.
    """
    return spread([floor_us(entry) / timing["step_us"] for timing in entry["round"]])


def floor_us(entry: Mapping[str, Any]) -> float:
    """Return the microseconds of the products and of the bytes.

    Args:
        entry: Entry of the record.

    Returns:
        Microseconds of a step.
    """
    multiplying = sum(min(_by_threads(entry, step_product)) for step_product in _products(entry))
    return multiplying + sum(_moving_us(entry, moved) for moved in entry["moved_bytes"].values())


def _products(entry: Mapping[str, Any]) -> list[Product]:
    """Return the products of an entry."""
    return [Product(row["name"], tuple(row["shape"]), row["times"]) for row in entry["products"]]


def _by_threads(entry: Mapping[str, Any], step_product: Product) -> list[float]:
    """Return the microseconds of all copies of a product by its best way, for one thread and for all."""
    return [
        min(
            _best(entry, name, "x".join(map(str, shape))) * step_product.times / several
            for shape, several in step_product.ways
        )
        for name in _threads(entry)
    ]


def _copy_us(entry: Mapping[str, Any]) -> list[float]:
    """Return the microseconds of a copy, for one thread and for all."""
    return [_best(entry, name, "copy") for name in _threads(entry)]


def _moving_us(entry: Mapping[str, Any], moved: float) -> float:
    """Return the microseconds to move bytes. A copy reads and writes, so it moves twice its bytes."""
    return moved / (2 * entry["copy_bytes"]) * min(_copy_us(entry))


def _best(entry: Mapping[str, Any], threads: str, name: str) -> float:
    """Return the quickest way's median over the rounds, in microseconds."""
    rounds = [timing[f"{threads}_us"][name] for timing in entry["round"]]
    return min(median(timing[way] for timing in rounds) for way in rounds[0])


def _threads(entry: Mapping[str, Any]) -> list[str]:
    """Return the names of the two thread counts. On a GPU both are the same."""
    return [name if f"{name}_us" in entry["round"][0] else "all" for name in ("one", "all")]
