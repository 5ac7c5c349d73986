"""Frozen layers whose outputs are computed once."""

from typing import Final

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import ratio
from experiments.lab.from_records import bench_record
from experiments.lab.lab import Lab

WORKLOADS: Final = ("mnist_500", "mnist_all")


def measure(lab: Lab) -> Outcome:
    """Read the bench's record of training with and without cached outputs of the frozen layers."""
    del lab
    record = bench_record("transfer", WORKLOADS[0])
    seconds = {
        name: [training["seconds"] + training["feature_seconds"] for training in of["trainings"]]
        for name, of in record["contestants"].items()
    }
    effect = ratio(seconds["jaxdeep-frozen"], seconds["jaxdeep-cached"])
    part = Part("frozen / cached", "Training takes at least half the time with cached outputs.", effect, RATIO, 2.0)
    rows = [[name, f"{sorted(of)[len(of) // 2]:.3f}"] for name, of in seconds.items()]
    table = Table("Seconds of a training, median of the rounds", ["", "seconds"], rows)
    notes = (
        f"2.6 was printed. {record['rows']} rows, {record['epochs']} epochs. From the record of {record['command']}."
    )
    return Outcome([part], [table], notes=notes)


CLAIM: Final = Claim(
    name="cached_layers",
    statement="Computing the frozen layers' outputs once makes training faster. How much?",
    section="Reusing pretrained layers",
    hypothesis="With five frozen layers training is more than twice as fast.",
    measure=measure,
    sources=("003",),
    dataset="mnist",
)
