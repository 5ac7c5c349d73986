"""What keeps the weights small, and what makes them sparse."""

import math
from dataclasses import dataclass

from jaxdeep.config.choices import Layers, PruneScope, check
from jaxdeep.config.fields import make_plain
from jaxdeep.config.train import Train
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class Regularize:
    """Penalties of the loss and constraints, which keep the weights small or 0."""

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
    keep_zeros: bool = False
    """Kernel entries that are exactly 0 stay 0."""
    sparsity: float = 0.0
    """Share of the kernels' entries that pruning sets to 0 while training, in [0, 1)."""
    prune_begin_epoch: int = 0
    """Epochs before pruning begins."""
    prune_end_epoch: int | None = None
    """Epoch after which the kernels have their final sparsity. Needed with sparsity."""
    prune_scope: PruneScope = "global"
    """Entries that pruning compares: global in all layers together, layer in each layer alone."""
    label_smoothing: float = 0.0
    """Share of a label's probability that all classes divide evenly, in [0, 1), in every loss, as in Keras."""

    def __post_init__(self) -> None:
        make_plain("regularize", self)
        for name in ("l1", "l2"):
            value = getattr(self, name)
            check(f"regularize.{name}", value, 0 <= value < math.inf, "0 or more and finite")
        check("regularize.label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "in [0, 1)")
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
        self._check_pruning()

    def _check_pruning(self) -> None:
        check("regularize.sparsity", self.sparsity, 0 <= self.sparsity < 1, "in [0, 1)")
        begin, end = self.prune_begin_epoch, self.prune_end_epoch
        check("regularize.prune_begin_epoch", begin, begin >= 0, "0 or more")
        check("regularize.prune_end_epoch", end, end is None or end >= 1, "1 or more, or None")
        if not self.prunes:
            for name, default in (("prune_begin_epoch", 0), ("prune_end_epoch", None), ("prune_scope", "global")):
                if getattr(self, name) != default:
                    raise UserError(
                        f"regularize.{name} is {getattr(self, name)!r} and has no effect without sparsity. Remove it."
                    )
        elif end is None or end <= begin:
            raise UserError(
                f"regularize.prune_end_epoch is {end} and regularize.prune_begin_epoch is {begin}: sparsity rises "
                "from one to the other. Give a prune_end_epoch above prune_begin_epoch."
            )

    def check_with(self, train: Train) -> None:
        """Refuse pruning that the training loop does not finish, or whose result it does not keep.

        Args:
            train: Training loop of the same configuration.

        Raises:
            UserError: There is pruning, and the loop keeps the best epoch or is shorter than the pruning.
        """
        if not self.prunes:
            return
        if train.keep != "last":
            raise UserError(
                f"train.keep is {train.keep!r} and regularize.sparsity is {self.sparsity}: the best epoch may come "
                "before the network is sparse. Set train.keep to last."
            )
        end = self.prune_end_epoch
        if end is not None and end > train.epochs:
            raise UserError(
                f"regularize.prune_end_epoch is {end} and train.epochs is {train.epochs}: the network never reaches "
                "its sparsity. Give an epoch of the training."
            )

    @property
    def prunes(self) -> bool:
        """Return whether kernels are pruned while training."""
        return self.sparsity > 0

    @property
    def keeps_zeros(self) -> bool:
        """Return whether kernel entries that are exactly 0 stay 0. Pruning needs it."""
        return self.keep_zeros or self.prunes

    @property
    def smooths(self) -> bool:
        """Return whether labels are smoothed. A static configuration knows it too."""
        return self.label_smoothing != 0

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
