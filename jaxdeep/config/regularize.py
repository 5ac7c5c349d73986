"""What keeps the weights small."""

import math
from dataclasses import dataclass

from jaxdeep.config.choices import Layers, check
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class Regularize:
    """What keeps the weights small: penalties of the loss, and a constraint."""

    l1: float = 0.0
    """Added to every loss, as in Keras: l1 x the sum of the kernels' absolute values."""
    l2: float = 0.0
    """Added to every loss, as in Keras: l2 x the sum of the kernels' squares."""
    penalized: Layers = "every"
    """Whose kernels l1 and l2 are of: every, hidden, head, or indices, 0 being the first hidden layer."""
    max_norm: float | None = None
    """After a step, scale a unit's incoming weights down to this norm."""
    constrained: Layers = "hidden"
    """Whose units max_norm is of."""

    def __post_init__(self) -> None:
        make_plain("regularize", self)
        for name in ("l1", "l2"):
            value = getattr(self, name)
            check(f"regularize.{name}", value, 0 <= value < math.inf, "0 or more and finite")
        norm = self.max_norm
        check("regularize.max_norm", norm, norm is None or 0 < norm < math.inf, "above 0 and finite, or None")
        if self.penalized != "every" and not self.has_penalty:
            raise UserError(f"regularize.penalized is {self.penalized!r}, and regularize.l1 and regularize.l2 are 0")
        if self.constrained != "hidden" and norm is None:
            raise UserError(f"regularize.constrained is {self.constrained!r}, and regularize.max_norm is None")

    @property
    def has_l1(self) -> bool:
        """Whether l1 is added to the loss, which a static configuration knows too."""
        return self.l1 != 0

    @property
    def has_l2(self) -> bool:
        """Whether l2 is added to the loss, which a static configuration knows too."""
        return self.l2 != 0

    @property
    def has_penalty(self) -> bool:
        """Whether anything is added to the loss."""
        return self.has_l1 or self.has_l2
