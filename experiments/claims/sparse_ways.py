"""Three ways to a sparse model."""

from typing import Any, Final

from experiments.lab.claim import INFINITY, Claim, Outcome, Part, Table
from experiments.lab.contrasts import unknown
from experiments.lab.from_records import of_estimate, record_of
from experiments.lab.lab import Lab

WAYS: Final = {
    "l1 and zero": "strong l1, then zeroing of small weights",
    "gradual": "gradual pruning while training",
    "ftrl": "FTRL with l1",
    "fine-tune": "zeroing and fine-tuning",
}
SPARSE: Final = 0.8
"""Sparsity that a sparse model has."""
COMMAND: Final = "python -m experiments.compress sparse --seeds 3 --record"


def at_least(curve: list[dict[str, Any]], sparsity: float) -> dict[str, Any] | None:
    """Return the point of a curve with the smallest sparsity that suffices, or None.

    Args:
        curve: Points of a method.
        sparsity: Smallest sparsity.
    """
    enough = [point for point in curve if point["sparsity"] is not None and point["sparsity"] >= sparsity]
    return min(enough, key=lambda point: point["sparsity"], default=None)


def measure(lab: Lab) -> Outcome:
    """Read the record of all methods, and take each method's point at four fifths of zeros or more."""
    del lab
    record = record_of("compress", "sparse-fashion_mnist", COMMAND)
    parts, rows = [], []
    for way, words in WAYS.items():
        point = at_least(record["curves"][way], SPARSE)
        loss = unknown(0) if point is None else of_estimate(point["accuracy_loss"], 100)
        text = f"With {words}, a model with 80% zeros or more loses less than half a point."
        parts.append(Part(way, text, loss, low=-INFINITY, high=0.5))
        within = record["within_half_a_point"][way]
        rows.append([words, "none" if within is None else f"{within:.1%}"])
    table = Table("Largest sparsity within half a point of the dense network", ["", "zeros"], rows)
    return Outcome(parts, [table], notes=f"From the record of {COMMAND}.")


CLAIM: Final = Claim(
    name="sparse_ways",
    statement="There are three ways and more to a sparse model.",
    section="Summary and practical guidelines",
    hypothesis="Each way comes to 80% zeros and more at a loss of less than half a point of test accuracy.",
    measure=measure,
    questions=(6,),
)
