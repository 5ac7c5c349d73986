"""Pictures of what networks do not know."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.evaluate import uncertainty_scores
from jaxdeep.analysis.metrics import Bins, calibration, correct, risk_coverage_curve
from jaxdeep.analysis.predictors import TEST, Predictor
from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.analysis.uncertainty import entropy
from jaxdeep.report.pictures import save_figure

SHOWN: Final = 8
"""Images of each kind."""
BANDS: Final = 20
"""Points of a rejection curve: from no image rejected to 95%."""
COLORS: Final = {"plain": "C0", "mc_dropout": "C1", "ensemble": "C2"}


def reliability_diagrams(path: Path, predictors: Sequence[Predictor], labels: np.ndarray, title: str) -> None:
    """Draw accuracy against confidence of each predictor, those at a temperature below the others.

    Args:
        path: of the PNG file.
        predictors: with answers for the test images; of single networks, the images of all are drawn together.
        labels: [N], of the test images.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    rows = [[of for of in predictors if (of.temperatures is not None) == scaled] for scaled in (False, True)]
    columns = max(map(len, rows))
    figure = Figure(figsize=(3.4 * columns + 0.4, 7), layout="constrained")
    panels = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for of_row, row in zip(panels, rows, strict=True):
        for axes, predictor in zip(of_row, row, strict=True):
            _draw_reliability(axes, *_together(predictor, labels))
            axes.set_title(predictor.name)
        of_row[0].set_ylabel("accuracy; grey: share of images")
    for axes in panels[-1]:
        axes.set_xlabel("confidence")
    figure.suptitle(title)
    save_figure(path, figure, dpi=110)


def _together(predictor: Predictor, labels: np.ndarray) -> tuple[Bins, float]:
    """Bins of the images of all networks, and the networks' mean ECE."""
    probabilities = predictor.answers[TEST].probabilities
    chosen = probabilities[:1] if predictor.is_ensemble else probabilities
    errors = [calibration(one, labels).error for one in chosen]
    return calibration(chosen.reshape(-1, chosen.shape[-1]), np.tile(labels, len(chosen))), float(np.mean(errors))


def _draw_reliability(axes: Any, bins: Bins, error: float) -> None:
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    width = edges[1]
    axes.bar(edges[:-1], bins.counts / bins.counts.sum(), width, align="edge", color="0.8")
    axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
    filled = bins.counts > 0
    axes.vlines(bins.confidence[filled], bins.accuracy[filled], bins.confidence[filled], color="C3", linewidth=2)
    axes.plot(bins.confidence[filled], bins.accuracy[filled], "o-", color="C0", markersize=4, linewidth=1)
    axes.text(0.05, 0.92, f"ECE {error:.4f}", transform=axes.transAxes)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)


