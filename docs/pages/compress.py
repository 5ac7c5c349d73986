"""Tables of the recorded studies of compression, for docs/compress.md."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jaxdeep.report.tables import markdown_table
from jaxdeep.study.files import read_json

FOLDER: Final = "compress"
NONE: Final = "No full study is recorded yet. The command above makes one."
METHODS: Final[Mapping[str, str]] = {
    "zero": "smallest weights zeroed",
    "zero by layer": "zeroed in each layer alone",
    "fine-tune": "zeroed and fine-tuned",
    "gradual": "gradual pruning while training",
    "l1": "l1 alone",
    "l1 and zero": "l1, then tiny weights zeroed",
    "ftrl": "FTRL with l1",
}
"""Words of each method. A method without words stands under its own name."""


def sparse_section(results: Path) -> str:
    """Return a table for each recorded study of sparsity, with its figure.

    Args:
        results: Folder of all records.
    """
    return _sections(results, "sparse", _sparse_table)


def serve_section(results: Path) -> str:
    """Return a table for each recorded study of networks for low latency, with its figure.

    Args:
        results: Folder of all records.
    """
    return _sections(results, "serve", _serve_table)


def _sections(results: Path, question: str, table: Callable[[Mapping[str, Any]], str]) -> str:
    """Return a paragraph, a figure and a table for each record of a question."""
    parts = []
    for path in sorted((results / FOLDER).glob(f"{question}-*.json")):
        record = read_json(path)
        machine = record["machine"]
        seeds, words = len(record["seeds"]), f"{record['data']['name']}, {record['epochs']} epochs"
        commit = f", commit {record['commit']}" if record["commit"] else ""
        origin = f"{words}, {seeds} seeds, on {machine['cores']} cores of an {machine['processor']}{commit}:"
        picture = f"![{question} on {record['dataset']}](../experiments/results/{FOLDER}/{path.stem}.png)"
        parts += [origin, table(record), picture]
    return "\n\n".join(parts) or NONE


def _sparse_table(record: Mapping[str, Any]) -> str:
    """Return a row for the dense network, and for each method's sparsest network within half a point of it."""
    dense = record["dense"]
    rows: list[tuple[str, ...]] = [("dense", "0.0%", _accuracy(dense), "-", *_sizes(dense))]
    for method, curve in record["curves"].items():
        share = record["within_half_a_point"][method]
        found = next((point for point in curve if share is not None and point["sparsity"] == share), None)
        words = METHODS.get(method) or method
        if found is None:
            rows.append((words, "none of its networks", "-", "-", "-", "-"))
        else:
            rows.append((words, f"{share:.1%}", _accuracy(found), _loss(found), *_sizes(found)))
    headers = ("way", "zeros", "test accuracy", "points lost", "kB compressed", "kB CSR")
    return markdown_table(headers, rows)


def _serve_table(record: Mapping[str, Any]) -> str:
    """Return a row for each network."""
    networks = record["networks"]
    batches = list(next(iter(networks.values()))["microseconds"])
    rows = [
        (
            name,
            _accuracy(of),
            _loss(of),
            *(f"{of['microseconds'][batch]['median']:,.0f}" for batch in batches),
            f"{of['bytes'] / 1_000:,.0f}",
        )
        for name, of in networks.items()
    ]
    times = (f"us, batch of {int(batch):,}" for batch in batches)
    return markdown_table(("network", "test accuracy", "points lost", *times, "kB"), rows)


def _accuracy(point: Mapping[str, Any]) -> str:
    """Return a mean accuracy with half of its interval."""
    found = point["test_accuracy"]
    return f"{found['mean']:.4f}" + ("" if found["low"] is None else f" ± {(found['high'] - found['low']) / 2:.4f}")


def _loss(point: Mapping[str, Any]) -> str:
    """Return a loss of accuracy in points, with its interval."""
    found = point["accuracy_loss"]
    mean = f"{100 * found['mean']:+.2f}"
    return mean if found["low"] is None else f"{mean} ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"


def _sizes(point: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kilobytes of a compressed file and of CSR matrices."""
    return f"{point['npz_bytes'] / 1_000:,.0f}", f"{point['csr_bytes'] / 1_000:,.0f}"
