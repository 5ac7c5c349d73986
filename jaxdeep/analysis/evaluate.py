"""Figures of predictors with intervals and verdicts on their differences.

Accuracy, NLL and Brier score are means over the test images. Calibration errors and the area under the risk-coverage
curve are not. Images of another data set are detected by their uncertainty score. One such score is the entropy of the
mean probabilities. Another is the mutual information, which needs several networks or samples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.metrics import (
    area_under_risk_coverage,
    auroc,
    brier_scores,
    calibration,
    correct,
    false_positive_rate,
    log_losses,
)
from jaxdeep.analysis.predictors import TEST, VALID, Answers, McSamples, Predictor
from jaxdeep.analysis.statistics import SIGNIFICANCE, holm
from jaxdeep.analysis.uncertainty import entropy

SCORES: Final = {"accuracy": correct, "nll": log_losses, "brier": brier_scores}
"""Functions that score each image by name. The mean of a score over images is a figure."""
PREFIXES: Final = {VALID: "val_", TEST: ""}
"""Beginning of a figure's name for the validation images and for the test images."""
PAIRS: Final = (
    ("mc_dropout", "plain"),
    ("ensemble", "plain"),
    ("ensemble", "mc_dropout"),
    ("plain, scaled", "plain"),
    ("mc_dropout", "plain, scaled"),
    ("ensemble, scaled", "plain, scaled"),
)
"""Names of the predictors to compare, if both exist. The question is whether the first one is better."""

Labels = Mapping[str, np.ndarray]
"""Labels [N] of the validation images (`valid`) and of the test images (`test`)."""


def evaluate_predictors(
    predictors: Sequence[Predictor], labels: Labels, mc_samples: McSamples | None = None
) -> dict[str, Any]:
    """Return all figures of several predictors of the same networks and the verdicts on their differences.

    Args:
        predictors: Predictors with answers for `valid`, `test` and the same other sets. The first one is the plain one.
        labels: Integer labels [N] of the validation images and of the test images.
        mc_samples: Samples of MC dropout for its figures by number of samples. None leaves these figures out.

    Returns:
        JSON values under up to three names.

        - `predictors` holds each figure of each predictor as its estimate over networks with an interval. Beside it
          stand the values of all networks. An ensemble has the values without each network instead.
        - `verdicts` holds a comparison for each of PAIRS. Each figure has its difference with interval, p-value and
          verdict. The p-values are corrected by Holm for the number of all differences. There are none for a single
          network.
        - `by_samples` holds scores by number of samples, and their differences from the plain predictor. These p-values
          are not corrected.
    """
    values = {predictor.name: figures_of(predictor, labels) for predictor in predictors}
    figures = {
        predictor.name: {figure: predictor.jackknifed(each) for figure, each in values[predictor.name].items()}
        for predictor in predictors
    }
    kinds = {predictor.name: "leave_one_out" if predictor.is_ensemble else "values" for predictor in predictors}
    return {
        "predictors": {
            name: {
                figure: estimate.with_interval()._asdict() | {kinds[name]: _each(values[name][figure], kinds[name])}
                for figure, estimate in estimates.items()
            }
            for name, estimates in figures.items()
        },
        "verdicts": _verdicts(predictors, figures, labels[TEST]),
        **({} if mc_samples is None else {"by_samples": _by_samples(predictors[0], mc_samples, labels)}),
    }


def _each(values: np.ndarray, kind: str) -> list[float]:
    """Return the figure of each network or of the ensemble without each network."""
    return values[1 if kind == "leave_one_out" else 0 :].tolist()


