"""Training loop: batches, epochs and early stopping."""

from dataclasses import dataclass

from jaxdeep.config.choices import DType, Keep, Kernels, LossChoice, MatmulPrecision, Monitor, check
from jaxdeep.config.fields import make_plain


@dataclass(frozen=True)
class Train:
    """The training loop."""

    batch_size: int = 32
    """Rows in a step. The last batch of an epoch holds the rest."""
    epochs: int = 100
    """Largest number of epochs."""
    patience: int = 20
    """Epochs in a row without a better monitor after which training stops, if the best weights are kept."""
    dtype: DType = "float32"
    """Type of the weights and of all arithmetic."""
    keep: Keep = "best"
    """Epoch with the weights that are kept and tested. best has the best monitor."""
    monitor: Monitor = "val_loss"
    """Figure that chooses the best epoch: the lowest val_loss, or the highest val_accuracy."""
    diagnostics: bool = False
    """Whether activations, gradients, updates and dead units of each layer are recorded before each epoch's first step.

    Weights and figures keep their bits. It is a part of a run's identity, so that all epochs of a run record the same.
    """
    matmul_precision: MatmulPrecision = "highest"
    """Precision of the network's matrix products, gradients included. A CPU gives the same bits for each.

    highest rounds as float32 does. default is the accelerator's own: TF32 on an NVIDIA GPU, bfloat16 on a TPU. bfloat16
    rounds the operands to bfloat16 and sums in float32.
    """
    kernels: Kernels = "auto"
    """How a training step runs equal hidden layers. xla leaves them to XLA, and fused makes one kernel of them.

    auto is xla. A layer that fused does not cover runs as with xla, and a warning says so. It is a part of a run's
    identity, since rounding differs.
    """

    loss: LossChoice = "auto"
    """Loss of a row. auto is the cross-entropy of classes, and the squared error of numbers.

    squared_error and absolute_error are for numbers, in standard deviations of the training targets. From Python also
    a function (outputs [B, C], targets) -> losses [B], of the output layer's values before their softmax or sigmoid.
    """

    def __post_init__(self) -> None:
        make_plain("train", self)
        check("train.batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        check("train.epochs", self.epochs, self.epochs >= 1, "1 or more")
        check("train.patience", self.patience, self.patience >= 1, "1 or more")
        precision = self.matmul_precision
        is_possible = precision != "bfloat16" or self.dtype == "float32"
        check("train.matmul_precision", precision, is_possible, "highest or default with train.dtype float64")
        is_used = self.monitor == "val_loss" or self.keep == "best"
        check("train.monitor", self.monitor, is_used, "val_loss with train.keep last, which keeps no best epoch")
