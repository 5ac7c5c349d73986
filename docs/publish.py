"""The README's tables, STUDIES.md, UNCERTAINTY.md and two figures, generated from the records in experiments/results/.

python -m docs.publish                           # say which of them differ from the records; edit nothing
python -m docs.publish --write                   # write them
python -m docs.publish --out DIR                 # write them below DIR instead
python -m docs.publish --take runs/cifar/*,seeds=3 --write    # take finished runs into the records first
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench import results
from docs.pages.records import Records
from docs.pages.schedules import draw_schedules
from docs.pages.studies import draw_exercise_8, studies_page, verdicts
from docs.pages.uncertainty import uncertainty_page, uncertainty_table
from experiments import cifar, fashion_mnist
from jaxdeep.errors import UserError
from jaxdeep.report.divergence import counted
from jaxdeep.report.tables import markdown_table, runs_of, with_interval
from jaxdeep.study.files import read_json
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import FIGURES, StudyResult
from jaxdeep.study.trial_result import means_from_json

ROOT: Final = Path(__file__).parent.parent
BENCH_RECORDS: Final = ROOT / "bench" / "records"
RESULTS: Final = "experiments/results"
RECORDS: Final = Records({"cifar": cifar.CONFIGS, "fashion_mnist": fashion_mnist.CONFIGS}, ROOT / RESULTS)
FILES: Final = (
    "README.md",
    *(f"{RESULTS}/{name}" for name in ("STUDIES.md", "UNCERTAINTY.md")),
    *(f"{RESULTS}/{name}.{kind}" for name in ("schedules", "exercise_8") for kind in ("png", "svg")),
)
"""The paths, below the repository, of the files that are generated wholly or in part."""
LEVELS, SHARE_OF_PIXELS = 16, 1e-3
"""Colour levels, of 256, that a pixel may differ by, and the share of pixels that may differ by more."""
POINTS_APART: Final = 0.1
"""Points, of 72 an inch, that two drawings' coordinates may differ by."""
NAMES: Final = tuple(name.replace("_", " ") for name in FIGURES)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the documents with the records, or write them.

    Returns:
        The exit status: 0, 1 if a document differs and is not written, 2 after an error.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--take", nargs="+", default=[], type=Path, metavar="FOLDER", help="finished runs on real images"
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--write", action="store_true", help="write the documents in place")
    target.add_argument("--out", type=Path, metavar="DIR", help="write the documents below this folder instead")
    arguments = parser.parse_args(argv)
    try:
        for run in arguments.take:
            RECORDS.take(run)
        if arguments.write or arguments.out:
            write(ROOT if arguments.write else arguments.out)
            return 0
        stale = differing()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name in stale:
        print(f"would change: {name}")
    print("To write: python -m docs.publish --write" if stale else "All documents are as the records say.")
    return 1 if stale else 0


def write(folder: Path) -> None:
    """Write the documents.

    Args:
        folder: the repository, or a folder in its place, which is made where it is missing.
    """
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    readme = with_tables((ROOT / "README.md").read_text())
    (folder / "README.md").write_text(readme)
    (folder / RESULTS / "STUDIES.md").write_text(studies_page(RECORDS))
    (folder / RESULTS / "UNCERTAINTY.md").write_text(uncertainty_page(RECORDS))
    draw_schedules(folder / RESULTS / "schedules.png", RECORDS)
    draw_exercise_8(folder / RESULTS / "exercise_8.png", RECORDS)


def differing(root: Path = ROOT) -> list[str]:
    """Return the documents, of FILES, that differ from what the records say.

    Args:
        root: folder of the documents, as `write` leaves it.
    """
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return [name for name in FILES if not _are_equal(Path(folder) / name, root / name)]


def _are_equal(one: Path, other: Path) -> bool:
    """Return whether two files hold the same text, or the same picture but for what processors round apart."""
    if not other.exists():
        return False
    if one.suffix == ".svg":
        return _are_equal_drawings(one.read_text(), other.read_text())
    if one.suffix != ".png":
        return one.read_bytes() == other.read_bytes()
    from PIL import Image

    pixels = [np.asarray(Image.open(path).convert("RGB"), np.int16) for path in (one, other)]
    if pixels[0].shape != pixels[1].shape:
        return False
    return float(np.mean(np.abs(pixels[0] - pixels[1]) > LEVELS)) <= SHARE_OF_PIXELS


