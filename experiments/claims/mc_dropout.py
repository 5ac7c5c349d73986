"""MC dropout: accuracy and uncertainty."""

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from experiments.lab.claim import INFINITY, Claim, Outcome, Part, Table
from experiments.lab.contrasts import difference, scaled
from experiments.lab.lab import BASE, REDUCED, Lab
from experiments.lab.tables import estimate_text
from jaxdeep import Run, mc_predict
from jaxdeep.analysis.calibration import calibration
from jaxdeep.analysis.differences import Difference, paired_scores
from jaxdeep.analysis.metrics import auroc, brier_scores, correct, log_losses
from jaxdeep.analysis.uncertainty import entropy

DROPOUT: Final = BASE.updated({"model.dropout_sites": "every", "model.dropout_rate": 0.2})
SAMPLES: Final = 100
SCORES: Final = {"accuracy": correct, "NLL": log_losses, "Brier score": brier_scores}


def answers(run: Run, images: np.ndarray, *, by_mc: bool) -> np.ndarray:
    """Return the probabilities [N, C] of a network.

    Args:
        run: Trained network.
        images: Images [N, H, W, C].
        by_mc: Whether they are means over SAMPLES masks.
    """
    if not by_mc:
        return run.predict(images, check=False)
    return np.asarray(mc_predict(run, images, jax.random.key(run.seed), SAMPLES, check=False).mean)


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each row in nats.

    Args:
        probabilities: Probabilities [N, C].
    """
    return np.asarray(entropy(jnp.asarray(probabilities)))


def measure(lab: Lab) -> Outcome:
    """Compare MC dropout with the plain network, image by image and on images of another kind."""
    runs = lab.runs(DROPOUT, seeds=8)
    images = lab.images()
    others = lab.images("mnist").test_images
    labels = images.test_labels.astype(np.int32)
    found = {of: [answers(run, images.test_images, by_mc=of == "MC") for run in runs] for of in ("MC", "plain")}
    unlike = {of: [entropies(answers(run, others, by_mc=of == "MC")) for run in runs] for of in found}

    def scores(score: str) -> Difference:
        both = [np.stack([SCORES[score](of, labels).astype(float) for of in found[name]]) for name in ("MC", "plain")]
        return paired_scores(both[0] - both[1])

    errors = {of: [calibration(one, labels).error for one in own] for of, own in found.items()}
    detected = {
        of: [auroc(away, entropies(own)) for away, own in zip(unlike[of], found[of], strict=True)] for of in found
    }
    parts = [
        Part("accuracy", "MC dropout has a higher test accuracy.", scaled(scores("accuracy"), 100), margin=0.5),
        Part("NLL", "It has a lower test loss.", scores("NLL"), "nats", -INFINITY, 0.0, margin=0.005),
        Part(
            "Brier score",
            "It has a lower Brier score.",
            scores("Brier score"),
            "Brier score",
            -INFINITY,
            0.0,
            margin=0.001,
        ),
        Part(
            "calibration error",
            "It has a lower calibration error.",
            difference(errors["MC"], errors["plain"]),
            "ECE",
            -INFINITY,
            0.0,
        ),
        Part(
            "AUROC",
            "Its entropy detects MNIST's digits better.",
            difference(detected["MC"], detected["plain"]),
            "AUROC",
            margin=0.005,
        ),
    ]
    rows = [
        [
            of,
            estimate_text([float(SCORES[score](one, labels).mean()) for one in own]),
            estimate_text(errors[of]),
            estimate_text(detected[of]),
        ]
        for score in ("accuracy",)
        for of, own in found.items()
    ]
    table = Table("Figures of the test images", ["", "accuracy", "ECE", "AUROC against MNIST"], rows)
    return Outcome(parts, [table], REDUCED, f"{SAMPLES} samples. Another kind of images: MNIST's test digits.")


CLAIM: Final = Claim(
    name="mc_dropout",
    statement="MC dropout improves the accuracy and the uncertainty of a network with dropout.",
    section="Dropout",
    hypothesis="Five parts: accuracy, loss, Brier score, calibration error, detection of images of another kind.",
    measure=measure,
    questions=(7,),
)
