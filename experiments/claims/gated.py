"""Swish, Mish and GLU on CIFAR-10."""

from typing import Final

from experiments.lab.claim import Claim, Outcome
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.parts import better
from experiments.lab.tables import arms_table, rates_table

ALL: Final = BASE.updated(
    {
        "data.train_size": None,
        "train.epochs": 6,
        "train.patience": 6,
        "train.batch_size": 128,
        "optim.learning_rate": 2e-3,
    }
)
ARMS: Final = {
    "Swish": {"model.activation": "swish"},
    "Mish": {"model.activation": "mish"},
    "GLU": {"model.activation": "glu", "model.kernel_init": "lecun_normal"},
    "ELU": {},
    "ReLU": {"model.activation": "relu"},
}


def measure(lab: Lab) -> Outcome:
    """Compare gated activations with ReLU and ELU on all training images of CIFAR-10."""
    arms = lab.tuned(arms_of(ALL, ARMS), dataset="cifar10", seeds=5, search_seeds=1)
    parts = [better(arms, name, other) for name in ("Swish", "Mish", "GLU") for other in ("ReLU", "ELU")]
    reduced = "5 x 100 units in place of 20 x 100, batches of 128, 6 epochs, 5 seeds"
    return Outcome(parts, [arms_table(arms), rates_table(arms)], reduced)


CLAIM: Final = Claim(
    name="gated",
    statement="Swish, Mish and GLU win on large problems.",
    section="Nonsaturating activation functions",
    hypothesis="On all 45,000 training images of CIFAR-10 each of the three beats ReLU and ELU, at its own best rate.",
    measure=measure,
    sources=("004",),
    questions=(4,),
    dataset="cifar10",
)
