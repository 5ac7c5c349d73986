"""Put the statements of the chapter to the test.

    python -m experiments.claims --list                  # all claims with their verdicts
    python -m experiments.claims                         # measure all that have none
    python -m experiments.claims --claim activations     # measure one, or show it
    python -m experiments.claims --question 4            # what the sources answer, and what was measured
    python -m experiments.claims --claim biases --quick  # a minute's version, marked as no result

A result is kept. Only what is missing is computed, and a killed command goes on where it was.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiments.claims.table import CLAIMS
from experiments.lab.claim import Claim
from experiments.lab.lab import Lab
from experiments.lab.questions import QUESTIONS, question_text
from experiments.lab.results import measured, publish, stored
from experiments.lab.text import line_of, result_text
from experiments.record import check_recordable, exit_status
from jaxdeep.errors import UserError
from jaxdeep.train.devices import use_compilation_cache

FOLDER: Final = Path("runs") / "claims"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        "python -m experiments.claims", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--claim", action="append", metavar="NAME", help="a claim, and not all. Repeatable")
    found.add_argument("--question", type=int, metavar="N", help="a question of the chapter, 1 to 7")
    found.add_argument("--list", action="store_true", help="list the claims with their verdicts")
    found.add_argument("--quick", action="store_true", help="few rows, epochs and seeds, in about a minute: no result")
    found.add_argument("--again", action="store_true", help="measure anew what has a result")
    found.add_argument("--data", default="auto", metavar="SOURCE", help="auto, or synthetic")
    found.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the classic files")
    found.add_argument("--workdir", type=Path, default=FOLDER, metavar="DIR", help="default: runs/claims")
    found.add_argument("--record", action="store_true", help="copy results to experiments/results/claims")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words of the command line, or None for the process's own.

    Returns:
        The exit status: 0, 2 for an error that the user can mend, or 130 after Ctrl-C.
    """
    given = parser().parse_args(list(sys.argv[1:] if argv is None else argv))
    return exit_status(lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    """Show or measure the claims that were named."""
    if given.data not in ("auto", "synthetic"):
        raise UserError(f"--data is {given.data}. Give auto or synthetic.")
    check_recordable(wanted=given.record, quick=given.quick, source=given.data)
    lab = Lab(given.workdir, given.quick, given.data, given.data_dir)
    claims = _chosen(given)
    if given.list:
        print("\n".join(line_of(claim, stored(claim, lab)) for claim in claims))
        return
    use_compilation_cache()
    for claim in claims:
        result = None if given.again else stored(claim, lab)
        if result is None:
            print(f"{claim.name}: {claim.statement}", file=sys.stderr, flush=True)
            result = measured(claim, lab)
        if given.question is None:
            print(result_text(result), flush=True)
        if given.record:
            publish(claim, lab)
    if given.question is not None:
        print(question_text(given.question, [stored(claim, lab) for claim in claims]))


def _chosen(given: argparse.Namespace) -> list[Claim]:
    """Return the claims that were named, or all."""
    if given.question is not None:
        if given.question not in QUESTIONS:
            raise UserError(f"--question is {given.question}. Give 1 to {len(QUESTIONS)}.")
        return [claim for claim in CLAIMS.values() if given.question in claim.questions]
    for name in given.claim or ():
        if name not in CLAIMS:
            nearest = difflib.get_close_matches(name, CLAIMS, 1, 0.0)[0]
            raise UserError(f"--claim is {name}. Did you mean {nearest}? --list shows all {len(CLAIMS)}.")
    return [CLAIMS[name] for name in given.claim] if given.claim else list(CLAIMS.values())


if __name__ == "__main__":
    raise SystemExit(main())
