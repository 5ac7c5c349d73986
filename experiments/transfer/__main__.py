"""Reuse a trained network on other classes, and see when it helps.

    python -m experiments.transfer layers     # digits 5 to 9, 100 images of each: layers reused x layers trained
    python -m experiments.transfer amount     # the same with 10 to 1,000 images of each
    python -m experiments.transfer top        # drop, replace or add top layers
    python -m experiments.transfer fashion    # source 001: sandal or shirt
    python -m experiments.transfer pairs      # all 45 pairs of classes of Fashion-MNIST

A killed command continues where it was. The folder holds points.json, the sources' networks, record.json and figures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.record import Points, Settings, check_recordable, copy_record, exit_status, stamp
from experiments.transfer.cells import FIRST_SEED, QUESTIONS
from experiments.transfer.figures import draw, lines
from experiments.transfer.study import Study, train_cells
from experiments.transfer.summary import figures_of
from jaxdeep.errors import UserError
from jaxdeep.study.files import write_json
from jaxdeep.train.devices import use_compilation_cache

SEEDS = {"layers": 10, "amount": 10, "top": 10, "fashion": 10, "pairs": 3}
"""Number of seeds of each question."""
QUICK_SEEDS = 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        "python -m experiments.transfer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("question", choices=tuple(QUESTIONS))
    seeds = f"number of seeds from {FIRST_SEED} on. Default: {', '.join(f'{n} for {q}' for q, n in SEEDS.items())}"
    found.add_argument("--seeds", type=int, metavar="N", help=seeds)
    found.add_argument("--quick", action="store_true", help="two seeds and few epochs, marked as no result")
    found.add_argument("--data", default="auto", metavar="SOURCE", help="auto, the name of the set, or synthetic")
    found.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the classic files")
    found.add_argument("--workdir", type=Path, metavar="DIR", help="default: runs/transfer/ and the question")
    found.add_argument("--record", action="store_true", help="copy record and figure to experiments/results/transfer")
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
    question = QUESTIONS[given.question]()
    count = given.seeds or (QUICK_SEEDS if given.quick else SEEDS[given.question])
    if given.seeds is not None and given.seeds < 2:
        raise UserError(f"--seeds is {given.seeds}. Give 2 or more, since every figure has an interval.")
    base = question.cells[0].config
    settings = Settings("transfer", given.question, question.dataset, base.train.epochs, given.quick, given.data)
    check_recordable(wanted=given.record, quick=given.quick, source=given.data)
    use_compilation_cache()
    folder = given.workdir or Path("runs") / "transfer" / settings.name
    data = settings.load_rows(base.data.base(), given.data_dir)
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + count))
    study = Study(question, settings, seeds, data, Points(folder, settings, data), folder)
    train_cells(study)
    record = {**stamp(settings, seeds, data, words), **figures_of(study)}
    write_json(folder / "record.json", record)
    draw(folder / "figure.png", record)
    print("\n".join(lines(record)))
    print(f"{folder}: record.json, figure.png, figure.svg")
    if given.record:
        copy_record(folder, settings, data, given.question)


if __name__ == "__main__":
    raise SystemExit(main())
