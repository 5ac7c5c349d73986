"""Pictures of how far the probabilities of networks can be trusted: calibration, selective risk, samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.analysis.calibration import Bins, calibration, calibration_noise_floor
from jaxdeep.analysis.evaluate import uncertainty_scores
from jaxdeep.analysis.metrics import correct, risk_coverage_curve
from jaxdeep.analysis.predictors import TEST, Predictor
from jaxdeep.analysis.statistics import mean_over_runs, within
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import BLUE, VERMILLION, Series, series, set_title

COVERAGES: Final = 20
"""Number of points of a risk-coverage curve: from all images down to 5% of them."""
LOOKS: Final = {name: series(index, 3) for index, name in enumerate(("plain", "mc_dropout", "ensemble"))}
"""The look of each predictor in all pictures."""


def reliability_diagrams(path: Path, predictors: Sequence[Predictor], labels: np.ndarray, title: str) -> None:
    """Draw accuracy against confidence of each predictor, with the predictors at a temperature in the lower row.

    The images of all single networks are drawn in common, and their ECE is the mean over the networks. Below it stands
    the mean of the ECE that perfectly calibrated networks would show.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        predictors: Predictors with answers for the test images.
        labels: Labels [N] of the test images, integers in 0 .. C - 1.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    rows = [[of for of in predictors if (of.temperatures is not None) == scaled] for scaled in (False, True)]
    columns = max(map(len, rows))
    figure = Figure(figsize=(3.4 * columns + 0.4, 7.4), layout="constrained")
    panels = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for of_row, row in zip(panels, rows, strict=True):
        for axes, predictor in zip(of_row, row, strict=True):
            _draw_reliability(axes, *_bins_and_errors(predictor, labels))
            axes.set_title(predictor.name)
        of_row[0].set_ylabel("accuracy")
    for axes in panels[-1]:
        axes.set_xlabel("confidence")
    handles, names = panels[0][0].get_legend_handles_labels()
    below: Any = "outside lower center"  # matplotlib's annotations lack the outside places
    figure.legend(handles, names, loc=below, ncols=2 if columns == 1 else 4, fontsize="small")
    set_title(figure, title)
    save_figure(path, figure, dpi=110)


def _bins_and_errors(predictor: Predictor, labels: np.ndarray) -> tuple[Bins, float, float]:
    """Bins of the images of all networks, the networks' mean ECE and the mean of its noise floor."""
    probabilities = predictor.answers[TEST].probabilities
    chosen = probabilities[:1] if predictor.is_ensemble else probabilities
    errors = [calibration(one, labels).error for one in chosen]
    floors = [calibration_noise_floor(one).mean for one in chosen]
    bins = calibration(chosen.reshape(-1, chosen.shape[-1]), np.tile(labels, len(chosen)))
    return bins, float(np.mean(errors)), float(np.mean(floors))


def _draw_reliability(axes: Any, bins: Bins, error: float, floor: float) -> None:
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    shares = bins.counts / bins.counts.sum()
    axes.bar(edges[:-1], shares, edges[1], align="edge", color="0.85", edgecolor="0.7", label="share of images")
    axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="calibrated")
    filled = bins.counts > 0
    confidence, accuracy = bins.confidence[filled], bins.accuracy[filled]
    axes.vlines(confidence, accuracy, confidence, color=VERMILLION, linewidth=3, label="calibration error")
    axes.plot(confidence, accuracy, "o-", color=BLUE, markersize=4.5, linewidth=1.2, label="accuracy of a bin")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    text = f"ECE {error:.4f}\nif calibrated {floor:.4f}"
    axes.text(0.05, 0.95, text, transform=axes.transAxes, bbox=box, verticalalignment="top", fontsize="small")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)


def risk_coverage_curves(path: Path, predictors: Sequence[Predictor], labels: np.ndarray, title: str) -> None:
    """Draw the error rate of the images that are kept, by the share of images that is kept.

    The images with the lowest entropy are kept. Curves of single networks are means over the networks, with the band of
    the mean's 95% interval. Predictors at a temperature are left out.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        predictors: Predictors with answers for the test images.
        labels: Labels [N] of the test images, integers in 0 .. C - 1.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    coverages = 1 - np.arange(COVERAGES) / COVERAGES
    kept = np.maximum(np.rint(coverages * len(labels)).astype(int), 1) - 1
    banded = False
    for predictor in (of for of in predictors if of.temperatures is None):
        scores = uncertainty_scores(predictor, TEST)["entropy"]
        probabilities = predictor.answers[TEST].probabilities
        count = 1 if predictor.is_ensemble else len(probabilities)
        curves = [risk_coverage_curve(scores[one], correct(probabilities[one], labels))[kept] for one in range(count)]
        at_coverages = zip(*curves, strict=True)
        estimates = [within(mean_over_runs(risks), 0.0, 1.0)._asdict() for risks in at_coverages]
        banded |= _draw_estimates(axes, coverages, estimates, predictor.name, LOOKS[predictor.name].marker)
    axes.set(xlabel="coverage: share of images kept, lowest entropy first", ylabel="selective risk: their error rate")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(title=_key(banded))
    set_title(figure, title)
    save_figure(path, figure, dpi=110)


def sample_curves(path: Path, uncertainty: Mapping[str, Any], title: str) -> None:
    """Draw accuracy and NLL of MC dropout against the number of samples, the other predictors as level lines.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        uncertainty: The part `uncertainty` of summary.json.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    samples = [row["samples"] for row in uncertainty["by_samples"]]
    panels = figure.subplots(1, 2)
    banded = False
    for axes, name, label in zip(panels, ("accuracy", "nll"), ("accuracy", "NLL (nats)"), strict=True):
        rows = [row[name] for row in uncertainty["by_samples"]]
        banded |= _draw_estimates(axes, samples, rows, "mc_dropout", LOOKS["mc_dropout"].marker)
        for other in ("plain", "ensemble"):
            if other in uncertainty["predictors"]:
                level = [uncertainty["predictors"][other][name]] * 2
                banded |= _draw_estimates(axes, (samples[0], samples[-1]), level, other, "")
                axes.lines[-1].set_linestyle({"plain": (0, (6, 2)), "ensemble": (0, (2, 1))}[other])
        axes.set(xscale="log", xlabel="samples", ylabel=label)
        axes.grid(alpha=0.3)
    handles, names = panels[0].get_legend_handles_labels()
    beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
    figure.legend(handles, names, title=_key(banded), loc=beside, fontsize="small")
    set_title(figure, title)
    save_figure(path, figure, dpi=110)


def _draw_estimates(
    axes: Any, x: Sequence[float] | np.ndarray, estimates: Sequence[Mapping[str, Any]], name: str, marker: str
) -> bool:
    """Draw a predictor's line, and its band if all its points have an interval. Return whether there is a band."""
    look: Series = LOOKS[name]
    means = [of["mean"] for of in estimates]
    axes.plot(x, means, color=look.color, marker=marker, markersize=5, linewidth=1.4, label=name)
    if any(of["low"] is None for of in estimates):
        return False
    ends = ([of[end] for of in estimates] for end in ("low", "high"))
    axes.fill_between(x, *ends, color=look.color, alpha=0.15, linewidth=0)
    return True


def _key(banded: bool) -> str | None:
    return "band: 95% interval over seeds" if banded else None
