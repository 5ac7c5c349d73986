"""The same value for all weights: the units of a layer stay equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import jax
import numpy as np

from experiments.lab.claim import Claim, Outcome, Part, Table
from experiments.lab.contrasts import accuracy, exact
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.tables import arms_table
from jaxdeep import Config, Run

EQUAL: Final = {"model.kernel_init": "constant", "model.head_init": "constant", "model.init_scale": 0.02}
ARMS: Final = {"all equal": EQUAL, "one unit a layer": {**EQUAL, "model.units": (1,) * 5, "model.init_scale": 0.5}}
DOUBLES: Final = BASE.updated({"train.dtype": "float64"})
SEEDS: Final = 5
TINY: Final = 1e-6
UNIT: Final = "largest difference of a weight"
NOTE: Final = "Sums are rounded differently for the units of a layer. Training lets these errors of rounding grow."


@contextmanager
def doubles() -> Iterator[None]:
    """Let JAX compute in double precision, on the threads of a study too."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def spread(run: Run) -> float:
    """Return the largest difference between units of one hidden layer, over all their incoming weights.

    Args:
        run: Trained network, whose kernels are stored as [layers, units, inputs].
    """
    head = f"layer_{len(run.config.model.units)}"
    hidden = [of["dense"]["kernel"] for name, of in run.params.items() if name != head]
    return max(float(np.ptp(np.asarray(kernel), axis=1).max()) for kernel in hidden)


def spreads(lab: Lab, config: Config) -> list[float]:
    """Return the spread of each seed's last weights.

    Args:
        lab: Laboratory that trains the networks.
        config: Configuration at its learning rate.
    """
    return [spread(run) for run in lab.runs(config.updated({"train.keep": "last"}), seeds=SEEDS)]


def measure(lab: Lab) -> Outcome:
    """Train networks whose weights begin equal, and compare the units of each layer."""
    first = {"train.epochs": 1, "train.patience": 1}
    with doubles():
        arms = lab.tuned(arms_of(DOUBLES, ARMS), seeds=SEEDS)
        equal = arms["all equal"].config
        found = {"first epoch, float64": spreads(lab, equal.updated(first)), "all epochs, float64": spreads(lab, equal)}
    single = equal.updated({"train.dtype": "float32"})
    found |= {"first epoch, float32": spreads(lab, single.updated(first)), "all epochs, float32": spreads(lab, single)}
    by_head = spreads(lab, single.updated({"model.head_init": "glorot_uniform"}))
    words = "With equal weights, the head's too, the units of every layer stay equal, to 1e-6: {}."
    parts = [
        *(
            Part(f"spread, {name}", words.format(name), exact(max(values), SEEDS), UNIT, low=-TINY, high=TINY)
            for name, values in found.items()
        ),
        Part(
            "spread, Glorot head",
            "A head with random weights alone parts the units.",
            exact(min(by_head), SEEDS),
            UNIT,
            low=TINY,
        ),
        Part(
            "equal - one unit a layer",
            "In double precision the test accuracy is that of a network with one unit a layer, to five points.",
            accuracy(arms["all equal"], arms["one unit a layer"]),
            low=-5.0,
            high=5.0,
        ),
    ]
    found |= {"all epochs, float32, Glorot head": by_head}
    rows = [[name, f"{min(values):.2g}", f"{max(values):.2g}"] for name, values in found.items()]
    table = Table("Largest difference between units of a layer", ["", "least of the seeds", "most of the seeds"], rows)
    return Outcome(parts, [arms_table(arms), table], REDUCED, NOTE)


CLAIM: Final = Claim(
    name="symmetry",
    statement="If all weights begin with the same value, training never breaks the symmetry: a layer is one unit.",
    section="Glorot and He initialisation",
    hypothesis="Units of every hidden layer stay equal, in both precisions. A random head parts them.",
    measure=measure,
    questions=(1,),
)
