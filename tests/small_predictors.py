"""What the tests of figures and their reports share: predictors that are made up, and what is known of them."""

import numpy as np
from scipy import special

from jaxdeep.analysis.predictors import Answers, McSamples, Predictor, at_temperature, ensemble_of

CLASSES, NETWORKS = 4, 5
SIZES = {"valid": 150, "test": 400, "far": 300, "near": 120}
rng = np.random.default_rng(0)
LABELS = {part: rng.integers(0, CLASSES, SIZES[part]) for part in ("valid", "test")}
IMAGES = {part: rng.normal(size=(size, CLASSES)) for part, size in SIZES.items()}


def predictor(
    name: str, networks: int = NETWORKS, ahead: float = 0.0, seed: int = 1, informed: bool = False
) -> Predictor:
    """Networks that know something of the labels, each a little else; of other sets nothing, and of `far` less."""
    own = np.random.default_rng(seed)
    answers = {}
    for part, images in IMAGES.items():
        logits = images * {"far": 0.2}.get(part, 1.0) + own.normal(0, 0.6, (networks, *images.shape))
        if part in LABELS:
            logits = logits + (1.5 + ahead) * np.eye(CLASSES)[LABELS[part]]
        information = own.gamma(2.0, 2.0 if part == "far" else 1.0, logits.shape[:2]) if informed else None
        answers[part] = Answers(special.softmax(logits, -1).astype(np.float32), information)
    return Predictor(name, answers)


PLAIN = predictor("plain")
MC = predictor("mc_dropout", ahead=0.8, seed=2, informed=True)
ALL = [PLAIN, MC, ensemble_of(PLAIN)]
ALL += [at_temperature(of, LABELS["valid"]) for of in ALL]


def drawn(mc: Predictor) -> McSamples:
    """Means of few samples that are worse than the last ones, which are those of the predictor."""
    few = predictor("mc_dropout", len(mc.answers["test"].probabilities), ahead=-1.0, seed=3)
    means = {part: {1: few.answers[part].probabilities, 8: mc.answers[part].probabilities} for part in LABELS}
    return McSamples(mc, means, mc.answers["test"].probabilities[:, :1].repeat(8, 1))
