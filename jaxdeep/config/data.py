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
    """unit divides by 255. standardize gives each column of the training rows mean 0 and deviation 1."""
    valid_size: int | float = 0.2
    """Number of the first training rows that are for validation. A number below 1 is a share of the rows."""
    train_size: int | None = None
    """Number of the remaining rows to train on. None: all of them."""
    shift_pixels: int = 0
    """Largest number of pixels by which training images are shifted at random, in both directions."""
    flip: bool = False
    """Mirror each training image, left to right, with probability 1/2."""
    resample: bool = False
    """Draw the validation rows anew for each seed."""

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
        """Return whether training images are changed at random."""
        return self.shift_pixels > 0 or self.flip
