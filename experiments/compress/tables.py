"""The tables of a question's record."""

from collections.abc import Mapping
from typing import Any, Final

from experiments.compress.sparse import METHODS
from experiments.grids import Grid, Grids, with_half


def sparse_tables(record: Mapping[str, Any]) -> list[Grid]:
    """Return a row for the dense network, and for each method's sparsest network within half a point of it.

    Args:
        record: Record of a study of sparsity.
    """
    dense = record["dense"]
    rows: list[tuple[str, ...]] = [("dense", "0.0%", with_half(dense["test_accuracy"]), "-", *_sizes(dense))]
    for method, curve in record["curves"].items():
        share = record["within_half_a_point"][method]
        found = next((point for point in curve if share is not None and point["sparsity"] == share), None)
        words = METHODS[method]
        if found is None:
            rows.append((words, "none of its networks", "-", "-", "-", "-"))
        else:
            rows.append((words, f"{share:.1%}", with_half(found["test_accuracy"]), _loss(found), *_sizes(found)))
    columns = ("way", "zeros", "test accuracy", "points lost", "kB compressed", "kB CSR")
    return [Grid("The sparsest network of each way within half a point of the dense one", columns, rows)]


def serve_tables(record: Mapping[str, Any]) -> list[Grid]:
    """Return a row for each network.

    Args:
        record: Record of a study of networks for low latency.
    """
    networks = record["networks"]
    batches = list(next(iter(networks.values()))["microseconds"])
    rows = [
        (
            name,
            with_half(of["test_accuracy"]),
            _loss(of),
            *(f"{of['microseconds'][batch]['median']:,.0f}" for batch in batches),
            f"{of['bytes'] / 1_000:,.0f}",
        )
        for name, of in networks.items()
    ]
    times = (f"us, batch of {int(batch):,}" for batch in batches)
    columns = ("network", "test accuracy", "points lost", *times, "kB")
    return [Grid("Accuracy, time and size of each network", columns, rows)]


def _loss(point: Mapping[str, Any]) -> str:
    """Return a loss of accuracy in points, with its interval."""
    found = point["accuracy_loss"]
    mean = f"{100 * found['mean']:+.2f}"
    return mean if found["low"] is None else f"{mean} ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"


def _sizes(point: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kilobytes of a compressed file and of CSR matrices."""
    return f"{point['npz_bytes'] / 1_000:,.0f}", f"{point['csr_bytes'] / 1_000:,.0f}"


TABLES: Final[Mapping[str, Grids]] = {"sparse": sparse_tables, "serve": serve_tables}
"""Makes the tables of each question."""
