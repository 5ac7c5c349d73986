"""The findings of `--mc-samples` and `--ensemble`, as rows and sentences."""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.analysis.evidence import p_cell, p_text
from jaxdeep.report.divergence import losses_in_words, named
from jaxdeep.report.layout import fitted
from jaxdeep.report.tables import with_interval
from jaxdeep.study.trial_result import mean_from_json

NAMES: Final = {
    "val_accuracy": "val accuracy",
    "accuracy": "accuracy",
    "nll": "NLL",
    "brier": "Brier",
    "ece": "ECE",
    "ece_equal_mass": "ECE (equal mass)",
    "aurc": "AURC",
    "temperature": "temperature",
}
WITH_NOISE_FLOOR: Final = ("ece", "ece_equal_mass")
"""Figures that are above 0 by chance alone."""
SCORES: Final = {"entropy": "entropy", "information": "mutual information"}
Rows = list[tuple[str, ...]]


def figure_rows(uncertainty: Mapping[str, Any]) -> Rows:
    """Return the figures of the test images, a row for each predictor after a row of headers.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
    """
    rows: Rows = [("predictor", *(title for figure in NAMES for title in columns(figure)))]
    for name, figures in uncertainty["predictors"].items():
        cells = (cell for figure in NAMES for cell in figure_cells(figures, figure))
        rows.append((_named(name, uncertainty), *cells))
    return rows


def figure_cells(figures: Mapping[str, Any], figure: str) -> list[str]:
    """Return a figure with its interval. A calibration error is followed by its noise floor.

    Args:
        figures: Figures of a predictor, by name.
        figure: Name of a figure of NAMES.

    Returns:
        One cell for each column that `columns` names.
    """
    cells = [_interval(figures[figure]) if figure in figures else ""]
    if figure in WITH_NOISE_FLOOR:
        floor = figures.get(figure, {}).get("noise_floor")
        cells.append("-" if floor is None else f"{floor['mean']:.4f} (< {floor['high']:.4f})")
    return cells


def columns(figure: str) -> list[str]:
    """Return the title of a figure's column. A calibration error is followed by its noise floor.

    Args:
        figure: Name of a figure of NAMES.
    """
    return [NAMES[figure], *(["if calibrated"] if figure in WITH_NOISE_FLOOR else [])]


def other_rows(uncertainty: Mapping[str, Any]) -> Rows:
    """Return how well each predictor's uncertainty scores detect other sets' images: AUROC and FPR at 95% TPR.

    A row for each predictor and score follows a row of headers.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
    """
    others = uncertainty["other_images"]
    headers = (f"{figure} {other.replace('_', ' ')}" for other in others for figure in ("AUROC", "FPR95"))
    rows: Rows = [("predictor", "uncertainty score", *headers)]
    for name, figures in uncertainty["predictors"].items():
        for score, title in SCORES.items():
            keys = [f"{other}/{score}/{figure}" for other in others for figure in ("auroc", "fpr95")]
            if keys and all(key in figures for key in keys):
                rows.append((_named(name, uncertainty), title, *(_interval(figures[key]) for key in keys)))
    return rows


def verdict_rows(uncertainty: Mapping[str, Any]) -> Rows:
    """Return the differences of all pairs of predictors, a row for each figure after a row of headers.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
    """
    verdicts = uncertainty["verdicts"]
    rows: Rows = [("", *(f"{pair['one']} - {pair['other']}" for pair in verdicts))]
    for figure in verdicts[0]["figures"] if verdicts else ():
        rows.append((_name_of(figure), *(_difference(pair["figures"][figure]) for pair in verdicts)))
    return rows


def sample_rows(uncertainty: Mapping[str, Any]) -> Rows:
    """Return accuracies and NLL by number of samples, and their differences from the plain ones, headers first.

    Args:
        uncertainty: The part `uncertainty` of summary.json, with figures of MC dropout.
    """
    columns = {"val_accuracy": (", points", 100, 2), "accuracy": (", points", 100, 2), "nll": ("", 1, 4)}
    headers = ((NAMES[name], f"minus the plain one{unit}", "p") for name, (unit, _, _) in columns.items())
    rows: Rows = [("samples", *itertools.chain.from_iterable(headers))]
    for row in uncertainty["by_samples"]:
        cells = [f"{row['samples']:,}"]
        for name, (_, scale, digits) in columns.items():
            found = row.get(f"{name}_difference")
            cells.append(_interval(row[name]))
            cells += ["", ""] if found is None else [_plus_minus(found, scale, digits), p_cell(found["p_value"])]
        rows.append(tuple(cells))
    return rows


def answers(uncertainty: Mapping[str, Any]) -> list[str]:
    """Return the verdict on each pair in words: does the first predictor help?

    Args:
        uncertainty: The part `uncertainty` of summary.json.
    """
    return ["; ".join((_answer(pair), *who_diverged(uncertainty))) for pair in uncertainty["verdicts"]]


def who_diverged(uncertainty: Mapping[str, Any]) -> list[str]:
    """Return what is said of networks that diverged. Nothing of a study without them, or of an earlier version.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
    """
    counts = uncertainty.get("diverged")
    return losses_in_words("the study", **counts, noun="networks") if counts else []


