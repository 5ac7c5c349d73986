"""Compress the chapter's networks, and see what it costs in accuracy.

    python -m experiments.compress sparse --seeds 3           # sparsity against accuracy, for all methods
    python -m experiments.compress serve --seeds 3            # accuracy, latency and size of networks for low latency
    python -m experiments.compress sparse --quick             # a try with few rows, marked as such

A killed command goes on where it was. The folder holds points.json, checkpoints, record.json and the figure.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from experiments import record as records
from experiments.compress.figures import draw_serve, draw_sparse
from experiments.compress.serve import run_serve
from experiments.compress.sparse import BASE, METHODS, Study, run_sparse
from experiments.record import Points, Settings, check_recordable, copy_record, exit_status, stamp
from jaxdeep.errors import UserError
from jaxdeep.study.files import write_json
from jaxdeep.train.devices import use_compilation_cache

EPOCHS: Final = 20
FIRST_SEED: Final = 42


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        "python -m experiments.compress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("question", choices=("sparse", "serve"))
    found.add_argument("--dataset", choices=("fashion_mnist", "mnist"), default="fashion_mnist")
    found.add_argument("--seeds", type=int, default=3, metavar="N", help=f"number of seeds from {FIRST_SEED} on")
    found.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help="epochs of each training")
    found.add_argument("--quick", action="store_true", help="few rows, epochs and settings, in about a minute")
    found.add_argument("--data", default="auto", metavar="SOURCE", help="auto, the name of the set, or synthetic")
    found.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the classic files")
    found.add_argument("--workdir", type=Path, metavar="DIR", help="default: runs/compress/ and what was asked")
    found.add_argument("--record", action="store_true", help="copy record and figure to experiments/results/compress")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words of the command line, or None for the process's own.

    Returns:
        The exit status: 0, 2 for an error that the user can mend, or 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    given = parser().parse_args(words)
    return exit_status(lambda: _run(given, words))


def _run(given: argparse.Namespace, words: Sequence[str]) -> None:
    """Finish the study, and write its record and its figure."""
    if given.seeds < 1 or given.epochs < 1:
        raise UserError(f"--seeds is {given.seeds} and --epochs is {given.epochs}. Give 1 or more of each.")
    epochs = min(given.epochs, records.QUICK_EPOCHS) if given.quick else given.epochs
    settings = Settings("compress", given.question, given.dataset, epochs, given.quick, given.data)
    check_recordable(wanted=given.record, quick=given.quick, source=given.data)
    use_compilation_cache()
    folder = given.workdir or Path("runs") / "compress" / settings.name
    data = settings.load(BASE, given.data_dir)
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + given.seeds))
    study = Study(settings, seeds, data, Points(folder, settings, data), folder)
    run, draw = (run_sparse, draw_sparse) if given.question == "sparse" else (run_serve, draw_serve)
    figures = run(study)
    record = {**stamp(settings, seeds, data, words), **figures}
    write_json(folder / "record.json", record)
    draw(folder / "figure.png", record)
    print("\n".join(lines(record)))
    print(f"{folder}: record.json, figure.png, figure.svg")
    if given.record:
        copy_record(folder, settings, data, f"{settings.question}-{settings.dataset}")


def lines(record: dict[str, Any]) -> list[str]:
    """Return what a finished study prints.

    Args:
        record: Record of the study.
    """
    quick = " (quick: no result)" if record["quick"] else ""
    title = f"{record['question']} on {record['data']['name']}{quick}"
    if record["question"] == "serve":
        rows = [
            f"  {name}: test accuracy {of['test_accuracy']['mean']:.4f}, "
            + ", ".join(f"{times['median']:,.0f} us a batch of {size}" for size, times in of["microseconds"].items())
            for name, of in record["networks"].items()
        ]
        return [title, *rows]
    dense = record["dense"]["test_accuracy"]["mean"]
    rows = [
        f"  {METHODS[method]}: " + ("no point" if share is None else f"{share:.1%} zeros")
        for method, share in record["within_half_a_point"].items()
    ]
    return [title, f"dense: test accuracy {dense:.4f}. Largest sparsity within half a point of it:", *rows]


if __name__ == "__main__":
    raise SystemExit(main())
