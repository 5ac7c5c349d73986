"""Run `python -m bench [QUESTION ...]`, which measures jaxdeep beside its peers in one run on one machine.

`--help` lists the flags. Finished measurements are kept, even if Ctrl-C stops the rest.
"""

import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from bench.children import Failed, device
from bench.contestants import clean_environment
from bench.options import Options, parse, say
from bench.questions import QUESTIONS, module
from bench.record import machine
from bench.results import write_results
from jaxdeep.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the questions, one after the other.

    Args:
        argv: Words of the command line. None takes the words of the process.

    Returns:
        The exit status. 0 means success, 2 an error in one line, and 130 Ctrl-C.
    """
    jax.config.update("jax_platforms", "cpu")  # this process only prepares, and its children use the device
    try:
        _ask(parse(list(QUESTIONS), sys.argv[1:] if argv is None else argv, _machine))
    except (UserError, Failed) as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("stopped; what is finished is kept")
        return 128 + signal.SIGINT
    return 0


def _ask(options: Options) -> None:
    """Measure each question, and write RESULTS.md for `results`."""
    for question in options.questions:
        if question == "results":
            say(f"written: {write_results(options.records)}")
        elif (own := options.of(question)) is not None:
            module(question).run(own)


def _machine() -> dict[str, Any]:
    """Return the machine that the bench runs on."""
    with tempfile.TemporaryDirectory() as folder:
        return machine(device(clean_environment(Path(folder))))


def _terminate(*_: object) -> None:
    """End the process with its children."""
    raise SystemExit(128 + signal.SIGTERM)  # so that children are ended on the way out


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    raise SystemExit(main())