def _are_equal_drawings(one: str, other: str) -> bool:
    """Return whether two SVG texts are the same but for the last digits of numbers, which processors round apart."""
    number = r"-?\d+\.\d+"
    found = [list(map(float, re.findall(number, text))) for text in (one, other)]
    rest = [re.sub(number, "#", text) for text in (one, other)]
    return rest[0] == rest[1] and np.allclose(*found, rtol=0, atol=POINTS_APART)


def with_tables(text: str) -> str:
    """Return a document with its tables, between their marks, written anew."""
    tables = {
        "cifar": cifar_table(RECORDS),
        "verdicts": verdicts(RECORDS),
        "fashion_mnist": fashion_mnist_table(RECORDS),
        "uncertainty": uncertainty_table(RECORDS),
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


def cifar_table(records: Records) -> str:
    """Return a row for each record: means over seeds, 95% intervals, the chapter's run."""
    return markdown_table(
        ("configuration", "seeds", "best epoch", *NAMES, "chapter"),
        [
            (
                _named(name),
                runs_of(study),
                f"{study.mean['best_epoch'].mean:.1f}",
                *(with_interval(study.mean[figure]) for figure in FIGURES),
                _chapter(study),
            )
            for name, study in records.studies("cifar").items()
        ],
    )


def _chapter(study: StudyResult) -> str:
    """Return the figures that the chapter prints, or why they do not stand beside the study's."""
    if study.reported and (other := other_settings(study)):
        return f"other settings: {other}"
    return "; ".join(f"{of['val_loss']:.4f} / {of['val_accuracy']:.4f} ({of['source']})" for of in study.reported)


def fashion_mnist_table(records: Records) -> str:
    """Return a row for each record: the last epoch's figures, the chapter's, and how far single seeds lie apart."""
    headers = ("configuration", "seeds", "epochs", "val loss", "chapter's", "val accuracy", "lowest - highest seed")
    rows = []
    for name, study in records.studies("fashion_mnist").items():
        (chapter,), mean, other = study.reported, study.mean, other_settings(study)
        accuracies = [trial.val_accuracy for trial in study.trials if trial.val_accuracy is not None]
        difference = (
            "-"
            if (found := mean["val_accuracy"].mean) is None or other
            else f"{100 * (found - chapter['val_accuracy']):+.1f}"
        )
        rows.append(
            (
                _named(name),
                runs_of(study),
                f"{mean['epochs'].mean:g}",
                with_interval(mean["val_loss"]),
                f"other settings: {other}" if other else f"{chapter['val_loss']:.4f}",
                with_interval(mean["val_accuracy"]),
                f"{min(accuracies):.4f} - {max(accuracies):.4f}" if accuracies else "-",
                "-" if other else f"{chapter['val_accuracy']:.4f}",
                difference,
                with_interval(mean["test_loss"]),
                with_interval(mean["test_accuracy"]),
            )
        )
    return markdown_table((*headers, "chapter's", "difference, points", "test loss", "test accuracy"), rows)


def keras_table() -> str:
    """Return the figures of Keras itself, by bench.keras_reference, beside our means."""
    rows = []
    for path in sorted(BENCH_RECORDS.glob("keras-*.json")):
        record = read_json(path)
        experiment, name = record["experiment"], record["name"]
        lost = sum(bool(run.get("diverged", False)) for run in record["runs"])
        keras = counted(len(record["runs"]), lost), means_from_json(record["mean"], lost)
        ours = RECORDS.study(experiment, name)
        for who, (runs, mean) in {
            f"Keras {record['versions']['keras']}": keras,
            "jaxdeep": (runs_of(ours), ours.mean),
        }.items():
            rows.append((f"{experiment} `{name}`", who, runs, *(with_interval(mean[figure]) for figure in FIGURES)))
    return markdown_table(("configuration", "by", "seeds", *NAMES), rows)


def bench_table(of_device: Callable[[results.Device], str]) -> str:
    """Return a table of the bench for each machine that has records.

    Args:
        of_device: makes a machine's table, or "" where it has no entries.
    """
    found = [(device.machine["name"], of_device(device)) for device in results.devices()]
    return "\n\n".join(f"{name}:\n\n{table}" for name, table in found if table)


def _named(record_name: str) -> str:
    name, *changed = record_name.split(",")
    return f"`{name}`" + (f" with {', '.join(changed)}" if changed else "")


if __name__ == "__main__":
    raise SystemExit(main())
