"""The command line of the bench."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from bench.commands import COMMANDS
from bench.contestants import CONTESTANTS, SINGLE_RUNS, Contestants, field, is_gpu_only
from bench.networks import names_for
from bench.record import RECORDS, add_record

ROUNDS = 5
"""Timed rounds by default."""


@dataclass(frozen=True)
class Options:
    """The options of one call.

    Attributes:
        questions: Names of the questions.
        rounds: Number of timed rounds, after the warm-up.
        configs: Names of configurations. None takes the question's own.
        batch_sizes: Images of a batch. None takes the question's own.
        layers: Numbers of hidden layers. None takes the question's own.
        contestants: Names of the contestants. None takes all that the question has.
        records: Folder of the records.
        machine: Machine of the measurements, from `bench.record.machine`.
    """

    questions: tuple[str, ...]
    rounds: int
    configs: tuple[str, ...] | None
    batch_sizes: tuple[int, ...] | None
    layers: tuple[int, ...] | None
    contestants: tuple[str, ...] | None
    records: Path
    machine: Mapping[str, Any]

    @property
    def platform(self) -> str:
        """Return the platform of the device, "cpu" or "gpu"."""
        return self.machine["device"]["platform"]

    def of(self, question: str) -> "Options | None":
        """Return the options with the named configurations that a question is about.

        Args:
            question: Name of the question.

        Returns:
            The options, or None if the question is about none of the named configurations.
        """
        if self.configs is None:
            return self
        configs = tuple(name for name in self.configs if name in names_for(question))
        return replace(self, configs=configs) if configs else None

    def among(self, allowed: Sequence[str]) -> list[str]:
        """Return the named contestants of a question. If none is named, return all that differ here.

        Args:
            allowed: Names of the question's contestants, in the order of their turns.

        Returns:
            Names in the same order.
        """
        if self.contestants is not None:
            return [name for name in allowed if name in self.contestants]
        return [name for name in allowed if self.platform == "gpu" or not is_gpu_only(name)]

    def taking_part(self, allowed: Sequence[str] = SINGLE_RUNS) -> Contestants:
        """Return the named contestants that can run here, and print why the others cannot.

        Args:
            allowed: Names in CONTESTANTS, in the order of their turns.

        Returns:
            Names of the contestants that can run, and a reason for each of the others.
        """
        contestants = field(self.among(allowed), self.platform)
        for name, reason in contestants.left_out.items():
            say(f"{name} is left out: {reason}")
        return contestants

    def keep_size(self, question: str, entry: Mapping[str, Any]) -> None:
        """Write an entry of a configuration, a depth and a batch size into the record of the day.

        Args:
            question: Name of the question.
            entry: Measurements as finite JSON values, with `config`, `layers` and `batch_size`.
        """
        name, layers, batch_size = entry["config"], entry["layers"], entry["batch_size"]
        flags = ("--configs", name, "--layers", str(layers), "--batch-sizes", str(batch_size))
        self.keep(question, f"{name},batch={batch_size},layers={layers}", flags, entry)

    def keep(self, question: str, workload: str, flags: Sequence[str], entry: Mapping[str, Any]) -> None:
        """Write an entry into the record of the day.

        Args:
            question: Name of the question.
            workload: Name of the measured workload.
            flags: Flags that choose this workload, for the command that repeats it.
            entry: Measurements as finite JSON values.
        """
        rounds = [] if self.rounds == ROUNDS else ["--rounds", str(self.rounds)]
        contestants = ["--contestants", *self.contestants] if self.contestants else []
        command = shlex.join(("python", "-m", "bench", question, *flags, *rounds, *contestants))
        add_record(self.records, self.machine, question, workload, {"command": command, "rounds": self.rounds, **entry})


class _Parser(argparse.ArgumentParser):
    """A parser that ends with one line for an error."""

    def error(self, message: str) -> NoReturn:
        """Print the error as one line and end with exit status 2."""
        self.exit(2, f"error: {message}\n")


def parse(questions: Sequence[str], argv: Sequence[str], device: Any) -> Options:
    """Read a command line. A word or value that is not allowed ends the process with status 2.

    Args:
        questions: Names of all questions.
        argv: Words without the program's name.
        device: Function that returns the machine. It is called only if all words are allowed.

    Returns:
        The options.
    """
    parser = _Parser(
        prog="python -m bench",
        description=f"Questions: {', '.join(questions)} (default: all). "
        "`results` alone writes bench/RESULTS.md anew from the records.",
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", default=[])
    parser.add_argument("--rounds", type=_count, default=ROUNDS, help=f"number of timed rounds (default {ROUNDS})")
    parser.add_argument(
        "--configs",
        nargs="+",
        metavar="NAME",
        help="names in experiments.cifar (mc_dropout, transfer, diagnostics, kernels and small have their own)",
    )
    parser.add_argument("--batch-sizes", nargs="+", type=_count, metavar="B")
    parser.add_argument("--layers", nargs="+", type=_count, metavar="L", help="numbers of hidden layers")
    parser.add_argument("--contestants", nargs="+", metavar="NAME", help="who takes part (default: all)")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder (default bench/records)")
    given = parser.parse_args(argv)
    chosen = given.questions or questions
    for noun, names, allowed in (
        ("question", given.questions, [*questions, "results"]),
        ("configuration", given.configs, {name: None for question in chosen for name in names_for(question)}),
        ("contestant", given.contestants, {**CONTESTANTS, **COMMANDS}),
    ):
        for name in names or ():
            if name not in allowed:
                parser.error(f"{noun} {name!r} is unknown. Give one of {', '.join(allowed)}.")
    if "results" in chosen and not given.records.is_dir():
        parser.error(f"--records is {str(given.records)!r}, which is no folder. Give a folder of records.")
    listed = {
        name: None if getattr(given, name) is None else tuple(getattr(given, name))
        for name in ("configs", "batch_sizes", "layers", "contestants")
    }
    return Options(
        questions=tuple(chosen),
        rounds=given.rounds,
        records=given.records,
        machine=device(),
        **listed,
    )


def _count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is given. Give a whole number, 1 or more.")
    return int(text)


def say(line: str) -> None:
    """Print a line on stderr.

    Args:
        line: Text to print.
    """
    print(line, file=sys.stderr, flush=True)
