"""Weights of fewer bits at inference."""

from typing import Final

from experiments.lab.claim import INFINITY, Claim, Outcome, Part, Table
from experiments.lab.from_records import of_estimate, record_of
from experiments.lab.lab import Lab

KINDS: Final = ("bfloat16", "float16", "int8")
BATCH: Final = "1000"
COMMAND: Final = "python -m experiments.compress serve --seeds 3 --record"


def measure(lab: Lab) -> Outcome:
    """Read the record of accuracy, size and time of weights of 16 and 8 bits."""
    del lab
    networks = record_of("compress", "serve-fashion_mnist", COMMAND)["networks"]
    parts = []
    for kind in KINDS:
        loss = of_estimate(networks[kind]["accuracy_loss"], 100)
        words = f"Weights in {kind} lose less than half a point of test accuracy."
        parts.append(Part(f"loss in {kind}", words, loss, low=-INFINITY, high=0.5))
    rows = [
        [name, f"{of['bytes']:,}", f"{of['microseconds'][BATCH]['median']:,.0f}", f"{of['test_accuracy']['mean']:.4f}"]
        for name, of in networks.items()
        if of["microseconds"]
    ]
    columns = ["", "bytes of the weights", "microseconds for 1,000 images", "test accuracy"]
    return Outcome(parts, [Table("Networks for low latency", columns, rows)], notes=f"From the record of {COMMAND}.")


CLAIM: Final = Claim(
    name="fewer_bits",
    statement="At inference 16 or 8 bits a weight are enough.",
    section="Summary and practical guidelines",
    hypothesis="Weights in bfloat16, float16 and int8 each lose less than half a point. The table has their times.",
    measure=measure,
)
