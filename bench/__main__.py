"""`python -m bench [QUESTION ...]`: jaxdeep beside its peers, in one run on one machine; --help says the rest.

What is finished is kept, also where Ctrl-C ends the rest.
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
    """Ask the questions, one after the other; returns the exit status."""
    jax.config.update("jax_platforms", "cpu")  # this process only prepares; the device is its children's
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
    for question in options.questions:
        if question == "results":
            say(f"written: {write_results(options.records)}")
        elif (asked := options.of(question)) is not None:
            module(question).run(asked)


def _machine() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return machine(device(clean_environment(Path(folder))))


def _terminate(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)  # so that children are ended on the way out


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    raise SystemExit(main())