def figures_of(predictor: Predictor, labels: Labels) -> dict[str, np.ndarray]:
    """Return the figures of a predictor.

    Args:
        predictor: R networks or ensembles with answers for `valid`, `test` and other sets.
        labels: Integer labels [N] of the validation images and of the test images.

    Returns:
        Values of each figure [R] by name.
    """
    test = predictor.answers[TEST].probabilities
    figures = {
        f"{prefix}{name}": values.mean(1)
        for part, prefix in PREFIXES.items()
        for name, values in scores_of(predictor, part, labels[part]).items()
    }
    for name, equal_mass in (("ece", False), ("ece_equal_mass", True)):
        errors = [calibration(probabilities, labels[TEST], equal_mass=equal_mass).error for probabilities in test]
        figures[name] = np.asarray(errors)
    test_scores = uncertainty_scores(predictor, TEST)
    is_correct = [correct(probabilities, labels[TEST]) for probabilities in test]
    figures["aurc"] = np.asarray(list(map(area_under_risk_coverage, test_scores["entropy"], is_correct)))
    for part in (part for part in predictor.answers if part not in (VALID, TEST)):
        for name, part_scores in uncertainty_scores(predictor, part).items():
            pairs = list(zip(part_scores, test_scores[name], strict=True))
            figures[f"{part}/{name}/auroc"] = np.asarray([auroc(*scores) for scores in pairs])
            figures[f"{part}/{name}/fpr95"] = np.asarray([false_positive_rate(*scores) for scores in pairs])
    if predictor.temperatures is not None:
        figures["temperature"] = predictor.temperatures
    return figures


def uncertainty_scores(predictor: Predictor, part: str) -> dict[str, np.ndarray]:
    """Return the uncertainty scores of images.

    Args:
        predictor: R networks or ensembles.
        part: Name of the images such as "test".

    Returns:
        Scores [R, N] in nats by name. These are the entropy of the mean probabilities and the mutual information if
        the predictor has it.
    """
    answers = predictor.answers[part]
    scores = {"entropy": np.asarray(entropy(jnp.asarray(answers.probabilities)))}
    return scores if answers.information is None else {**scores, "information": answers.information}


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


def _verdicts(
    predictors: Sequence[Predictor], figures: Mapping[str, Mapping[str, Jackknifed]], labels: np.ndarray
) -> list[dict[str, Any]]:
    scores = {
        predictor.name: {
            name: predictor.over_networks(values) for name, values in scores_of(predictor, TEST, labels).items()
        }
        for predictor in predictors
    }
    repeated = [of.name for of in predictors if len(figures[of.name]["accuracy"].leave_one_out)]
    pairs = [(first, second) for first, second in PAIRS if first in repeated and second in repeated]
    compared = [figure for figure in figures[predictors[0].name] if is_compared(figure)]
    differences = {
        (first, second, figure): _difference(
            figures[first][figure] - figures[second][figure],
            scores[first][figure] - scores[second][figure] if figure in SCORES else None,
            len(pairs) * len(compared),
        )
        for first, second in pairs
        for figure in compared
    }
    corrected = holm([difference["p_value"] for difference in differences.values()])
    for (_, _, figure), difference, p_value in zip(differences, differences.values(), corrected, strict=True):
        difference |= {"p_holm": p_value, "verdict": verdict(figure, difference["difference"], p_value)}
    return [
        {"one": first, "other": second, "figures": {figure: differences[first, second, figure] for figure in compared}}
        for first, second in pairs
    ]


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


def verdict(figure: str, difference: float, p_value: float) -> str:
    """Return the verdict on a difference in a word.

    Args:
        figure: Name of the compared figure.
        difference: First figure minus the second in the unit of the figure.
        p_value: Corrected p-value of the difference in 0 .. 1.

    Returns:
        "better" or "worse" for the first figure. "" if the difference is not significant.
    """
    if p_value >= SIGNIFICANCE:
        return ""
    return "better" if (difference > 0) == is_better_high(figure) else "worse"


def _difference(difference: Jackknifed, of_images: np.ndarray | None, comparisons: int = 1) -> dict[str, Any]:
    test = difference.against_none(of_images, comparisons)._asdict()
    return {"seeds" if name == "pairs" else name: value for name, value in test.items()}


def _by_samples(networks: Predictor, mc_samples: McSamples, labels: Labels) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {count: {"samples": count} for count in mc_samples.means[TEST]}
    for part, prefix in PREFIXES.items():
        plain_scores = scores_of(networks, part, labels[part])
        for count, probabilities in mc_samples.means[part].items():
            by_mc_dropout = Predictor("mc_dropout", {part: Answers(probabilities)})
            for name, values in scores_of(by_mc_dropout, part, labels[part]).items():
                means = values.mean(1)
                estimate = Jackknifed.mean(means).with_interval()._asdict()
                rows[count][prefix + name] = estimate | {"values": means.tolist()}
                if len(values) > 1:
                    differences = values - plain_scores[name]
                    difference = _difference(Jackknifed.mean(differences.mean(1)), differences.mean(0))
                    rows[count][f"{prefix}{name}_difference"] = difference
    return list(rows.values())
