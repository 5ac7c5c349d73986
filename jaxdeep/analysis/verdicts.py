"""Verdicts on pairs of predictors of the same networks: which differences their figures show."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from jaxdeep.analysis.differences import Difference, paired_scores
from jaxdeep.analysis.evidence import Answer, judge
from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.metrics import brier_scores, correct, log_losses
from jaxdeep.analysis.predictors import TEST, Predictor
from jaxdeep.analysis.statistics import holm

SCORES: Final = {"accuracy": correct, "nll": log_losses, "brier": brier_scores}
"""Functions that score each image by name. The mean of a score over images is a figure."""
PAIRS: Final = (
    ("mc_dropout", "plain"),
    ("ensemble", "plain"),
    ("ensemble", "mc_dropout"),
    ("plain, scaled", "plain"),
    ("mc_dropout", "plain, scaled"),
    ("ensemble, scaled", "plain, scaled"),
)
"""Names of the predictors to compare, if both exist. The question is whether the first one is better."""


def verdicts_on(
    predictors: Sequence[Predictor], figures: Mapping[str, Mapping[str, Jackknifed]], labels: np.ndarray
) -> list[dict[str, Any]]:
    """Compare predictors in the pairs of PAIRS.

    Scores of each image are compared over networks and images, other figures over networks. An ensemble has no scores
    of single networks. Its differences add the variances of both, which makes their intervals rather too wide.

    Args:
        predictors: Predictors with answers for `test`.
        figures: Figures with their jackknife by the names of predictor and figure.
        labels: Integer labels [N] of the test images.

    Returns:
        An entry for each pair whose predictors both have leave-one-out figures, as JSON values.
    """
    by_name = {predictor.name: predictor for predictor in predictors}
    scores = {predictor.name: scores_of(predictor, TEST, labels) for predictor in predictors}
    repeated = [of.name for of in predictors if len(figures[of.name]["accuracy"].leave_one_out)]
    pairs = [(first, second) for first, second in PAIRS if first in repeated and second in repeated]
    compared = [figure for figure in figures[predictors[0].name] if is_compared(figure)]

    def difference_of(first: str, second: str, figure: str) -> Difference:
        difference = figures[first][figure] - figures[second][figure]
        if figure not in SCORES:
            return difference.against_none()
        of_pair = [(by_name[name], scores[name][figure]) for name in (first, second)]
        if not any(predictor.is_ensemble for predictor, _ in of_pair):
            return paired_scores(of_pair[0][1] - of_pair[1][1])
        of_images = [predictor.over_networks(values) for predictor, values in of_pair]
        return difference.against_none(of_images[0] - of_images[1])

    differences = {
        (first, second, figure): difference_of(first, second, figure) for first, second in pairs for figure in compared
    }
    tested = {key: difference for key, difference in differences.items() if not difference.is_identity}
    by_holm = dict(zip(tested, holm([difference.p_value for difference in tested.values()]), strict=True))
    entries = {
        key: _entry(key[2], difference, len(tested), by_holm.get(key, 1.0)) for key, difference in differences.items()
    }
    return [
        {"one": first, "other": second, "figures": {figure: entries[first, second, figure] for figure in compared}}
        for first, second in pairs
    ]


def _entry(figure: str, difference: Difference, comparisons: int, p_holm: float) -> dict[str, Any]:
    """Return a difference with its evidence as JSON values. An identity has no answer."""
    entry = difference_json(difference) | {"p_holm": p_holm, "verdict": "", "answer": None}
    if difference.is_identity:
        return entry
    evidence = judge(difference, comparisons)
    return entry | evidence._asdict() | {"verdict": verdict(figure, difference.difference, evidence.answer)}


def scores_of(predictor: Predictor, part: str, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of images by name.

    Args:
        predictor: R networks or ensembles.
        part: Name of the images such as "test".
        labels: Integer labels [N] of these images.

    Returns:
        Scores [R, N] by name. The NLL is in nats.
    """
    probabilities = predictor.answers[part].probabilities
    return {
        name: np.stack([score(values, labels) for values in probabilities]).astype(np.float64)
        for name, score in SCORES.items()
    }


def is_compared(figure: str) -> bool:
    """Return whether differences of a figure are compared.

    Figures of validation images and temperatures are not. For the detection of other images only the AUROC of the
    entropy is compared.

    Args:
        figure: Name of a figure such as "nll".

    Returns:
        True for accuracy, NLL, Brier score, calibration errors, AURC and the AUROC of the entropy.
    """
    return (
        not figure.startswith("val_")
        and figure != "temperature"
        and not figure.endswith(("information/auroc", "fpr95"))
    )


def is_better_high(figure: str) -> bool:
    """Return whether a higher value of a figure is better.

    Args:
        figure: Name of a figure such as "accuracy".
    """
    return figure.endswith(("accuracy", "auroc"))


def verdict(figure: str, difference: float, answer: Answer) -> str:
    """Return the verdict on a difference in a word.

    Args:
        figure: Name of the compared figure.
        difference: First figure minus the second in the unit of the figure.
        answer: What the evidence says of the difference.

    Returns:
        "better" or "worse" for the first figure. "" if no difference is shown.
    """
    if answer != "different":
        return ""
    return "better" if (difference > 0) == is_better_high(figure) else "worse"


def difference_json(difference: Difference) -> dict[str, Any]:
    """Return a difference as JSON values.

    Args:
        difference: Difference of two figures.

    Returns:
        Its size, interval, p-value and number of seeds. `pairs_to_tell` is None since version 0.2. It depended on the
        difference that was found, and could not tell what a study can show.
    """
    values = {name: getattr(difference, name) for name in ("difference", "low", "high", "p_value")}
    return values | {"seeds": difference.pairs, "pairs_to_tell": None}
