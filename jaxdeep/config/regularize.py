"""What keeps the weights small."""

import math
from dataclasses import dataclass

from jaxdeep.config.choices import Layers, check
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class Regularize:
    """Penalties of the loss and a constraint, which keep the weights small."""

    l1: float = 0.0
    """Added to every loss, as in Keras: l1 x the sum of the kernels' absolute values."""
    l2: float = 0.0
    """Added to every loss, as in Keras: l2 x the sum of the kernels' squares."""
    penalized: Layers = "every"
    """Layers with penalised kernels: every, hidden, head, or indices. 0 is the first hidden layer."""
    max_norm: float | None = None
    """After a step, scale a unit's incoming weights down to this norm."""
    constrained: Layers = "hidden"
    """Layers with constrained units."""

    def __post_init__(self) -> None:
        make_plain("regularize", self)
        for name in ("l1", "l2"):
            value = getattr(self, name)
            check(f"regularize.{name}", value, 0 <= value < math.inf, "0 or more and finite")
        norm = self.max_norm
        check("regularize.max_norm", norm, norm is None or 0 < norm < math.inf, "above 0 and finite, or None")
        if self.penalized != "every" and not self.has_penalty:
            raise UserError(
                f"regularize.penalized is {self.penalized!r} and has no effect without l1 or l2. Remove it."
            )
        if self.constrained != "hidden" and norm is None:
            raise UserError(
                f"regularize.constrained is {self.constrained!r} and has no effect without max_norm. Remove it."
            )

    @property
    def has_l1(self) -> bool:
        """Return whether l1 is added to the loss. A static configuration knows it too."""
        return self.l1 != 0

    @property
    def has_l2(self) -> bool:
        """Return whether l2 is added to the loss. A static configuration knows it too."""
        return self.l2 != 0

    @property
    def has_penalty(self) -> bool:
        """Return whether l1 or l2 is added to the loss."""
        return self.has_l1 or self.has_l2
