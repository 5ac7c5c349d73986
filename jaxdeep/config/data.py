"""How the images are split, scaled and augmented."""

import math
from dataclasses import dataclass
from typing import Final

from jaxdeep.config.choices import Scaling, check
from jaxdeep.config.fields import make_plain

ROUNDING: Final = 1e-6
"""Rows by which a share may be a rounding below a whole number."""


@dataclass(frozen=True)
class Data:
    """How the images are split, scaled and augmented."""

    scaling: Scaling = "standardize"
    """none: raw pixel values; unit: divided by 255; standardize: per pixel and channel on the training rows."""
    valid_size: int | float = 0.2
    """Validation rows: the first so many training rows. A number below 1 is a share of them."""
    train_size: int | None = None
    """Train on the first so many of the remaining rows only; None: on all of them."""
    shift_pixels: int = 0
    """Shift each training image at random by up to so many pixels either way, in both directions; 0: do not."""
    flip: bool = False
    """Mirror each training image, left to right, with probability 1/2."""

    def __post_init__(self) -> None:
        make_plain("data", self)
        check("data.valid_size", self.valid_size, self.valid_size > 0, "1 or more, or a share above 0 and below 1")
        size = self.train_size
        check("data.train_size", size, size is None or size >= 1, "1 or more, or None")
        check("data.shift_pixels", self.shift_pixels, self.shift_pixels >= 0, "0 or more")

    def valid_rows(self, rows: int) -> int:
        """Return the number of validation rows.

        Args:
            rows: Number of rows that validation and training rows are taken from.

        >>> Data(valid_size=0.2).valid_rows(1_700), Data(valid_size=300).valid_rows(1_700)
        (340, 300)
        """
        if isinstance(self.valid_size, int):
            return self.valid_size
        return max(math.floor(rows * self.valid_size + ROUNDING), 1)

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.shift_pixels > 0 or self.flip
