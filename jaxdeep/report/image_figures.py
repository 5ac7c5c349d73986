"""Pictures of single images, with what a predictor says of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.uncertainty import entropy
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import BLUE, VERMILLION, lighter, set_title

SHOWN: Final = 8
"""Number of images of each kind."""
MOST_POINTS: Final = 2_000
"""Number of points above which the SVG file holds them as pixels."""


def certainty(
    path: Path, images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str
) -> None:
    """Draw the images that a predictor is most and least certain of, by the entropy of its mean probabilities.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        images: Images [N, H, W, C] of uint8.
        probabilities: Class probabilities [N, C] of the images, in [0, 1].
        labels: Labels [N] of the images, integers in 0 .. C - 1.
        names: Names of the C classes.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.9 * SHOWN, 5.8), layout="constrained")
    order = np.argsort(np.asarray(entropy(jnp.asarray(probabilities))), kind="stable")
    rows = {"least entropy": order[:SHOWN], "most entropy": order[::-1][:SHOWN]}
    for of_row, (name, chosen) in zip(figure.subplots(2, SHOWN, squeeze=False), rows.items(), strict=True):
        for axes in of_row[len(chosen) :]:
            axes.set_axis_off()
        for axes, index in zip(of_row, chosen, strict=False):
            top = int(probabilities[index].argmax())
            _show(axes, images[index])
            verdict = "correct" if top == labels[index] else f"is {names[int(labels[index])]}"
            axes.set_title(f"{names[top]} {probabilities[index, top]:.2f}\n{verdict}", fontsize=9)
        of_row[0].set_ylabel(name)
    set_title(figure, title)
    save_figure(path, figure, dpi=110)


def first_image(
    path: Path,
    image: np.ndarray,
    plain: np.ndarray | None,
    samples: np.ndarray,
    label: int,
    names: Sequence[str],
    title: str,
) -> None:
    """Draw one image, its plain probabilities, and the distribution of its sampled ones, class by class.

    Args:
        path: Path of the PNG file. The SVG file lies beside it.
        image: Image [H, W, C] of uint8.
        plain: Probabilities [C] without dropout. None for the networks of an ensemble, whose mean is drawn anyway.
        samples: Probabilities [M, C] of the samples, or of the networks of an ensemble.
        label: Label of the image, in 0 .. C - 1.
        names: Names of the C classes.
        title: Title of the picture, with line breaks between its parts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.4))
    _show(left, image)
    left.set_title(f"{names[label]}")
    kind = "sample" if plain is not None else "network"
    places = np.arange(len(names))
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, samples.shape)
    x, y = (places[None] + jitter).ravel(), samples.ravel()
    (dots,) = right.plot(x, y, ".", color=lighter(BLUE, 0.35), markersize=4, label=f"one {kind}")
    dots.set(alpha=max(0.15, min(1, 50 / len(samples))), rasterized=len(x) > MOST_POINTS)
    right.errorbar(
        places,
        samples.mean(0),
        samples.std(0),
        fmt="o",
        color="black",
        markersize=4,
        capsize=4,
        label=f"mean ± standard deviation\nof {len(samples)} {kind}s",
    )
    if plain is not None:
        right.plot(places, plain, "_", color=VERMILLION, markersize=22, markeredgewidth=2.5, label="without dropout")
    right.set(ylabel="probability", ylim=(-0.02, 1.02))
    right.set_xticks(places, names, rotation=30, ha="right")
    right.grid(alpha=0.3)
    handles, labels = right.get_legend_handles_labels()
    beside: Any = "outside right center"  # matplotlib's annotations lack the outside places
    legend = figure.legend(handles, labels, loc=beside, fontsize="small")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    set_title(figure, f"{title}\nthe first test image, {len(samples)} {kind}s")
    save_figure(path, figure, dpi=110)


def _show(axes: Any, image: np.ndarray) -> None:
    shown = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
