"""The standard deviation of signals with the initialisers of Glorot and He."""

from typing import Final

import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import log_mean
from experiments.lab.lab import Lab
from experiments.lab.signals import moments_at_start
from jaxdeep import Model
from jaxdeep.config.choices import Activation, Initializer

LAYERS: Final = 20
PAIRS: Final[dict[str, tuple[Initializer, Activation]]] = {
    "Glorot, tanh": ("glorot_normal", "tanh"),
    "Glorot, logistic": ("glorot_normal", "sigmoid"),
    "Glorot, linear": ("glorot_normal", "linear"),
    "He, ReLU": ("he_normal", "relu"),
    "He, ELU": ("he_normal", "elu"),
    "Glorot, ReLU": ("glorot_normal", "relu"),
}
"""Initialisers and activations. The last one is the pair that the chapter warns of."""
WARNED: Final = "Glorot, ReLU"
WITHIN: Final = 2.0
"""Factor within which a standard deviation counts as kept through all layers."""


def measure(lab: Lab) -> Outcome:
    """Send standard-normal rows through 20 layers with initial weights, and gradients back."""
    parts, rows = [], []
    for name, (initialiser, activation) in PAIRS.items():
        model = Model(units=(100,) * LAYERS, activation=activation, kernel_init=initialiser)
        found = [moments_at_start(model, seed) for seed in lab.seeds(10)]
        forward, back = log_mean([of.std[-1] for of in found]), log_mean([of.gradient for of in found])
        shown = [f"{np.mean([of.std[layer] for of in found]):.3f}" for layer in (0, 4, 9, 19)]
        rows.append([name, *shown, f"{np.mean([of.gradient for of in found]):.3g}"])
        if name != WARNED:
            words = f"With {name} the standard deviation after {LAYERS} layers is within a factor of 2 of the input's."
            parts.append(Part(f"values, {name}", words, forward, RATIO, 1 / WITHIN, WITHIN))
            words = f"With {name} the gradient by the inputs is within a factor of 2 of that by the last layer."
            parts.append(Part(f"gradients, {name}", words, back, RATIO, 1 / WITHIN, WITHIN))
    table = Table("Standard deviation by layer", ["", "1", "5", "10", "20", "gradient, first over last"], rows)
    return Outcome(parts, [table], notes="500 standard-normal rows, 100 units a layer, initial weights.")


CLAIM: Final = Claim(
    name="glorot_he",
    statement="The initialisers of Glorot and He keep the standard deviation of outputs that of the inputs.",
    section="Glorot and He initialisation",
    hypothesis="Through 20 layers values and gradients stay within a factor of 2, each activation with its own.",
    measure=measure,
    dataset=None,
)
