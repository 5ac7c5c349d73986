"""Generate the documents' tables, STUDIES.md, UNCERTAINTY.md, a figure and the tour's notebook from the records.

python -m docs.publish                           # say which of them differ from the records, and edit nothing
python -m docs.publish --write                   # write them
python -m docs.publish --out DIR                 # write them below DIR instead
python -m docs.publish --take runs/cifar/*,seeds=3 --write    # take finished runs into the records first
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import results
from docs.pages import claims, compress, digits, transfer
from docs.pages.figures import gallery, reference_table
from docs.pages.notebook import notebook
from docs.pages.records import Records
from docs.pages.results import cifar_table, exercise_table, fashion_mnist_table, first_run, keras_table
from docs.pages.studies import controls_table, draw_exercise_8, onecycle_table, studies_page, verdicts
from docs.pages.tuning import tuned_section, tuned_table
from docs.pages.uncertainty import found_table, summary_table, uncertainty_page
from experiments import cifar, fashion_mnist, mnist
from experiments.claims.table import CLAIMS
from experiments.compress.tables import TABLES as COMPRESS_TABLES
from experiments.figures.chapter_logs import missing_runs
from experiments.figures.drawn import LIST, with_references
from experiments.figures.self_normalisation import lines_table
from experiments.lab.text import claimed_text, effect_text
from experiments.transfer.tables import TABLES as TRANSFER_TABLES
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json, write_json

ROOT: Final = Path(__file__).parent.parent
BENCH_RECORDS: Final = ROOT / "bench" / "records"
RESULTS: Final = "experiments/results"
RECIPES: Final = {"cifar": cifar.CONFIGS, "fashion_mnist": fashion_mnist.CONFIGS, "mnist": mnist.CONFIGS}
RECORDS: Final = Records(RECIPES, ROOT / RESULTS)
STATEMENTS: Final = {name: (claim.statement, claim.sources) for name, claim in CLAIMS.items()}
FIGURES: Final = ROOT / RESULTS / "figures" / LIST


def bench_table(of_device: Callable[[results.Device], str]) -> str:
    """Return a table of the bench for each machine that has records.

    Args:
        of_device: makes a machine's table, or "" where it has no entries.
    """
    found = [(device.machine["name"], of_device(device)) for device in results.devices()]
    return "\n\n".join(f"{name}:\n\n{table}" for name, table in found if table)


def accelerators_table() -> str:
    """Return what an epoch runs on accelerators, by the latest records, whichever machine compiled it."""
    return next((table for device in results.devices() if (table := results.accelerators_table(device))), "")


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "first_run": lambda: first_run(RECORDS),
    "exercise": lambda: exercise_table(RECORDS),
    "cifar": lambda: cifar_table(RECORDS),
    "verdicts": lambda: verdicts(RECORDS),
    "controls": lambda: controls_table(RECORDS),
    "onecycle": lambda: onecycle_table(RECORDS),
    "tuned": lambda: tuned_table(RECORDS),
    "fashion_mnist": lambda: fashion_mnist_table(RECORDS),
    "uncertainty": lambda: summary_table(RECORDS),
    "uncertainty_found": lambda: found_table(RECORDS),
    **{of: partial(compress.section, ROOT / RESULTS, of, tables) for of, tables in COMPRESS_TABLES.items()},
    "keras": lambda: keras_table(RECORDS, BENCH_RECORDS.glob("keras-*.json")),
    "digits": lambda: digits.networks_table(RECORDS),
    "digits_verdicts": lambda: digits.verdicts_table(RECORDS),
    "digits_rates": lambda: digits.search_table(RECORDS, "optim.learning_rate"),
    "digits_placements": lambda: digits.search_table(RECORDS, "model.batch_norm"),
    "claims": lambda: claims.verdicts_table(RECORDS.folder, STATEMENTS),
    "claims_parts": lambda: claims.parts_table(RECORDS.folder, CLAIMS, effect_text, claimed_text),
    "claims_optimizers": lambda: claims.table_of(RECORDS.folder, "optimizers"),
    "claims_defaults": lambda: claims.table_of(RECORDS.folder, "defaults", 0, 2, 4),
    "ten_lines": lambda: lines_table(ROOT / RESULTS),
    "gallery": lambda: gallery(figures_list()["figures"]),
    "without_record": missing_runs,
    "figure_references": lambda: reference_table(figures_list()["figures"]),
    **{
        f"transfer_{of}": partial(transfer.section, ROOT / RESULTS, of, tables)
        for of, tables in TRANSFER_TABLES.items()
    },
    "throughput": lambda: bench_table(results.headline_table),
    "startup": lambda: bench_table(results.startup_table),
    **{
        question: partial(bench_table, partial(results.question_table, question))
        for question in ("mc_dropout", "transfer", "diagnostics")
    },
    "kernels": accelerators_table,
    "side_by_side": lambda: bench_table(results.tables_table),
}
"""Makes the text of each table."""
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "README.md": ("first_run", "exercise"),
    "docs/results.md": ("cifar", "verdicts", "controls", "tuned", "onecycle", "fashion_mnist"),
    "docs/results-uncertainty.md": ("uncertainty",),
    "docs/uncertainty.md": ("uncertainty_found",),
    "docs/compress.md": ("sparse", "serve"),
    "docs/own-data.md": ("side_by_side",),
    "docs/speed.md": ("throughput", "startup", "mc_dropout", "transfer", "diagnostics", "kernels"),
    "docs/trust.md": ("keras",),
    "docs/digits.md": ("digits", "digits_verdicts", "digits_rates", "digits_placements"),
    "docs/claims.md": ("claims", "claims_parts", "claims_optimizers", "claims_defaults"),
    "docs/figures.md": ("ten_lines", "gallery", "without_record", "figure_references"),
    "docs/transfer.md": tuple(f"transfer_{of}" for of in TRANSFER_TABLES),
}
"""The tables of each page, which stand between their marks."""
NOTEBOOKS: Final[Mapping[str, str]] = {
    str(page.with_suffix(".ipynb").relative_to(ROOT)): str(page.relative_to(ROOT)) for page in ROOT.glob("docs/tour.md")
}
"""The page that each notebook is made from."""
FILES: Final = (
    *PAGES,
    *NOTEBOOKS,
    *(f"{RESULTS}/{name}" for name in ("STUDIES.md", "UNCERTAINTY.md")),
    f"{RESULTS}/figures/{LIST}",
    *(f"{RESULTS}/exercise_8.{kind}" for kind in ("png", "svg")),
)
"""The paths, below the repository, of the files that are generated wholly or in part."""
LEVELS, SHARE_OF_PIXELS = 16, 1e-3
"""Colour levels, of 256, that a pixel may differ by, and the share of pixels that may differ by more."""
POINTS_APART: Final = 0.1
"""Points, of 72 an inch, that two drawings' coordinates may differ by."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the documents with the records, or write them.

    Returns:
        The exit status: 0, 1 if a document differs and is not written, 2 after an error.
    """
    arguments = parser().parse_args(argv)
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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument(
        "--take", nargs="+", default=[], type=Path, metavar="FOLDER", help="finished runs on real images"
    )
    target = found.add_mutually_exclusive_group()
    target.add_argument("--write", action="store_true", help="write the documents in place")
    target.add_argument("--out", type=Path, metavar="DIR", help="write the documents below this folder instead")
    return found


def write(folder: Path) -> None:
    """Write the documents.

    Args:
        folder: the repository, or a folder in its place, which is made where it is missing.
    """
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    (folder / "docs").mkdir(exist_ok=True)
    for page, tables in PAGES.items():
        (folder / page).write_text(with_tables((ROOT / page).read_text(), page, tables))
    for path, page in NOTEBOOKS.items():
        (folder / path).write_text(notebook((ROOT / page).read_text()))
    (folder / RESULTS / "STUDIES.md").write_text(studies_page(RECORDS, tuned_section(RECORDS)))
    (folder / RESULTS / "UNCERTAINTY.md").write_text(uncertainty_page(RECORDS))
    (folder / RESULTS / "figures").mkdir(exist_ok=True)
    write_json(folder / RESULTS / "figures" / LIST, figures_list())
    draw_exercise_8(folder / RESULTS / "exercise_8.png", RECORDS)


def figures_list() -> dict[str, Any]:
    """Return the list of the chapter's figures, with the pictures that the records have now."""
    return with_references(read_json(FIGURES), ROOT / RESULTS)


