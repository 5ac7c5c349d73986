"""Write all records and runs as one HTML file, which opens from the disk and needs no network.

    python -m experiments.report                          # runs/report.html
    python -m experiments.report --runs DIR --out FILE

Verdicts of the claims come first, then the chapter's tables and figures beside ours, then each experiment, the bench,
and the runs of this machine. Nothing is trained. What cannot be read is listed with what is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.record import ROOT, exit_status
from experiments.report.page import report_html
from jaxdeep.errors import UserError
from jaxdeep.study.files import write_text

RUNS = Path("runs")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        "python -m experiments.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--runs", type=Path, metavar="DIR", help=f"folder of the runs. Default: {RUNS}")
    found.add_argument("--out", type=Path, metavar="FILE", help=f"file to write. Default: {RUNS / 'report.html'}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words of the command line, or None for the process's own.

    Returns:
        The exit status: 0, or 2 for an error that the user can mend.
    """
    given = parser().parse_args(sys.argv[1:] if argv is None else argv)
    return exit_status(lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    """Gather, write, and print the path and the size."""
    if given.runs is not None and not given.runs.is_dir():
        raise UserError(f"--runs is {given.runs}, which is no folder. Give the folder of the runs, or leave it out.")
    out = given.out or RUNS / "report.html"
    if out.is_dir():
        raise UserError(f"--out is {out}, which is a folder. Give a file, such as {out / 'report.html'}.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out.parent}: cannot be made ({error.strerror}). Give another --out.") from error
    text = report_html(ROOT, given.runs or RUNS)
    write_text(out, text)
    print(f"{out}: {len(text.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    raise SystemExit(main())
