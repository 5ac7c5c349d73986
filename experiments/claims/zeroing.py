"""Zeroing alone."""

from typing import Final

from experiments.claims.sparse_ways import COMMAND, at_least
from experiments.lab.claim import INFINITY, Claim, Outcome, Part, Table
from experiments.lab.contrasts import unknown
from experiments.lab.from_records import of_estimate, record_of
from experiments.lab.lab import Lab

MUCH: Final = 0.9


def measure(lab: Lab) -> Outcome:
    """Read the record of zeroing at 90% zeros and at 50%."""
    del lab
    record = record_of("compress", "sparse-fashion_mnist", COMMAND)
    curve = record["curves"]["zero"]
    much = at_least(curve, MUCH)
    loss = unknown(0) if much is None else of_estimate(much["accuracy_loss"], 100)
    parts = [
        Part(
            "loss at 90% zeros",
            "Zeroing alone to 90% zeros costs more than half a point.",
            loss,
            low=0.5,
            high=INFINITY,
        )
    ]
    rows = [
        [f"{point['sparsity']:.1%}", f"{100 * point['accuracy_loss']['mean']:.2f}"]
        for point in curve
        if point["sparsity"] is not None
    ]
    table = Table("Smallest weights zeroed: loss of test accuracy", ["zeros", "points"], rows)
    return Outcome(parts, [table], notes=f"From the record of {COMMAND}.")


CLAIM: Final = Claim(
    name="zeroing",
    statement="Zeroing tiny weights alone is not very sparse, and may hurt.",
    section="Faster optimizers",
    hypothesis="Without fine-tuning, 90% zeros cost more than half a point of test accuracy.",
    measure=measure,
    questions=(6,),
)
