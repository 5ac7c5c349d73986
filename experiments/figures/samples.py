"""Training images of the three data sets, a row for each class."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from experiments.figures.figure import SMALL, Inputs, Picture
from jaxdeep.data.images import Images
from jaxdeep.data.sources import load_images

SHOWN: Final = 10
"""Number of images of each class."""
GAP: Final = 2
"""Pixels between two images."""


def drawing_of(name: str) -> Callable[[Inputs], Picture]:
    """Return the function that draws a data set's images.

    Args:
        name: Name of the data set.
    """
    return partial(draw_samples, name)


def draw_samples(name: str, inputs: Inputs) -> Picture:
    """Draw the first training images of each class.

    Args:
        name: Name of the data set.
        inputs: Source and folder of the images.

    Raises:
        UserError: The folder lacks the files.
    """
    from matplotlib.figure import Figure

    images = load_images(name, source=inputs.source, data_dir=inputs.data_dir)
    sheet = contact_sheet(images)
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    pitch = sheet.shape[0] / len(images.class_names)
    axes.set_yticks([(index + 0.5) * pitch for index in range(len(images.class_names))], list(images.class_names))
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=SMALL + 2)
    for side in axes.spines.values():
        side.set_visible(False)
    numbers = {"shown": SHOWN, "train": f"{len(images.train_labels):,}", "test": f"{len(images.test_labels):,}"}
    return Picture(figure, numbers, images.synthetic)


def contact_sheet(images: Images) -> np.ndarray:
    """Return the first training images of each class beside each other.

    Args:
        images: Images of a data set.

    Returns:
        Pixels [rows, columns] or [rows, columns, 3] of uint8, with white lines between the images.
    """
    height, width, channels = images.train_images.shape[1:]
    rows = []
    for label in range(len(images.class_names)):
        chosen = images.train_images[np.flatnonzero(images.train_labels == label)[:SHOWN]]
        row = np.full((SHOWN, height + GAP, width + GAP, channels), 255, np.uint8)
        row[: len(chosen), :height, :width] = chosen
        rows.append(np.concatenate(list(row), axis=1))
    sheet = np.concatenate(rows)
    return sheet[..., 0] if channels == 1 else sheet
