"""What a figure of the chapter is: an entry of the table, what it is drawn from, and what its function returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

SECTIONS: Final = (
    "Vanishing gradients and initialisers",
    "Activations that do not saturate",
    "Batch normalisation",
    "Reusing pretrained layers",
    "Faster optimizers",
    "Learning-rate schedules",
    "Avoiding overfitting",
    "Exercise 8",
    "The data sets",
    "Compression",
)
"""Sections of the chapter in its order, as the tour names them. The data sets and compression have no section."""
WIDTH: Final = 9.0
"""Width of a figure in inches. A page shows it about as wide, so that text of 9 points stays above 8."""
SMALL: Final = 9
"""Size of the smallest text in points."""


@dataclass(frozen=True)
class Inputs:
    """What figures are drawn from.

    Attributes:
        results: Folder of the records, with a folder for each experiment.
        source: Source of the images, `auto` or `synthetic`, as `load_images` takes it.
        data_dir: Folder of the classic files, or None.
    """

    results: Path
    source: str = "auto"
    data_dir: Path | None = None


class Picture(NamedTuple):
    """A drawn figure without its title.

    Attributes:
        figure: Matplotlib's figure.
        numbers: Computed numbers of the caption, by their names in the caption's braces.
        is_synthetic: Whether the images in it are synthetic.
    """

    figure: Any
    numbers: Mapping[str, Any] = {}
    is_synthetic: bool = False


@dataclass(frozen=True)
class Figure:
    """An entry of the table of figures.

    Attributes:
        title: Title above the figure.
        section: Section of the chapter, one of SECTIONS.
        caption: What the figure shows. Names in braces are replaced by the numbers that its function computes.
        draw: Function that draws the figure.
    """

    title: str
    section: str
    caption: str
    draw: Callable[[Inputs], Picture] = field(repr=False)

    def __post_init__(self) -> None:
        if self.section not in SECTIONS:
            raise ValueError(f"{self.section} is no section. Take one of {', '.join(SECTIONS)}.")


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Any, Any]:
    """Return a new figure of the common width, and its panels.

    Args:
        rows: Number of rows of panels.
        columns: Number of columns of panels.
        height: Height of the figure in inches.
        **options: Options of matplotlib's `subplots`, such as sharex.

    Returns:
        Figure and panels [rows, columns].
    """
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)
