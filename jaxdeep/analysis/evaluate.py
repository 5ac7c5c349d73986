"""Figures of predictors with intervals and verdicts on their differences.

Accuracy, NLL and Brier score are means over the test images. Calibration errors and the area under the risk-coverage
curve are not. Images of another data set are detected by their uncertainty score. One such score is the entropy of the
mean probabilities. Another is the mutual information, which needs several networks or samples.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.calibration import calibration, calibration_noise_floor
from jaxdeep.analysis.differences import paired_scores
from jaxdeep.analysis.jackknife import Jackknifed
from jaxdeep.analysis.metrics import (
    area_under_risk_coverage,
    auroc,
    correct,
    false_positive_rate,
)
from jaxdeep.analysis.predictors import TEST, VALID, Answers, McSamples, Predictor
from jaxdeep.analysis.statistics import within
from jaxdeep.analysis.uncertainty import entropy
from jaxdeep.analysis.verdicts import difference_json, scores_of, verdicts_on

CALIBRATION_ERRORS: Final = {"ece": False, "ece_equal_mass": True}
"""Whether the bins of a calibration error hold equal numbers of images, by name."""
PREFIXES: Final = {VALID: "val_", TEST: ""}
"""Beginning of a figure's name for the validation images and for the test images."""
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
          stand the values of all networks. An ensemble has the values without each network instead. A calibration error
          has its noise floor too.
        - `verdicts` holds a comparison for each of PAIRS. Each figure has its difference with its `Evidence`. Intervals
          and p-values are corrected for the number of all differences. A difference that is 0 for every network is an
          identity and counts as none. There are no verdicts for a single network.
        - `by_samples` holds scores by number of samples, and their differences from the plain predictor. These p-values
          are not corrected.
    """
    values = {predictor.name: figures_of(predictor, labels) for predictor in predictors}
    figures = {
        predictor.name: {figure: predictor.jackknifed(each) for figure, each in values[predictor.name].items()}
        for predictor in predictors
    }
    kinds = {predictor.name: "leave_one_out" if predictor.is_ensemble else "values" for predictor in predictors}
    floors = {predictor.name: _noise_floors(predictor) for predictor in predictors}
    return {
        "predictors": {
            name: {
                figure: within(estimate.with_interval(), *bounds_of(figure))._asdict()
                | {kinds[name]: _each(values[name][figure], kinds[name])}
                | floors[name].get(figure, {})
                for figure, estimate in estimates.items()
            }
            for name, estimates in figures.items()
        },
        "verdicts": verdicts_on(predictors, figures, labels[TEST]),
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
    for name, equal_mass in CALIBRATION_ERRORS.items():
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


def _noise_floors(predictor: Predictor) -> dict[str, dict[str, Any]]:
    """Return the noise floor of each calibration error by name, as a mean over networks or of the ensemble."""
    test = predictor.answers[TEST].probabilities[: 1 if predictor.is_ensemble else None]
    floors = {}
    for name, equal_mass in CALIBRATION_ERRORS.items():
        of_networks = [calibration_noise_floor(probabilities, equal_mass=equal_mass) for probabilities in test]
        mean, high = (float(value) for value in np.mean(of_networks, 0))
        floors[name] = {"noise_floor": {"mean": mean, "high": high}}
    return floors


def bounds_of(figure: str) -> tuple[float, float]:
    """Return the lowest and the highest value that a figure can have.

    Args:
        figure: Name of a figure such as "val_nll".

    >>> bounds_of("ece"), bounds_of("nll")
    ((0.0, 1.0), (0.0, inf))
    """
    if figure.endswith(("nll", "temperature")):
        return 0.0, math.inf
    return 0.0, 2.0 if figure.endswith("brier") else 1.0


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


def _by_samples(networks: Predictor, mc_samples: McSamples, labels: Labels) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {count: {"samples": count} for count in mc_samples.means[TEST]}
    for part, prefix in PREFIXES.items():
        plain_scores = scores_of(networks, part, labels[part])
        for count, probabilities in mc_samples.means[part].items():
            by_mc_dropout = Predictor("mc_dropout", {part: Answers(probabilities)})
            for name, values in scores_of(by_mc_dropout, part, labels[part]).items():
                means = values.mean(1)
                estimate = within(Jackknifed.mean(means).with_interval(), *bounds_of(name))._asdict()
                rows[count][prefix + name] = estimate | {"values": means.tolist()}
                if len(values) > 1:
                    difference = difference_json(paired_scores(values - plain_scores[name]))
                    rows[count][f"{prefix}{name}_difference"] = difference
    return list(rows.values())
