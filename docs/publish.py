"""The README's tables, STUDIES.md, UNCERTAINTY.md and two figures, generated from the records in experiments/results/.

python -m docs.publish runs/cifar/*,seeds=3      # take finished runs into the records, then write these
python -m docs.publish                           # write them from the records
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import results
from docs.pages.records import RESULTS, record_name, summaries, take
from docs.pages.schedules import draw_schedules
from docs.pages.studies import draw_exercise_8, studies_page, verdicts
from docs.pages.uncertainty import uncertainty_page, uncertainty_table
from jaxdeep.errors import UserError
from jaxdeep.report.tables import FIGURES, markdown_table, runs_of, with_interval
from jaxdeep.study.files import read_json

ROOT = Path(__file__).parent.parent
BENCH_RECORDS = ROOT / "bench" / "records"
NAMES = tuple(name.replace("_", " ") for name in FIGURES)


def main(argv: Sequence[str] | None = None) -> int:
    """Take runs into the records and write the README's tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs on real images")
    try:
        for folder in parser.parse_args(argv).runs:
            take(folder)
        readme = ROOT / "README.md"
        readme.write_text(with_tables(readme.read_text()))
        (RESULTS / "STUDIES.md").write_text(studies_page())
        (RESULTS / "UNCERTAINTY.md").write_text(uncertainty_page())
        draw_schedules(RESULTS / "schedules.png")
        draw_exercise_8(RESULTS / "exercise_8.png")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def with_tables(text: str) -> str:
    """A document with what stands between the marks of its tables written anew."""
    tables = {
        "cifar": cifar_table(),
        "verdicts": verdicts(),
        "fashion_mnist": fashion_mnist_table(),
        "uncertainty": uncertainty_table(),
        "keras": keras_table(),
        "throughput": bench_table(results.headline_table),
        "startup": bench_table(results.startup_table),
        "mc_dropout": bench_table(results.mc_dropout_table),
    }
    for name, rows in tables.items():
        begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise UserError(f"the document has no place for the table {name}: {begin.strip()} ... {end}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{rows}\n{end}{rest.partition(end)[2]}"
    return text


def cifar_table() -> str:
    """A row for each record: means over seeds, 95% intervals, the chapter's run."""
    return markdown_table(
        ("configuration", "seeds", "best epoch", *NAMES, "chapter"),
        [
            (
                _named(record),
                runs_of(record),
                f"{record['mean']['best_epoch']['mean']:.1f}",
                *(with_interval(record["mean"][figure]) for figure in FIGURES),
                "; ".join(
                    f"{of['val_loss']:.4f} / {of['val_accuracy']:.4f} ({of['source']})" for of in record["chapter"]
                ),
            )
            for record in summaries("cifar")
        ],
    )


def fashion_mnist_table() -> str:
    """A row for each record: the last epoch's figures beside the chapter's, and how far single seeds lie apart."""
    headers = ("configuration", "seeds", "epochs", "val loss", "chapter's", "val accuracy", "lowest - highest seed")
    rows = []
    for record in summaries("fashion_mnist"):
        (chapter,), mean = record["chapter"], record["mean"]
        accuracies = [run["val_accuracy"] for run in record["runs"] if run["val_accuracy"] is not None]
        rows.append(
            (
                _named(record),
                runs_of(record),
                f"{mean['epochs']['mean']:g}",
                with_interval(mean["val_loss"]),
                f"{chapter['val_loss']:.4f}",
                with_interval(mean["val_accuracy"]),
                f"{min(accuracies):.4f} - {max(accuracies):.4f}" if accuracies else "-",
                f"{chapter['val_accuracy']:.4f}",
                f"{100 * (mean['val_accuracy']['mean'] - chapter['val_accuracy']):+.1f}" if accuracies else "-",
                with_interval(mean["test_loss"]),
                with_interval(mean["test_accuracy"]),
            )
        )
    return markdown_table((*headers, "chapter's", "difference, points", "test loss", "test accuracy"), rows)


def keras_table() -> str:
    """What Keras itself gets, by bench.keras_reference, beside our means."""
    rows = []
    for path in sorted(BENCH_RECORDS.glob("keras-*.json")):
        record = read_json(path)
        experiment, name = record["experiment"], record["name"]
        ours = read_json(RESULTS / experiment / f"{name}.json")
        by = (f"Keras {record['versions']['keras']}", record), ("jaxdeep", ours)
        rows += [
            (
                f"{experiment} `{name}`",
                who,
                runs_of(of),
                *(with_interval(of["mean"][figure]) for figure in FIGURES),
            )
            for who, of in by
        ]
    return markdown_table(("configuration", "by", "seeds", *NAMES), rows)


def bench_table(of_device: Callable[[results.Device], str]) -> str:
    """A table of the bench for each machine that there are records of.

    Args:
        of_device: gives the table; "" where there is none.
    """
    found = [(device.machine["name"], of_device(device)) for device in results.devices()]
    return "\n\n".join(f"{name}:\n\n{table}" for name, table in found if table)


def _named(record: Mapping[str, Any]) -> str:
    name, *changed = record_name(record).split(",")
    return f"`{name}`" + (f" with {', '.join(changed)}" if changed else "")


if __name__ == "__main__":
    raise SystemExit(main())
