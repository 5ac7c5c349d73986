"""Schedule of the learning rate."""

import math
from dataclasses import dataclass
from typing import Final

from jaxdeep.config.choices import ScheduleChoice, check, check_is_used
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

USERS: Final = {
    "factor": ("exponential", "plateau"),
    "decay_epochs": ("exponential",),
    "decay_steps": ("power", "exponential"),
    "exponent": ("power",),
    "boundaries_epochs": ("piecewise",),
    "factors": ("piecewise",),
    "patience_epochs": ("plateau",),
    "min_delta": ("plateau",),
    "momentum_low": ("onecycle",),
    "momentum_high": ("onecycle",),
    "total_steps": ("onecycle", "cosine"),
}


@dataclass(frozen=True)
class Schedule:
    """Schedule of the learning rate, as a factor of `optim.learning_rate`."""

    kind: ScheduleChoice = "constant"
    """Name of the schedule. From Python also a function, number of steps done -> factor."""
    factor: float = 0.1
    """Factor of an exponential decay, or of each plateau."""
    decay_epochs: float = 20.0
    """Epochs in which an exponential schedule falls by the factor. The rate is constant within an epoch."""
    decay_steps: int | None = None
    """Number s in power's 1 / (1 + step / s)^exponent, or steps in which exponential falls by the factor."""
    exponent: float = 1.0
    """Exponent of power."""
    boundaries_epochs: tuple[int, ...] = ()
    """Epochs after which the next factor of piecewise holds."""
    factors: tuple[float, ...] = ()
    """Factors of piecewise, one more than boundaries."""
    patience_epochs: int = 5
    """Epochs in a row without a lower val_loss that make a plateau."""
    min_delta: float = 1e-4
    """Difference by which a val_loss must be lower to end a plateau."""
    momentum_low: float = 0.85
    """Momentum at the highest rate of onecycle, with momentum or nesterov."""
    momentum_high: float = 0.95
    """Momentum at the lowest rate of onecycle, with momentum or nesterov."""
    total_steps: int | None = None
    """Length of onecycle or cosine. It must be the number of steps that are trained, which None takes."""
    warmup_steps: int = 0
    """Steps in which the rate rises linearly from 0 before the schedule begins. onecycle takes none."""

    @property
    def counts_epochs(self) -> bool:
        """Return whether the factor depends on the number of epochs. A static configuration knows it too."""
        return self.kind in USERS["total_steps"]

    def __post_init__(self) -> None:
        make_plain("schedule", self)
        check("schedule.factor", self.factor, 0 < self.factor <= 1, "in (0, 1]")
        check("schedule.decay_epochs", self.decay_epochs, 0 < self.decay_epochs < math.inf, "above 0 and finite")
        check("schedule.exponent", self.exponent, 0 < self.exponent < math.inf, "above 0 and finite")
        check("schedule.patience_epochs", self.patience_epochs, self.patience_epochs >= 1, "1 or more")
        check("schedule.min_delta", self.min_delta, 0 <= self.min_delta < math.inf, "0 or more and finite")
        check("schedule.warmup_steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")
        for name in ("decay_steps", "total_steps"):
            value = getattr(self, name)
            check(f"schedule.{name}", value, value is None or value >= 1, "1 or more, or None")
        low, high = self.momentum_low, self.momentum_high
        check("schedule.momentum_high", high, 0 <= high < 1, "0 or more, and below 1")
        check("schedule.momentum_low", low, 0 <= low <= high, f"from 0 to schedule.momentum_high, {high}")
        check_is_used("schedule", self, (self.kind,), USERS)
        self._check_kind()

    def _check_kind(self) -> None:
        if self.kind == "power" and self.decay_steps is None:
            raise UserError(
                "schedule.kind is 'power', which needs schedule.decay_steps. Give it: Keras calls it 1 / decay."
            )
        if self.kind == "onecycle" and self.warmup_steps:
            raise UserError(
                f"schedule.warmup_steps is {self.warmup_steps} with onecycle, which warms up itself. Set it to 0."
            )
        if self.kind == "exponential" and self.decay_steps is not None and self.decay_epochs != 20.0:
            raise UserError("schedule.decay_epochs and schedule.decay_steps are both given. Remove one of them.")
        if self.kind == "piecewise":
            edges, factors = self.boundaries_epochs, self.factors
            rising = all(a < b for a, b in zip((0, *edges), edges, strict=False))
            check("schedule.boundaries_epochs", edges, bool(edges) and rising, "one or more rising epochs from 1")
            many = f"{len(edges) + 1} finite factors of 0 or more, one more than boundaries"
            in_range = all(0 <= factor < math.inf for factor in factors)
            check("schedule.factors", factors, len(factors) == len(edges) + 1 and in_range, many)
