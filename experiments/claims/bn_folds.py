"""Batch normalisation folded into the dense layers for inference."""

from typing import Final

import jax.numpy as jnp
import numpy as np

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import exact, ratio
from experiments.lab.lab import BASE, Lab
from experiments.lab.tables import estimate_text
from experiments.lab.timing import NOTE, batch_microseconds
from jaxdeep import Run
from jaxdeep.compress import fold_batch_norm
from jaxdeep.compress.quantizing import server

BN: Final = BASE.updated(
    {"model.batch_norm": True, "model.batch_norm_input": True, "data.train_size": 10_000, "train.epochs": 5}
)
ROWS: Final = 1_000


def largest_difference(run: Run, folded: Run) -> float:
    """Return the largest difference of two logits over the largest absolute logit.

    Args:
        run: Network with batch normalisation.
        folded: The same network with it folded.
    """
    rows, _ = run.data.test.take(jnp.arange(ROWS))
    logits = [np.asarray(server(network, ROWS)(rows)) for network in (run, folded)]
    return float(np.abs(logits[0] - logits[1]).max() / np.abs(logits[0]).max())


def measure(lab: Lab) -> Outcome:
    """Fold batch normalisation, of the input too, and compare logits and times."""
    runs = lab.runs(BN, seeds=5)
    folded = [fold_batch_norm(run) for run in runs]
    errors = [largest_difference(*pair) for pair in zip(runs, folded, strict=True)]
    times = batch_microseconds(lab, {"BN": runs[0], "folded": folded[0]}, ROWS)
    words = "The logits differ by less than 1e-4 of the largest."
    parts = [
        Part(
            "largest difference of logits",
            words,
            exact(max(errors), len(errors)),
            "share of the largest logit",
            -1.0,
            1e-4,
        ),
        Part(
            "BN / folded", "The folded network is faster.", ratio(times["BN"], times["folded"]), RATIO, 1.0, margin=0.02
        ),
    ]
    rows = [[name, estimate_text(of, 0)] for name, of in times.items()]
    table = Table(f"Microseconds for a batch of {ROWS:,}", ["", "microseconds"], rows)
    return Outcome(parts, [table], "10,000 of the training images, 5 x 100 units, 5 epochs", NOTE)


CLAIM: Final = Claim(
    name="bn_folds",
    statement="Batch normalisation can be folded into the layer before it, so that it costs nothing at inference.",
    section="Batch normalisation",
    hypothesis="The folded network gives the same logits to 1e-4, and takes less time than the one with normalisation.",
    measure=measure,
)
