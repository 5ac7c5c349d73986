"""How many layers to unfreeze, by the amount of data, and what to do with the top layers."""

from typing import Final

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.from_records import of_two, record_of
from experiments.lab.lab import Lab

COMMAND: Final = "python -m experiments.transfer amount --record"
AMOUNTS: Final = (10, 30, 100, 300, 1_000)
LAYERS: Final = 5


def measure(lab: Lab) -> Outcome:
    """Read the record of all amounts of images and numbers of unfrozen layers."""
    del lab
    cells = record_of("transfer", "amount", COMMAND)["cells"]
    of = {
        (amount, layers): cells[f"{amount} images, {layers} trained"]["test_accuracy"]
        for amount in AMOUNTS
        for layers in range(LAYERS + 1)
    }
    few, many = AMOUNTS[0], AMOUNTS[-1]
    parts = [
        Part(
            f"{many:,} images, all - none trained",
            "With many images it is better to train all reused layers than none.",
            of_two(of[many, LAYERS], of[many, 0], 100),
            margin=0.5,
        ),
        Part(
            f"{few} images, none - all trained",
            "With few images it is better to train no reused layer than all.",
            of_two(of[few, 0], of[few, LAYERS], 100),
            margin=0.5,
        ),
    ]
    rows = [
        [f"{amount:,}", *(f"{of[amount, layers]['mean']:.4f}" for layers in range(LAYERS + 1))] for amount in AMOUNTS
    ]
    columns = ["images a digit", *(f"{layers} trained" for layers in range(LAYERS + 1))]
    return Outcome(
        parts, [Table("Test accuracy on the digits 5 to 9", columns, rows)], notes=f"From the record of {COMMAND}."
    )


CLAIM: Final = Claim(
    name="unfreezing",
    statement="The more data there is, the more of the reused layers can be unfrozen.",
    section="Reusing pretrained layers",
    hypothesis="With 1,000 images a digit all reused layers are better trained, with 10 images none.",
    measure=measure,
    dataset="mnist",
)
