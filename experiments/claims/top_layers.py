"""Dropped, replaced and added top layers."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.from_records import of_two, record_of
from experiments.lab.lab import Lab

COMMAND: Final = "python -m experiments.transfer top --record"


def measure(lab: Lab) -> Outcome:
    """Read the record of changed top layers, and compare each with all five layers kept."""
    del lab
    cells = record_of("transfer", "top", COMMAND)["cells"]
    kept = cells["keep five, all trained"]["test_accuracy"]
    parts = [
        Part(
            f"{change} - keep five",
            f"To {change} of the top layers, all trained, is better than to keep all five.",
            of_two(cells[f"{change}, all trained"]["test_accuracy"], kept, 100),
            margin=0.5,
        )
        for change in ("drop two", "replace two", "add one")
    ]
    rows = [[name, f"{of['test_accuracy']['mean']:.4f}"] for name, of in cells.items()]
    table = Table("Test accuracy on the digits 5 to 9", ["", "accuracy"], rows)
    return Outcome(parts, [table], "100 images a digit", f"From the record of {COMMAND}.")


CLAIM: Final = Claim(
    name="top_layers",
    statement="With little data drop the top layers, with plenty replace or add some.",
    section="Reusing pretrained layers",
    hypothesis="With 100 images a digit each change is compared with all five layers kept and trained.",
    measure=measure,
    dataset="mnist",
)
