"""The time of activations at inference."""

from typing import Final

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import ratio
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.tables import estimate_text
from experiments.lab.timing import NOTE, batch_microseconds

SHORT: Final = BASE.updated({"data.train_size": 2_000, "train.epochs": 1})
ARMS: Final = {
    "ReLU": {"model.activation": "relu"},
    "leaky ReLU": {"model.activation": "leaky_relu"},
    "ELU": {},
    "SELU": {"model.activation": "selu", "model.kernel_init": "lecun_normal"},
    "Swish": {"model.activation": "swish"},
    "Mish": {"model.activation": "mish"},
}
BATCH: Final = 1_000


def measure(lab: Lab) -> Outcome:
    """Time a batch's prediction with each activation, in turns."""
    runs = {name: lab.runs(config, seeds=1)[0] for name, config in arms_of(SHORT, ARMS).items()}
    times = batch_microseconds(lab, runs, BATCH)
    parts = [
        Part(
            f"{slow} / {fast}",
            f"{slow} takes longer than {fast}.",
            ratio(times[slow], times[fast]),
            RATIO,
            1.0,
            margin=0.05,
        )
        for slow, fast in (("ELU", "ReLU"), ("Swish", "ELU"), ("Mish", "ELU"))
    ]
    rows = [[name, estimate_text(of, 0)] for name, of in times.items()]
    table = Table(f"Microseconds for a batch of {BATCH:,}", ["", "microseconds"], rows)
    return Outcome(parts, [table], notes=f"5 x 100 units. {NOTE}")


CLAIM: Final = Claim(
    name="activation_time",
    statement="ELU is slower than ReLU at test time. Swish and Mish cost more.",
    section="Nonsaturating activation functions",
    hypothesis="A batch of 1,000 takes longer with ELU than with ReLU, and longer with Swish and Mish than with ELU.",
    measure=measure,
    questions=(4,),
)
