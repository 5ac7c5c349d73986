"""Draw every figure of the chapter that needs no training, in about a minute.

    python -m experiments.figures                        # all figures, to runs/figures
    python -m experiments.figures --list                 # their names, and the sections of the chapter
    python -m experiments.figures --figure schedules     # one of them. May be given several times
    python -m experiments.figures --record               # copy them to experiments/results/figures too

The folder holds each figure as PNG, SVG and PDF, and figures.json with titles and captions.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.figures.drawn import draw_figure, record_figures, write_list
from experiments.figures.figure import Inputs
from experiments.figures.table import FIGURES
from experiments.record import RESULTS, exit_status
from jaxdeep.config.words import perhaps
from jaxdeep.errors import UserError
from jaxdeep.train.devices import use_compilation_cache


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        "python -m experiments.figures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--list", action="store_true", help="print name, section and title of each figure")
    found.add_argument("--figure", action="append", metavar="NAME", help="draw this figure alone. May be repeated")
    found.add_argument("--out", type=Path, default=Path("runs/figures"), metavar="DIR", help="default: runs/figures")
    found.add_argument("--data", default="auto", choices=("auto", "synthetic"), help="source of the sample images")
    found.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the classic files")
    found.add_argument("--record", action="store_true", help="copy PNG and SVG files to experiments/results/figures")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words of the command line, or None for the process's own.

    Returns:
        The exit status: 0, 2 for an error that the user can mend, or 130 after Ctrl-C.
    """
    given = parser().parse_args(sys.argv[1:] if argv is None else argv)
    return exit_status(lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    """List the figures, or draw them."""
    if given.list:
        width = max(map(len, FIGURES))
        print("\n".join(f"{name:{width}}  {figure.section}: {figure.title}" for name, figure in FIGURES.items()))
        return
    names = given.figure or list(FIGURES)
    for name in names:
        if name not in FIGURES:
            raise UserError(f"--figure {name} is not known.{perhaps(name, FIGURES)} See --list for the names.")
    use_compilation_cache()
    inputs = Inputs(RESULTS, given.data, given.data_dir)
    drawn = []
    for name in FIGURES:
        if name in names:
            drawn.append(draw_figure(name, given.out, inputs))
            print(given.out / f"{name}.png", flush=True)
    write_list(given.out, drawn)
    if given.record:
        record_figures(given.out, drawn)


if __name__ == "__main__":
    raise SystemExit(main())
