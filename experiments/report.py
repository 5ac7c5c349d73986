"""The tables of the README, generated from the records in experiments/results/.

    python -m experiments.report runs/cifar/*,seeds=3      # take finished runs into the records, then write the tables
    python -m experiments.report                           # write the tables from the records

A record is a run's summary.json and curves.png under the experiment's and the configuration's name.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import results
from experiments.cifar import CONFIGS
from jaxdeep.config import differences
from jaxdeep.errors import UserError
from jaxdeep.report.tables import markdown_table, with_interval

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
BENCH_RECORDS = ROOT / "bench" / "records"
HEADERS = ("configuration", "seeds", "best epoch", "val loss", "val accuracy", "test loss", "test accuracy", "chapter")


def main(argv: Sequence[str] | None = None) -> int:
    """Take runs into the records and write the README's tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs on real images")
    try:
        for folder in parser.parse_args(argv).runs:
            take(folder)
        readme = ROOT / "README.md"
        readme.write_text(with_tables(readme.read_text()))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def take(folder: Path, records: Path = RESULTS) -> None:
    """Copy a finished run's summary and curves into the records.

    Args:
        folder: of the run.
        records: folder of the records.

    Raises:
        UserError: the run is not finished, or its images were synthetic.
    """
    path = folder / "summary.json"
    if not path.exists():
        raise UserError(f"{folder} holds no summary.json: not a finished run")
    summary = json.loads(path.read_text())
    if summary["data"]["synthetic"]:
        raise UserError(f"{folder} is a run on synthetic images: its figures are no results")
    target = records / summary["experiment"]
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target / f"{record_name(summary)}.json")
    shutil.copyfile(folder / "curves.png", target / f"{record_name(summary)}.png")


def record_name(summary: Mapping[str, Any]) -> str:
    """The configuration's name, and what of it was changed."""
    changed = differences(CONFIGS[summary["name"]].config.to_dict(), summary["config"])
    return ",".join((summary["name"], *(f"{field}={value}" for field, (_, value) in changed.items())))


def with_tables(text: str) -> str:
    """A document with what stands between the marks of its tables written anew."""
    tables = {
        "cifar": cifar_table(),
        "keras": keras_table(),
        "throughput": bench_table(results.headline_table),
        "startup": bench_table(results.startup_table),
    }
    for name, rows in tables.items():
        begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise UserError(f"the document has no place for the table {name}: {begin.strip()} ... {end}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{rows}\n{end}{rest.partition(end)[2]}"
    return text


def cifar_table() -> str:
    """A row for each record, in the order of the configurations: means over seeds, 95% intervals, the chapter's run."""
    records = [json.loads(path.read_text()) for path in sorted((RESULTS / "cifar").glob("*.json"))]
    order = list(CONFIGS)
    records.sort(key=lambda record: (order.index(record["name"]), record_name(record)))
    return markdown_table(HEADERS, [_row(record) for record in records])


def keras_table() -> str:
    """What Keras itself gets, by bench.keras_reference, beside our means."""
    figures = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
    rows = []
    for path in sorted(BENCH_RECORDS.glob("keras-*.json")):
        record, name = json.loads(path.read_text()), path.stem.removeprefix("keras-")
        ours = json.loads((RESULTS / "cifar" / f"{name}.json").read_text())
        by = (f"Keras {record['versions']['keras']}", record), ("jaxdeep", ours)
        rows += [
            (f"`{name}`", who, str(len(of["runs"])), *(with_interval(of["mean"][figure]) for figure in figures))
            for who, of in by
        ]
    return markdown_table(("configuration", "by", "seeds", *(figure.replace("_", " ") for figure in figures)), rows)


def bench_table(of_device: Callable[[results.Device], str]) -> str:
    """A table of the bench for each machine that there are records of.

    Args:
        of_device: gives the table; "" where there is none.
    """
    found = [(device.machine["name"], of_device(device)) for device in results.devices()]
    return "\n\n".join(f"{name}:\n\n{table}" for name, table in found if table)


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    mean = record["mean"]
    figures = (with_interval(mean[name]) for name in ("val_loss", "val_accuracy", "test_loss", "test_accuracy"))
    chapter = "; ".join(f"{c['val_loss']:.4f} / {c['val_accuracy']:.4f} ({c['source']})" for c in record["chapter"])
    name, *changed = record_name(record).split(",")
    named = f"`{name}`" + (f" with {', '.join(changed)}" if changed else "")
    return (named, str(len(record["runs"])), f"{mean['best_epoch']['mean']:.1f}", *figures, chapter)


if __name__ == "__main__":
    raise SystemExit(main())
