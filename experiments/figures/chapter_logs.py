"""The epochs that the sources print, and the record of ours that repeats each of their runs."""

import csv
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

LOGS: Final = Path(__file__).with_name("chapter_logs.csv")
"""Every printed epoch of every run: source, run, epoch, of, loss, accuracy, val_loss, val_accuracy."""


class Epoch(NamedTuple):
    """A printed epoch.

    Attributes:
        epoch: Number of the epoch, 1 or more.
        val_loss: Mean loss of the validation rows, with the penalties.
        val_accuracy: Share of validation rows that are classified correctly, in 0 .. 1.
    """

    epoch: int
    val_loss: float
    val_accuracy: float


class Printed(NamedTuple):
    """Runs of the sources that a record of ours repeats.

    Attributes:
        record: Name of our record.
        runs: Names of runs for each line: (source, run) pairs whose epochs follow each other.
    """

    record: str
    runs: tuple[tuple[tuple[str, str], ...], ...]


def _one(record: str, *sources: str) -> Printed:
    """Return the runs that have the name of their record, a line for each source."""
    return Printed(record, tuple(((source, record),) for source in sources))


AGAIN: Final = ("004", "selu again (8.5, no dropout layer)")
CIFAR: Final = (
    _one("elu", "000"),
    _one("swish", "004"),
    _one("bn", "000"),
    _one("bn_swish", "004"),
    Printed("selu", ((("000", "selu"),), (("004", "selu"),), (AGAIN,))),
    _one("alpha_dropout", "000"),
)
NETWORKS: Final = tuple(
    _one(name, "001") for name in ("leaky_relu", "selu100", "relu100", "bn", "l2", "dropout", "max_norm")
)
SCHEDULES: Final = tuple(_one(name, "001") for name in ("power", "exponential", "piecewise", "plateau", "onecycle"))
TRANSFER: Final = (
    Printed("transfer_a", ((("001", "transfer A"),),)),
    Printed("scratch_b", ((("001", "B from scratch"),),)),
    Printed("transfer", ((("001", "B on A frozen"), ("001", "B on A unfrozen")),)),
)
WITHOUT_RECORD: Final = (("001", "l2 (factory, he head)"),)
"""Runs that no record of ours repeats."""


@lru_cache
def logs() -> Mapping[tuple[str, str], tuple[Epoch, ...]]:
    """Return the printed epochs of all runs, by their source and their name."""
    found: dict[tuple[str, str], list[Epoch]] = {}
    with LOGS.open(newline="") as file:
        for row in csv.DictReader(file):
            epoch = Epoch(int(row["epoch"]), float(row["val_loss"]), float(row["val_accuracy"]))
            found.setdefault((row["source"], row["run"]), []).append(epoch)
    return {run: tuple(epochs) for run, epochs in found.items()}


def joined(runs: tuple[tuple[str, str], ...]) -> list[Epoch]:
    """Return the epochs of runs that follow each other, counted from the first run's start.

    Args:
        runs: Source and name of each run, in order.
    """
    found: list[Epoch] = []
    for run in runs:
        before = found[-1].epoch if found else 0
        found += [epoch._replace(epoch=before + epoch.epoch) for epoch in logs()[run]]
    return found


def missing_runs() -> str:
    """Return in words which printed epochs and runs no figure shows beside ours."""
    lines = [
        f'- No record of ours repeats the run "{run}" of {source}, which prints {len(logs()[source, run])} epochs.'
        for source, run in WITHOUT_RECORD
    ]
    for (source, run), epochs in logs().items():
        given = {of.epoch for of in epochs}
        left_out = [number for number in range(1, epochs[-1].epoch) if number not in given]
        if left_out:
            lines.append(f"- {source} leaves out the epochs {left_out[0]} to {left_out[-1]} of {run}.")
    return "\n".join(lines)