def rejection_curves(path: Path, predictors: Sequence[Predictor], labels: np.ndarray, title: str) -> None:
    """Draw the accuracy of the images that are left where those in most doubt (entropy) are rejected.

    Args:
        path: of the PNG file.
        predictors: as of `reliability_diagrams`; means over networks with the band of their 95% interval.
        labels: [N], of the test images.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    rejected = np.arange(BANDS) / BANDS
    left = np.maximum(np.rint((1 - rejected) * len(labels)).astype(int), 1) - 1
    for predictor in (of for of in predictors if of.temperatures is None):
        doubts = uncertainty_scores(predictor, TEST)["entropy"]
        probabilities = predictor.answers[TEST].probabilities
        count = 1 if predictor.is_ensemble else len(probabilities)
        curves = [
            1 - risk_coverage_curve(doubts[one], correct(probabilities[one], labels))[left] for one in range(count)
        ]
        estimates = [mean_over_runs(of_share)._asdict() for of_share in zip(*curves, strict=True)]
        _draw_estimates(axes, rejected, estimates, predictor.name, ".-")
    axes.set(xlabel="share of images rejected, those with the highest entropy first", ylabel="accuracy of the others")
    axes.grid(alpha=0.3)
    axes.legend(title="band: 95% interval over seeds")
    figure.suptitle(title)
    save_figure(path, figure, dpi=110)


def sample_curves(path: Path, uncertainty: Mapping[str, Any], title: str) -> None:
    """Draw accuracy and NLL of MC dropout against the number of samples, the other predictors as lines.

    Args:
        path: of the PNG file.
        uncertainty: as summary.json has it.
        title: says what was trained on what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    samples = [row["samples"] for row in uncertainty["by_samples"]]
    for axes, name, label in zip(figure.subplots(1, 2), ("accuracy", "nll"), ("accuracy", "NLL (nats)"), strict=True):
        _draw_estimates(axes, samples, [row[name] for row in uncertainty["by_samples"]], "mc_dropout", ".-")
        for other in ("plain", "ensemble"):
            if other in uncertainty["predictors"]:
                _draw_estimates(
                    axes, (samples[0], samples[-1]), [uncertainty["predictors"][other][name]] * 2, other, "--"
                )
        axes.set(xscale="log", xlabel="samples", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(title="band: 95% interval over seeds")
    figure.suptitle(title)
    save_figure(path, figure, dpi=110)


def _draw_estimates(
    axes: Any, x: Sequence[float] | np.ndarray, estimates: Sequence[Mapping[str, Any]], name: str, style: str
) -> None:
    axes.plot(x, [of["mean"] for of in estimates], style, color=COLORS[name], label=name, linewidth=1)
    if all(of["low"] is not None for of in estimates):
        ends = ([of[end] for of in estimates] for end in ("low", "high"))
        axes.fill_between(x, *ends, color=COLORS[name], alpha=0.15, linewidth=0)


def certainty(
    path: Path, images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str
) -> None:
    """Draw the images that a predictor is most and least certain of, by the entropy of its mean probabilities.

    Args:
        path: of the PNG file.
        images: [N, H, W, C] uint8.
        probabilities: [N, C], their class probabilities.
        labels: [N].
        names: of the classes.
        title: says by what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.9 * SHOWN, 5.6), layout="constrained")
    order = np.argsort(np.asarray(entropy(jnp.asarray(probabilities))), kind="stable")
    rows = {"least entropy": order[:SHOWN], "most entropy": order[::-1][:SHOWN]}
    for of_row, (name, chosen) in zip(figure.subplots(2, SHOWN, squeeze=False), rows.items(), strict=True):
        for axes, index in zip(of_row, chosen, strict=False):
            top = int(probabilities[index].argmax())
            axes.imshow(_shown(images[index]), cmap="gray", vmin=0, vmax=255)
            right = "right" if top == labels[index] else f"is {names[int(labels[index])]}"
            axes.set_title(f"{names[top]} {probabilities[index, top]:.2f}\n{right}", fontsize=9)
            axes.set_xticks([])
            axes.set_yticks([])
        of_row[0].set_ylabel(name)
    figure.suptitle(title)
    save_figure(path, figure, dpi=110)


def first_image(
    path: Path,
    image: np.ndarray,
    plain: np.ndarray | None,
    drawn: np.ndarray,
    label: int,
    names: Sequence[str],
    title: str,
) -> None:
    """Draw one image, its plain probabilities, and the distribution of the drawn ones, class by class.

    Args:
        path: of the PNG file.
        image: [H, W, C] uint8.
        plain: [C], without dropout; None: of an ensemble's members, whose mean is drawn anyway.
        drawn: [M, C], of the samples or the members.
        label: of the image.
        names: of the classes.
        title: says what was drawn of what.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.4))
    left.imshow(_shown(image), cmap="gray", vmin=0, vmax=255)
    left.set(title=f"{names[label]}", xticks=[], yticks=[])
    places = np.arange(len(names))
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, drawn.shape)
    right.plot(places[None] + jitter, drawn, ".", color="C1", markersize=3, alpha=max(0.1, min(1, 50 / len(drawn))))
    right.errorbar(
        places,
        drawn.mean(0),
        drawn.std(0),
        fmt="o",
        color="black",
        markersize=4,
        capsize=4,
        label="mean ± standard deviation",
    )
    if plain is not None:
        right.plot(places, plain, "_", color="C0", markersize=22, markeredgewidth=2.5, label="without dropout")
    right.set(ylabel="probability", ylim=(-0.02, 1.02))
    right.set_xticks(places, names, rotation=30, ha="right")
    right.grid(alpha=0.3)
    right.legend()
    figure.suptitle(f"{title}: the first test image, {len(drawn)} {'samples' if plain is not None else 'networks'}")
    save_figure(path, figure, dpi=110)


def _shown(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image
