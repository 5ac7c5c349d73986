"""What a run takes over from a trained network, and which layers of it are trained when."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxdeep.config.choices import check
from jaxdeep.config.fields import make_plain
from jaxdeep.errors import UserError

HeadOf = Literal["new", "kept"]
FrozenGroup = Literal["reused", "none"]
FrozenLayers = FrozenGroup | tuple[int, ...]


class Phase(NamedTuple):
    """Epochs in which the same layers are frozen.

    Attributes:
        frozen: Indices of the layers that are not trained, in ascending order.
        last: Epoch behind which the phase ends at the latest, counted from 1 over all phases.
        is_restored: Whether the phase begins with the best weights so far. Otherwise it begins with the latest ones.
    """

    frozen: tuple[int, ...]
    last: int
    is_restored: bool = False


@dataclass(frozen=True)
class Transfer:
    """What is taken over from a trained network, and which layers are frozen."""

    source: str = ""
    """Saved network, or folder of a run. With several seeds each run takes the network of its own seed."""
    layers: int | None = None
    """Hidden layers that are reused, from the input. None: all of them if there is a source."""
    added: tuple[int, ...] = ()
    """Units of the new hidden layers on top of the reused ones."""
    head: HeadOf = "new"
    """Output layer. kept takes over the source's."""
    frozen: FrozenLayers = "reused"
    """Layers that are not trained at first: reused, none, or indices. 0 is the first hidden layer."""
    unfreeze: int = 0
    """Number of frozen layers, from the top, that are trained in the end."""
    unfreeze_epoch: int | None = 0
    """Epoch behind which they are trained. 0: from the first. None: once the frozen run has stopped, from its best."""
    gradual: bool = False
    """Unfreeze one more layer after each unfreeze_epoch epochs, from the top."""
    rate_factor: float = 1.0
    """Factor of the learning rate of the reused layers."""

    def __post_init__(self) -> None:
        make_plain("transfer", self)
        layers, epoch = self.layers, self.unfreeze_epoch
        check("transfer.layers", layers, layers is None or layers >= 0, "0 or more, or None")
        check("transfer.added", self.added, min(self.added, default=1) >= 1, "widths of 1 or more")
        check("transfer.unfreeze", self.unfreeze, self.unfreeze >= 0, "0 or more")
        check("transfer.unfreeze_epoch", epoch, epoch is None or epoch >= 0, "0 or more, or None")
        factor = self.rate_factor
        check("transfer.rate_factor", factor, 0 < factor < math.inf, "above 0 and finite")
        if isinstance(self.frozen, tuple):
            frozen = self.frozen
            valid = len(set(frozen)) == len(frozen) and min(frozen, default=0) >= 0
            check("transfer.frozen", frozen, valid, "reused, none, or different indices")
            object.__setattr__(self, "frozen", tuple(sorted(frozen)))
        self._check_use()

    def _check_use(self) -> None:
        """Refuse fields that would have no effect."""
        defaults = {"added": (), "head": "new", "rate_factor": 1.0}
        for name, default in defaults.items():
            if self.layers is None and not self.source and getattr(self, name) != default:
                raise UserError(
                    f"transfer.{name} is {getattr(self, name)!r} and has no effect without reused layers. "
                    "Give transfer.source or transfer.layers, or remove it."
                )
        if self.gradual and (self.unfreeze < 2 or self.unfreeze_epoch == 0):
            raise UserError(
                "transfer.gradual has no effect without transfer.unfreeze of 2 or more and an unfreeze_epoch. "
                "Give them, or remove it."
            )

    @property
    def is_used(self) -> bool:
        """Return whether layers are reused or frozen."""
        return bool(self.source or self.layers is not None or self.frozen_layers())

    def frozen_layers(self) -> tuple[int, ...]:
        """Return the indices of the layers that are frozen at first, in ascending order.

        >>> Transfer(layers=3).frozen_layers(), Transfer(frozen=(1,)).frozen_layers()
        ((0, 1, 2), (1,))
        """
        if isinstance(self.frozen, tuple):
            return self.frozen
        return tuple(range(self.layers or 0)) if self.frozen == "reused" else ()

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        """Return the phases of a run, one without unfreezing.

        A phase that ends by early stopping has an equal share of the epochs at most.

        Args:
            epochs: Largest number of epochs in all phases together, 1 or more.

        Raises:
            UserError: There are fewer frozen layers than `unfreeze`, or no epoch is left for the last phase.

        >>> Transfer(layers=3, unfreeze=2, unfreeze_epoch=4).phases(20)
        (Phase(frozen=(0, 1, 2), last=4, is_restored=False), Phase(frozen=(0,), last=20, is_restored=False))
        """
        frozen, epoch = self.frozen_layers(), self.unfreeze_epoch
        if self.unfreeze > len(frozen):
            advice = f"Give 0 to {len(frozen)}." if frozen else "Give transfer.layers or transfer.frozen, or remove it."
            raise UserError(f"transfer.unfreeze is {self.unfreeze}, and {len(frozen)} layers are frozen. {advice}")
        if not self.unfreeze or epoch == 0:
            return (Phase(frozen[: len(frozen) - self.unfreeze], epochs),)
        steps = (0, *(range(1, self.unfreeze + 1) if self.gradual else (self.unfreeze,)))
        if epoch is None:
            lasts = [epochs * (index + 1) // len(steps) for index in range(len(steps))]
        else:
            lasts = [*(epoch * (index + 1) for index in range(len(steps) - 1)), epochs]
        if lasts[0] < 1 or lasts[-2] >= epochs:
            raise UserError(
                f"train.epochs is {epochs}, and the last layers are unfrozen behind epoch {lasts[-2]}. "
                "Give more epochs, or unfreeze earlier."
            )
        sets = (frozen[: len(frozen) - step] for step in steps)
        return tuple(
            Phase(frozen_set, last, is_restored=epoch is None and index > 0)
            for index, (frozen_set, last) in enumerate(zip(sets, lasts, strict=True))
        )
