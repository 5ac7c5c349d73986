"""How the images are split, scaled and augmented."""

import math
from dataclasses import dataclass, fields, replace
from typing import Final

from jaxdeep.config.choices import Scaling, check
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

ROUNDING: Final = 1e-6
"""Rows by which a share may be a rounding below a whole number."""

SUBSET: Final = ("classes", "per_class", "valid_per_class", "draw", "validate_on_test")
"""Fields that choose rows of a data set that several configurations share."""


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
    classes: tuple[int, ...] = ()
    """Classes that are kept, as indices. They become the classes 0, 1, ... in this order. Empty: all classes."""
    per_class: int | None = None
    """Number of training rows that are drawn of each class. None: all of them."""
    valid_per_class: int | None = None
    """Number of validation rows that are drawn of each class. None: the data set's own validation rows."""
    draw: int = 0
    """Seed of the draw by per_class and valid_per_class. All seeds of a run share it."""
    validate_on_test: bool = False
    """Take the test rows as validation rows too. It is a mistake: they choose the epoch, so they test nothing."""

    def __post_init__(self) -> None:
        make_plain("data", self)
        self._check_subset()
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
    def is_subset(self) -> bool:
        """Return whether the rows are chosen from a data set that several configurations share."""
        return bool(self.classes) or self.is_drawn or self.validate_on_test

    @property
    def is_drawn(self) -> bool:
        """Return whether `draw` chooses rows."""
        return self.per_class is not None or self.valid_per_class is not None

    @property
    def takes_both(self) -> bool:
        """Return whether a row may be for validation in one configuration and for training in another."""
        return self.resample or self.valid_per_class is not None or self.validate_on_test

    def base(self) -> "Data":
        """Return the part of the fields that the shared data set is made with.

        >>> Data(classes=(5, 6), train_size=200).base() == Data()
        True
        """
        if not self.is_subset:
            return self
        defaults = {field.name: field.default for field in fields(self)}
        return replace(self, train_size=None, **{name: defaults[name] for name in SUBSET})

    def _check_subset(self) -> None:
        """Refuse fields of a subset that are out of range or exclude each other."""
        classes = self.classes
        is_chosen = len(classes) != 1 and len(set(classes)) == len(classes) and min(classes, default=0) >= 0
        check("data.classes", classes, is_chosen, "two or more different indices of classes, or ()")
        for name in ("per_class", "valid_per_class"):
            count = getattr(self, name)
            check(f"data.{name}", count, count is None or count >= 1, "1 or more, or None")
        check("data.draw", self.draw, self.draw >= 0, "0 or more")
        if self.draw and not self.is_drawn:
            raise UserError(f"data.draw is {self.draw}, and nothing is drawn. Give data.per_class too, or remove it.")
        if self.per_class is not None and self.train_size is not None:
            raise UserError("data.per_class and data.train_size both choose training rows. Remove one of them.")
        if self.valid_per_class is not None and self.validate_on_test:
            raise UserError("data.valid_per_class has no effect with data.validate_on_test. Remove one of them.")
        if self.resample and self.is_subset:
            raise UserError(
                "data.resample draws by the run's seed from all rows. Set it to False, or remove data.classes, "
                "data.per_class, data.valid_per_class and data.validate_on_test."
            )

    @property
    def augmented(self) -> bool:
        """Return whether training images are changed at random."""
        return self.shift_pixels > 0 or self.flip
