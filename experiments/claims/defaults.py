"""Tables 11-3 and 11-4 and the cheat sheet: what should one start from?"""

from typing import Any, Final

from experiments.lab.claim import Claim, Outcome, Part
from experiments.lab.contrasts import accuracy
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, Lab, arms_of
from experiments.lab.tables import arms_table, rates_table

ONECYCLE: Final = {"optim.optimizer": "momentum", "optim.learning_rate": 0.03, "schedule.kind": "onecycle"}
DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "Table 11-3": {"model.kernel_init": "he_normal", "model.activation": "elu", "model.batch_norm": True, **ONECYCLE},
    "Table 11-4": {"model.kernel_init": "lecun_normal", "model.activation": "selu", **ONECYCLE},
    "cheat sheet": {
        "model.kernel_init": "he_normal",
        "model.activation": "elu",
        "model.batch_norm": True,
        "model.dropout_sites": "after_hidden",
        "model.dropout_rate": 0.1,
        "optim.optimizer": "adam",
        "optim.learning_rate": 1e-3,
    },
}
"""The default for deep networks, the self-normalising network, and the cheat sheet's. They contradict each other."""
SETS: Final = ("fashion_mnist", "mnist", "cifar10")


def measure(lab: Lab) -> Outcome:
    """Compare the three defaults on three sets, each at its own best rate."""
    parts, tables = [], []
    for dataset in SETS:
        arms = lab.tuned(arms_of(BASE, DEFAULTS), dataset=dataset, seeds=6, search_seeds=1)
        for other in ("Table 11-4", "cheat sheet"):
            words = f"On {dataset} Table 11-3 reaches a higher test accuracy than {other}."
            effect = accuracy(arms["Table 11-3"], arms[other])
            parts.append(Part(f"{dataset}, Table 11-3 - {other}", words, effect, margin=0.5))
        named: dict[str, Arm] = {f"{dataset}, {name}": arm for name, arm in arms.items()}
        tables += [arms_table(named), rates_table(named)]
    reduced = "20,000 of the training images, 5 x 100 units, 10 epochs, 6 seeds"
    return Outcome(parts, tables, reduced)


CLAIM: Final = Claim(
    name="defaults",
    statement="Start from Table 11-3: He, ELU, batch normalisation, momentum, 1cycle.",
    section="Summary and practical guidelines",
    hypothesis="On three sets it beats Table 11-4 (LeCun, SELU, 1cycle) and the cheat sheet (dropout .1, Adam).",
    measure=measure,
)
