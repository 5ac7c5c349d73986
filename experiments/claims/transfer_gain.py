"""How much transfer cuts the error, over all pairs of classes."""

import math
from typing import Final

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.from_records import of_ratio, record_of
from experiments.lab.lab import Lab

COMMAND: Final = "python -m experiments.transfer pairs --record"


def measure(lab: Lab) -> Outcome:
    """Read the record of all 45 pairs of classes."""
    del lab
    record = record_of("transfer", "pairs", COMMAND)
    ratio = of_ratio(record["ratio"], len(record["pairs"]))
    parts = [
        Part("transfer helps", "Over all pairs transfer makes the error smaller.", ratio, RATIO, 1.0),
        Part("four times", "Over all pairs the error is 3 to 6 times as small.", ratio, RATIO, 3.0, 6.0),
    ]
    rows = [[f"{float(of):.0%}", f"{value:.2f}"] for of, value in record["quantiles"].items()]
    table = Table("Quantiles of the error ratio over all runs", ["quantile", "error from scratch / by transfer"], rows)
    hurt = record["hurt"]
    notes = (
        f"Transfer hurts in {hurt['runs']} of {record['runs']} runs, and in {hurt['pairs']} of {len(record['pairs'])} "
        f"pairs of classes. From the record of {COMMAND}."
    )
    assert math.isfinite(ratio.difference)
    return Outcome(parts, [table], notes=notes)


CLAIM: Final = Claim(
    name="transfer_gain",
    statement="Transfer cuts the error 4 times. Or the gain vanishes or reverses with other classes or seeds.",
    section="Reusing pretrained layers",
    hypothesis="The geometric mean of the error ratio over all 45 pairs of classes lies above 1, and in 3 .. 6.",
    measure=measure,
    sources=("001",),
)
