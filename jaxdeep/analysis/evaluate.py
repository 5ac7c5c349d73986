"""How good predictors are: figures with intervals, and verdicts on their differences.

Accuracy, NLL and Brier score are means over the test images; calibration errors and the area under the rejection curve
are not. Another set's images are told from the test images by doubt: the entropy of the mean probabilities, and, where
there are several networks or samples, the mutual information.
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
"""Of each image: their means are the figures."""
PREFIXES: Final = {VALID: "val_", TEST: ""}
PAIRS: Final = (
    ("mc_dropout", "plain"),
    ("ensemble", "plain"),
    ("ensemble", "mc_dropout"),
    ("plain, scaled", "plain"),
    ("mc_dropout", "plain, scaled"),
    ("ensemble, scaled", "plain, scaled"),
)
"""The questions, as far as there are such predictors: is the first one better?"""

Labels = Mapping[str, np.ndarray]
"""[N] of `valid` and of `test`."""


def evaluate_predictors(
    predictors: Sequence[Predictor], labels: Labels, mc_samples: McSamples | None = None
) -> dict[str, Any]:
    """All figures of some predictors of the same networks, and the verdicts.

    Args:
        predictors: the plain one first; each with answers for `valid`, `test` and the same other sets.
        labels: of the validation and the test images.
        mc_samples: of MC dropout, for its figures by number of samples.

    Returns:
        JSON values: predictors, by name the estimate of each figure over networks, with its value for each network, or
        without each of them for an ensemble; verdicts, for each of PAIRS one,
        other, and by figure the difference with its interval, p-value (corrected for the number of all of them, by
        Holm) and verdict, none of them for a single network; by_samples, for numbers of samples the estimates of
        the scores and their differences from the plain ones, p-values as they are.
    """
    values = {of.name: figures_of(of, labels) for of in predictors}
    figures = {of.name: {name: of.jackknifed(each) for name, each in values[of.name].items()} for of in predictors}
    each_of = {of.name: "leave_one_out" if of.is_ensemble else "values" for of in predictors}
    return {
        "predictors": {
            name: {
                figure: found.with_interval()._asdict() | {each_of[name]: _each(values[name][figure], each_of[name])}
                for figure, found in of_one.items()
            }
            for name, of_one in figures.items()
        },
        "verdicts": _verdicts(predictors, figures, labels[TEST]),
        **({} if mc_samples is None else {"by_samples": _by_samples(predictors[0], mc_samples, labels)}),
    }


def _each(values: np.ndarray, kind: str) -> list[float]:
    """The figure of each network, or of the ensemble without each of them."""
    return values[1 if kind == "leave_one_out" else 0 :].tolist()


def figures_of(predictor: Predictor, labels: Labels) -> dict[str, np.ndarray]:
    """Figure -> its value for each of the R predictors."""
    test = predictor.answers[TEST].probabilities
    found = {
        f"{prefix}{name}": values.mean(1)
        for part, prefix in PREFIXES.items()
        for name, values in scores_of(predictor, part, labels[part]).items()
    }
    for name, equal_mass in (("ece", False), ("ece_equal_mass", True)):
        found[name] = np.asarray([calibration(one, labels[TEST], equal_mass=equal_mass).error for one in test])
    doubts = uncertainty_scores(predictor, TEST)
    right = [correct(one, labels[TEST]) for one in test]
    found["aurc"] = np.asarray(list(map(area_under_risk_coverage, doubts["entropy"], right)))
    for other in (part for part in predictor.answers if part not in (VALID, TEST)):
        for doubt, of_other in uncertainty_scores(predictor, other).items():
            told = list(zip(of_other, doubts[doubt], strict=True))
            found[f"{other}/{doubt}/auroc"] = np.asarray([auroc(*scores) for scores in told])
            found[f"{other}/{doubt}/fpr95"] = np.asarray([false_positive_rate(*scores) for scores in told])
    if predictor.temperatures is not None:
        found["temperature"] = predictor.temperatures
    return found


def uncertainty_scores(predictor: Predictor, part: str) -> dict[str, np.ndarray]:
    """Name of a measure of doubt -> [R, N]."""
    answers = predictor.answers[part]
    found = {"entropy": np.asarray(entropy(jnp.asarray(answers.probabilities)))}
    return found if answers.information is None else {**found, "information": answers.information}


def is_compared(figure: str) -> bool:
    """Whether differences of a figure are compared: of the test images, and by one measure of doubt."""
    return (
        not figure.startswith("val_")
        and figure != "temperature"
        and not figure.endswith(("information/auroc", "fpr95"))
    )


def is_better_high(figure: str) -> bool:
    """Whether more of it is better."""
    return figure.endswith(("accuracy", "auroc"))


def _verdicts(
    predictors: Sequence[Predictor], figures: Mapping[str, Mapping[str, Jackknifed]], labels: np.ndarray
) -> list[dict[str, Any]]:
    scores = {
        of.name: {name: of.over_networks(values) for name, values in scores_of(of, TEST, labels).items()}
        for of in predictors
    }
    told = [of.name for of in predictors if len(figures[of.name]["accuracy"].leave_one_out)]
    pairs = [(one, other) for one, other in PAIRS if one in told and other in told]
    compared = [figure for figure in figures[predictors[0].name] if is_compared(figure)]
    found = {
        (one, other, figure): _difference(
            figures[one][figure] - figures[other][figure],
            scores[one][figure] - scores[other][figure] if figure in SCORES else None,
            len(pairs) * len(compared),
        )
        for one, other in pairs
        for figure in compared
    }
    corrected = holm([difference["p_value"] for difference in found.values()])
    for (_, _, figure), difference, p_value in zip(found, found.values(), corrected, strict=True):
        difference |= {"p_holm": p_value, "verdict": verdict(figure, difference["difference"], p_value)}
    return [
        {"one": one, "other": other, "figures": {figure: found[one, other, figure] for figure in compared}}
        for one, other in pairs
    ]


def scores_of(predictor: Predictor, part: str, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Name of a score -> [R, N], of each predictor on each image."""
    probabilities = predictor.answers[part].probabilities
    return {
        name: np.stack([score(one, labels) for one in probabilities]).astype(np.float64)
        for name, score in SCORES.items()
    }


def verdict(figure: str, difference: float, p_value: float) -> str:
    """In a word: better, worse, or "" where there is no telling."""
    if p_value >= SIGNIFICANCE:
        return ""
    return "better" if (difference > 0) == is_better_high(figure) else "worse"


def _difference(difference: Jackknifed, of_images: np.ndarray | None, comparisons: int = 1) -> dict[str, Any]:
    found = difference.against_none(of_images, comparisons)._asdict()
    return {"seeds" if name == "pairs" else name: value for name, value in found.items()}


def _by_samples(networks: Predictor, mc_samples: McSamples, labels: Labels) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {count: {"samples": count} for count in mc_samples.means[TEST]}
    for part, prefix in PREFIXES.items():
        without = scores_of(networks, part, labels[part])
        for count, means in mc_samples.means[part].items():
            by_mc_dropout = Predictor("mc_dropout", {part: Answers(means)})
            for name, values in scores_of(by_mc_dropout, part, labels[part]).items():
                each = values.mean(1)
                rows[count][prefix + name] = Jackknifed.mean(each).with_interval()._asdict() | {"values": each.tolist()}
                if len(values) > 1:
                    differences = values - without[name]
                    difference = _difference(Jackknifed.mean(differences.mean(1)), differences.mean(0))
                    rows[count][f"{prefix}{name}_difference"] = difference
    return list(rows.values())