def chapters(uncertainty: Mapping[str, Any], other_settings: str = "") -> list[str]:
    """Return what the chapter's sources print of MC dropout, and what as many samples do to the same figure here.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
        other_settings: How the study differs from what the chapter ran, in words, so that its figures do not stand side
            by side with the chapter's. "" if it does not differ.
    """
    rows = {row["samples"]: row for row in uncertainty.get("by_samples", ())}
    said = []
    for of in uncertainty["chapter"]:
        if other_settings:
            said.append(f"source {of['source']} prints figures of MC dropout: other settings: {other_settings}")
            continue
        where = {"val_accuracy": "validation", "accuracy": "test"}[of["figure"]]
        printed = f"{of['plain']:.4f} without dropout and {of['mc_dropout']:.4f} with {of['samples']} samples"
        found = rows.get(of["samples"], {}).get(f"{of['figure']}_difference")
        here = "" if found is None else f"; here {_points(found)}, {p_text(found['p_value'])}, {found['seeds']} seeds"
        said.append(f"source {of['source']} prints a {where} accuracy of one network, {printed}{here}")
    return said


def uncertainty_table(
    uncertainty: Mapping[str, Any], images: str, width: int | None = None, other_settings: str = ""
) -> str:
    """Return what a command prints of the networks' uncertainty.

    Args:
        uncertainty: The part `uncertainty` of summary.json.
        images: Name of the data set.
        width: Number of characters of a line at most, or None for no limit.
        other_settings: How the study differs from what the chapter ran, in words, or "" if it does not.
    """
    seeds = len(uncertainty["seeds"])
    samples = f", {uncertainty['mc_samples']:,} samples of MC dropout" if uncertainty["mc_samples"] else ""
    over = f", ± half of the 95% interval over {seeds} seeds" if seeds > 1 else ""
    parts = [f"Test images of {images}{samples}{over}; NLL in nats", *fitted(figure_rows(uncertainty), width)]
    if uncertainty["other_images"]:
        parts += ["OOD detection of other images by the uncertainty score", *fitted(other_rows(uncertainty), width)]
    if uncertainty["verdicts"]:
        parts += legend(uncertainty)
        parts += [*fitted(verdict_rows(uncertainty), width), *answers(uncertainty)]
    else:
        parts.append("One network: no interval and no verdict; --seeds 5 gives them")
    parts += chapters(uncertainty, other_settings)
    parts += who_diverged(uncertainty)
    parts += [f"{name} is left out: {reason}" for name, reason in uncertainty["left_out"].items()]
    return "\n".join(parts)


def _named(name: str, uncertainty: Mapping[str, Any]) -> str:
    many = f" of {len(uncertainty['seeds'])}" if name.startswith("ensemble") else ""
    base, *scaled = name.split(",")
    counts = uncertainty.get("diverged", {"runs": 0, "diverged": 0})
    return named(",".join((f"{base}{many}", *scaled)), counts["runs"], counts["diverged"])


def legend(uncertainty: Mapping[str, Any]) -> list[str]:
    """Return what the differences of predictors mean, a line for each.

    Args:
        uncertainty: The part `uncertainty` of summary.json, with verdicts.
    """
    tested = [of for pair in uncertainty["verdicts"] for of in pair["figures"].values() if of.get("answer")]
    if not tested:
        return ["Differences ± half of the 95% interval"]
    smallest, count = tested[0]["smallest_effect"], tested[0]["comparisons"]
    return [
        f"Differences ± half of the 95% interval, corrected for all {count} (Bonferroni)",
        f"better, worse: the interval excludes 0. = equivalent: it lies within {smallest:g} of 0. ~ undecided",
    ]


def _interval(estimate: Mapping[str, Any]) -> str:
    return with_interval(mean_from_json(estimate))


def _name_of(figure: str) -> str:
    return NAMES.get(figure) or f"AUROC {figure.split('/')[0].replace('_', ' ')}"


def _difference(found: Mapping[str, Any]) -> str:
    if is_identity(found):
        return "0 (identity)"
    word = found["verdict"] or ("=" if found.get("answer") == "equivalent" else "~")
    return f"{_plus_minus(corrected(found), 1, 4)} {word}"


def is_identity(found: Mapping[str, Any]) -> bool:
    """Return whether two predictors have the same figure in every network, so that nothing is tested.

    Args:
        found: Difference of two predictors as JSON values.
    """
    return found["low"] == found["difference"] == found["high"] == 0


def corrected(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a difference with the interval that is corrected for the number of comparisons.

    Args:
        found: Difference of two predictors as JSON values. An identity or one of version 0.1 has no such interval, and
            keeps its own.
    """
    ends = {end: found.get(f"{end}_corrected", found[end]) for end in ("low", "high")}
    return {**found, **ends}


def _plus_minus(found: Mapping[str, Any], scale: float, digits: int) -> str:
    half = scale * (found["high"] - found["low"]) / 2
    return f"{scale * found['difference']:+.{digits}f} ± {half:.{digits}f}"


def _answer(pair: Mapping[str, Any]) -> str:
    tested = {name: of for name, of in pair["figures"].items() if not is_identity(of)}
    said = []
    for word in ("better", "worse", "equivalent", "undecided"):
        if names := [_name_of(name) for name, of in tested.items() if _word(of) == word]:
            said.append(f"{word} in {', '.join(names)}")
    accuracy = pair["figures"]["accuracy"]
    of_accuracy = "the same accuracy" if is_identity(accuracy) else f"accuracy {_points(corrected(accuracy))}"
    return f"{pair['one']} against {pair['other']}, {accuracy['seeds']} seeds: {'; '.join((of_accuracy, *said))}"


def _word(found: Mapping[str, Any]) -> str:
    return found["verdict"] or ("equivalent" if found.get("answer") == "equivalent" else "undecided")


def _points(found: Mapping[str, Any]) -> str:
    return f"{100 * found['difference']:+.2f} points ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"
