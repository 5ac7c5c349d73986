"""The same value for all weights: the units of a layer stay equal."""

from typing import Final

import jax
import numpy as np

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.contrasts import accuracy, exact
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.tables import arms_table
from jaxdeep import Run

EQUAL: Final = {"model.kernel_init": "constant", "model.head_init": "constant", "model.init_scale": 0.02}
ARMS: Final = {"all equal": EQUAL, "one unit a layer": {**EQUAL, "model.units": (1,) * 5, "model.init_scale": 0.5}}
SEEDS: Final = 5


def spread(run: Run) -> float:
    """Return the largest difference between units of one hidden layer, over all their incoming weights.

    Args:
        run: Trained network, whose kernels are stored as [layers, units, inputs].
    """
    hidden = list(run.params.values())[:-1]
    kernels = [leaf for of in hidden for leaf in jax.tree.leaves(of) if leaf.ndim == 3]
    return max(float(np.ptp(np.asarray(kernel), axis=1).max()) for kernel in kernels)


def measure(lab: Lab) -> Outcome:
    """Train networks whose weights begin equal, and compare the units of each layer."""
    arms = lab.tuned(arms_of(BASE, ARMS), seeds=SEEDS)
    equal = [spread(run) for run in lab.runs(arms["all equal"].config, seeds=SEEDS)]
    parted = arms["all equal"].config.updated({"model.head_init": "glorot_uniform"})
    by_head = [spread(run) for run in lab.runs(parted, seeds=SEEDS)]
    tiny = 1e-12
    parts = [
        Part(
            "spread of equal units",
            "With equal weights, the head's too, the units of every layer stay exactly equal.",
            exact(max(equal), len(equal)),
            "largest difference of a weight",
            low=-tiny,
            high=tiny,
        ),
        Part(
            "spread, Glorot head",
            "A head with random weights alone parts the units of the last hidden layer.",
            exact(min(by_head), len(by_head)),
            "largest difference of a weight",
        ),
        Part(
            "equal - one unit a layer",
            "The test accuracy is that of a network with one unit a layer, to five points.",
            accuracy(arms["all equal"], arms["one unit a layer"]),
            low=-5.0,
            high=5.0,
        ),
    ]
    cells = [["all equal", f"{max(equal):.3g}"], ["equal, Glorot head", f"{min(by_head):.3g}"]]
    spreads = Table("Largest difference between units of a layer", ["", "spread"], cells)
    return Outcome(parts, [arms_table(arms), spreads], REDUCED)


CLAIM: Final = Claim(
    name="symmetry",
    statement="If all weights begin with the same value, training never breaks the symmetry: a layer is one unit.",
    section="Glorot and He initialisation",
    hypothesis="Columns of every hidden kernel stay exactly equal. A random head would refute it, and is tried too.",
    measure=measure,
    questions=(1,),
)
