"""The loop."""

from dataclasses import dataclass

from jaxdeep.config.choices import DType, Keep, check
from jaxdeep.config.fields import make_plain


@dataclass(frozen=True)
class Train:
    """The loop."""

    batch_size: int = 32
    """Images a step; the last batch of an epoch holds the rest."""
    epochs: int = 100
    """Epochs at the most."""
    patience: int = 20
    """Stop after so many epochs in a row without a lower val_loss; not where the last weights are kept."""
    dtype: DType = "float32"
    """Type of the weights and of all arithmetic."""
    keep: Keep = "best"
    """Whose weights are kept and tested: best: the epoch's with the lowest val_loss; last: the last epoch's."""

    def __post_init__(self) -> None:
        make_plain("train", self)
        check("train.batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        check("train.epochs", self.epochs, self.epochs >= 1, "1 or more")
        check("train.patience", self.patience, self.patience >= 1, "1 or more")
