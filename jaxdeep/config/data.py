"""How the images are split, scaled and augmented."""

from dataclasses import dataclass

from jaxdeep.config.choices import Scaling, check
from jaxdeep.config.fields import make_plain


@dataclass(frozen=True)
class Data:
    """How the images are split, scaled and augmented."""

    scaling: Scaling = "standardize"
    """none: raw pixel values; unit: divided by 255; standardize: per pixel and channel on the training rows."""
    valid_size: int = 5_000
    """The first rows of the official training set, kept for validation."""
    train_size: int | None = None
    """Train on the first so many of the remaining rows only; None: on all of them."""
    shift_pixels: int = 0
    """Shift each training image at random by up to so many pixels either way, in both directions; 0: do not."""
    flip: bool = False
    """Mirror each training image, left to right, with probability 1/2."""

    def __post_init__(self) -> None:
        make_plain("data", self)
        check("data.valid_size", self.valid_size, self.valid_size >= 1, "1 or more")
        size = self.train_size
        check("data.train_size", size, size is None or size >= 1, "1 or more, or None")
        check("data.shift_pixels", self.shift_pixels, self.shift_pixels >= 0, "0 or more")

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.shift_pixels > 0 or self.flip
