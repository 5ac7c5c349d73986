"""How the learning rate changes while training."""

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
    """How the learning rate changes while training: by a factor of `optim.learning_rate`."""

    kind: ScheduleChoice = "constant"
    """By name; from Python also a function, number of steps done -> factor."""
    factor: float = 0.1
    """exponential: of a decay; plateau: at each plateau."""
    decay_epochs: float = 20.0
    """exponential: epochs in which the rate falls by the factor, constant within an epoch."""
    decay_steps: int | None = None
    """power: s in 1 / (1 + step / s)^exponent; exponential: steps of such a fall, step by step."""
    exponent: float = 1.0
    """power: the exponent."""
    boundaries_epochs: tuple[int, ...] = ()
    """piecewise: epochs after which the next factor holds."""
    factors: tuple[float, ...] = ()
    """piecewise: one more than there are boundaries."""
    patience_epochs: int = 5
    """plateau: epochs in a row without a lower val_loss."""
    min_delta: float = 1e-4
    """plateau: by how much a val_loss must be lower to count."""
    momentum_low: float = 0.85
    """onecycle with momentum or nesterov: the momentum at the highest rate."""
    momentum_high: float = 0.95
    """onecycle with momentum or nesterov: the momentum at the lowest rate."""
    total_steps: int | None = None
    """onecycle, cosine: their length; it must be the run's, which None is."""
    warmup_steps: int = 0
    """Any but onecycle: the rate rises linearly from 0 over so many steps, and the schedule begins behind them."""

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
            raise UserError("schedule.kind is 'power', which needs schedule.decay_steps: 1 / decay in Keras's terms")
        if self.kind == "onecycle" and self.warmup_steps:
            raise UserError(
                f"schedule.warmup_steps is {self.warmup_steps}; allowed: 0 with onecycle, which warms up itself"
            )
        if self.kind == "exponential" and self.decay_steps is not None and self.decay_epochs != 20.0:
            raise UserError("schedule.decay_epochs and schedule.decay_steps are both given: one of them is the decay's")
        if self.kind == "piecewise":
            edges, factors = self.boundaries_epochs, self.factors
            rising = all(a < b for a, b in zip((0, *edges), edges, strict=False))
            check("schedule.boundaries_epochs", edges, bool(edges) and rising, "one or more rising epochs from 1")
            many = f"{len(edges) + 1} finite factors of 0 or more, one more than boundaries"
            in_range = all(0 <= factor < math.inf for factor in factors)
            check("schedule.factors", factors, len(factors) == len(edges) + 1 and in_range, many)