def differing(root: Path = ROOT) -> list[str]:
    """Return the documents, of FILES, that differ from what the records say.

    Args:
        root: folder of the documents, as `write` leaves it.
    """
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return [name for name in FILES if not are_equal(Path(folder) / name, root / name)]


def are_equal(one: Path, other: Path) -> bool:
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
    """Return whether two SVG texts are the same but for the last digits of numbers, which processors round apart.

    Matplotlib names a marker or a clip path by a hash of its numbers. Here it is named by its order.
    """
    one, other = map(_with_ordered_names, (one, other))
    number = r"-?\d+\.\d+"
    found = [list(map(float, re.findall(number, text))) for text in (one, other)]
    rest = [re.sub(number, "#", text) for text in (one, other)]
    return rest[0] == rest[1] and np.allclose(*found, rtol=0, atol=POINTS_APART)


def _with_ordered_names(text: str) -> str:
    """Return an SVG text whose hashed names are numbered in the order in which they first stand there."""
    numbers: dict[str, int] = {}
    return re.sub(r"\b[a-z][0-9a-f]{10}\b", lambda name: f"name-{numbers.setdefault(name[0], len(numbers))}", text)


def with_tables(text: str, page: str, tables: Sequence[str]) -> str:
    """Return a page with its tables, between their marks, written anew.

    Args:
        text: content of the page.
        page: path of the page, for the error.
        tables: names of its tables, as in TABLES.

    Raises:
        UserError: a table does not have its marks exactly once.
    """
    for name in tables:
        begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise UserError(f"{page} has no place for the table {name}. Write {begin.strip()} and {end} into it, once")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{TABLES[name]()}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    raise SystemExit(main())
