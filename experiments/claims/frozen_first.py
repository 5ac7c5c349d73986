"""Freezing the reused layers first."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.from_records import of_two, record_of
from experiments.lab.lab import Lab

COMMAND: Final = "python -m experiments.transfer layers --record"
CELLS: Final = ("5 reused, 5 trained", "5 reused, 2 trained", "2 reused, 2 trained")


def measure(lab: Lab) -> Outcome:
    """Read the record of frozen-first and at-once training of the same reused layers."""
    del lab
    cells = record_of("transfer", "layers", COMMAND)["cells"]
    parts, rows = [], []
    for name in CELLS:
        first, once = (cells[f"{name}, {how}"]["test_accuracy"] for how in ("frozen first", "at once"))
        words = f"With {name}, a phase with frozen layers gives a higher test accuracy."
        parts.append(Part(name, words, of_two(first, once, 100), margin=0.5))
        rows.append([name, f"{first['mean']:.4f}", f"{once['mean']:.4f}"])
    table = Table("Test accuracy on the digits 5 to 9", ["", "frozen first", "at once"], rows)
    return Outcome(parts, [table], "100 images a digit", f"From the record of {COMMAND}.")


CLAIM: Final = Claim(
    name="frozen_first",
    statement="It is better to freeze the reused layers first, and to unfreeze them later.",
    section="Reusing pretrained layers",
    hypothesis="On the digits 5 to 9 frozen-first beats training all layers at once.",
    measure=measure,
    dataset="mnist",
)
