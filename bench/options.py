"""What a call of the bench asks for."""

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
from bench.record import RECORDS, add

ROUNDS = 5


@dataclass(frozen=True)
class Options:
    """One call.

    Attributes:
        questions: their names.
        rounds: that are timed, after the warm-up.
        configs: names of configurations; None: those of the question.
        batch_sizes: None: those of the question.
        layers: numbers of hidden layers; None: those of the question.
        contestants: who takes part; None: all that the question has.
        records: folder of the records.
        machine: what it runs on, as of `bench.record.machine`.
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
        """ "cpu" or "gpu"."""
        return self.machine["device"]["platform"]

    def of(self, question: str) -> "Options | None":
        """What a question is asked: of the named configurations those that it is about; None: about none of them."""
        if self.configs is None:
            return self
        configs = tuple(name for name in self.configs if name in names_for(question))
        return replace(self, configs=configs) if configs else None

    def among(self, allowed: Sequence[str]) -> list[str]:
        """The named ones of a question's contestants, in its order; where none is named, all that differ here."""
        if self.contestants is not None:
            return [name for name in allowed if name in self.contestants]
        return [name for name in allowed if self.platform == "gpu" or not is_gpu_only(name)]

    def taking_part(self, allowed: Sequence[str] = SINGLE_RUNS) -> Contestants:
        """The named contestants that can run here; says why the others cannot.

        Args:
            allowed: of CONTESTANTS, in the order of their turns.
        """
        found = field(self.among(allowed), self.platform)
        for name, reason in found.left_out.items():
            say(f"{name} is left out: {reason}")
        return found

    def keep_size(self, question: str, entry: Mapping[str, Any]) -> None:
        """Write an entry of a configuration, a depth and a batch size into the record of the day.

        Args:
            question: that was asked.
            entry: with config, layers and batch_size.
        """
        name, layers, batch_size = entry["config"], entry["layers"], entry["batch_size"]
        flags = ("--configs", name, "--layers", str(layers), "--batch-sizes", str(batch_size))
        self.keep(question, f"{name},batch={batch_size},layers={layers}", flags, entry)

    def keep(self, question: str, workload: str, flags: Sequence[str], entry: Mapping[str, Any]) -> None:
        """Write an entry into the record of the day.

        Args:
            question: that was asked.
            workload: what was measured.
            flags: that choose this workload, for the command that repeats it.
            entry: the measurements, as finite JSON values.
        """
        rounds = [] if self.rounds == ROUNDS else ["--rounds", str(self.rounds)]
        contestants = ["--contestants", *self.contestants] if self.contestants else []
        command = shlex.join(("python", "-m", "bench", question, *flags, *rounds, *contestants))
        add(self.records, self.machine, question, workload, {"command": command, "rounds": self.rounds, **entry})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, exit status 2."""
        self.exit(2, f"error: {message}\n")


def parse(questions: Sequence[str], argv: Sequence[str], device: Any) -> Options:
    """Read a command line; exits with status 2 where something in it is not allowed.

    Args:
        questions: that there are.
        argv: without the program's name.
        device: () -> the machine, asked only once the rest is right.
    """
    parser = _Parser(
        prog="python -m bench",
        description=f"Questions: {', '.join(questions)} (default: all). "
        "`results` alone writes bench/RESULTS.md anew from the records.",
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", default=[])
    parser.add_argument("--rounds", type=_count, default=ROUNDS, help=f"that are timed (default {ROUNDS})")
    parser.add_argument("--configs", nargs="+", metavar="NAME", help="of experiments.cifar; of `mc_dropout`, its own")
    parser.add_argument("--batch-sizes", nargs="+", type=_count, metavar="B")
    parser.add_argument("--layers", nargs="+", type=_count, metavar="L", help="numbers of hidden layers")
    parser.add_argument("--contestants", nargs="+", metavar="NAME", help="who takes part (default: all)")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder (default bench/records)")
    given = parser.parse_args(argv)
    asked = given.questions or questions
    for what, names, allowed in (
        ("question", given.questions, [*questions, "results"]),
        ("configuration", given.configs, {name: None for one in asked for name in names_for(one)}),
        ("contestant", given.contestants, {**CONTESTANTS, **COMMANDS}),
    ):
        for name in names or ():
            if name not in allowed:
                parser.error(f"{what} {name!r}; allowed: {', '.join(allowed)}")
    listed = {
        name: None if getattr(given, name) is None else tuple(getattr(given, name))
        for name in ("configs", "batch_sizes", "layers", "contestants")
    }
    return Options(
        questions=tuple(asked),
        rounds=given.rounds,
        records=given.records,
        machine=device(),
        **listed,
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} given; allowed: 1 or more")
    return int(text)


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)
