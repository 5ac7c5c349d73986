"""A finished run: its weights, its figures and its predictions."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from jaxdeep.config import Config
from jaxdeep.data.buckets import filled
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.device import on_device
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train.evaluate import Evaluations, Scores
from jaxdeep.train.forward import probabilities
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.saved_parts import without_rows
from jaxdeep.train.state import TrainState

Platform = Literal["cpu", "cuda", "rocm", "tpu"]
"""Platform that an exported network runs on."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    A pickle leaves the rows of `data` out, as `save` does. The run of a pickle predicts and has its figures. Copies
    keep the rows.

    Attributes:
        config: Configuration that is trained.
        data: Data set that it is trained on. With `data.resample`, the seed has drawn its validation rows.
        seed: Seed of all random numbers, in 0 .. 2^32 - 1.
        history: A record for each epoch.
        params: Weights of the best epoch.
        batch_stats: Moving statistics of batch normalisation in the best epoch.
        best_epoch: Number of the epoch with the best train.monitor, by default the lowest val_loss, or of the last
            epoch with train.keep="last". It is 0 if the run diverged before there was one. Then its figures are NaN.
        val_loss: Loss of the validation rows by `params`, in nats. For regression, losses are in standard deviations of
            the training targets, or in their squares.
        val_accuracy: Accuracy of the validation rows by `params`, in [0, 1]. For regression, this and the other
            accuracies are R2, up to 1.
        test_loss: Loss of the test rows by `params`, in nats.
        test_accuracy: Accuracy of the test rows by `params`, in [0, 1].
        val_correct: Booleans [N], whether `params` classify a validation row correctly. All are False if best_epoch is
            0. For regression, these are scores [N], whose mean is R2.
        test_correct: Booleans [N], whether `params` classify a test row correctly. All are False if best_epoch is 0.
        diverged: Whether a loss was not finite.
        compile_seconds: Seconds that compilation took. Runs of the same programs share them.
        checkpoint_seconds: Seconds that the loop waited for checkpoints in this process.
        train_loss: Loss of the training rows by `params` without dropout, in nats.
        train_accuracy: Accuracy of the training rows by `params` without dropout, in [0, 1].
        confusion: Number of test rows [C, C] of a true class, by row, that `params` give a class, by column. None for
            more than 30 classes, without test rows, and if best_epoch is 0.
    """

    config: Config
    data: Dataset
    seed: int
    history: tuple[EpochRecord, ...]
    params: Params
    batch_stats: BatchStats
    best_epoch: int
    val_loss: float
    val_accuracy: float
    test_loss: float
    test_accuracy: float
    val_correct: np.ndarray
    test_correct: np.ndarray
    diverged: bool
    compile_seconds: float
    checkpoint_seconds: float
    train_loss: float = float("nan")
    train_accuracy: float = float("nan")
    confusion: np.ndarray | None = None

    def __repr__(self) -> str:
        best = f"{self.best_epoch or 'none'} of {len(self.history)}"
        figures = [f"{name}={getattr(self, name):.4f}" for name in ("val_accuracy", "test_accuracy") if self.best_epoch]
        notes = [
            note for note, is_true in (("diverged", self.diverged), ("synthetic", self.data.is_synthetic)) if is_true
        ]
        return f"Run({', '.join((f'seed={self.seed}', f'best_epoch={best}', *figures, *notes))})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "data": without_rows(self.data)}

    def __copy__(self) -> "Run":
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Run":
        return replace(self, **{name: deepcopy(value, memo) for name, value in self.__dict__.items()})

    @property
    def seconds(self) -> float:
        """Return the seconds of all epochs with their validation, without compilation."""
        return sum(record.seconds for record in self.history)

    @property
    def parameters(self) -> int:
        """Return the number of weights, biases and moving statistics, as Keras counts them."""
        return sum(leaf.size for leaf in jax.tree.leaves((self.params, self.batch_stats)))

    def predict(self, images: np.ndarray, *, check: bool = True) -> np.ndarray:
        """Return class probabilities by the weights of the best epoch. Or numbers, for regression.

        The number of rows is rounded up to few sizes, so that few programs are compiled.

        Args:
            images: Rows [N, *image_shape] or [N, D], unscaled like the training images, N at least 1. Or a data
                frame, whose columns are matched by name. It has gaps and categories if the training table had them.
                Such a table's file may be given by its path.
            check: Whether the images are compared with the range of the training images. False is for images of another
                kind.

        Returns:
            Probabilities [N, C]. Each row sums to 1, unless a row has several labels. For regression, numbers in the
            units of the targets, [N] or [N, C] float64.

        Raises:
            UserError: The run has no best epoch, the images have another shape, type or scale than the training images,
                or a value or a probability is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training images.
        """
        self.check_trained()
        rows = checked_rows(self.data, images, check=check, dtype=self.config.train.dtype)
        of = (self.params, self.batch_stats, self.data, on_device(filled(rows)))
        found = np.asarray(probabilities(self.config.static(), *of))[: len(rows)]
        check_answers(found)
        return self.data.in_own_units(found)

    def logits(self, rows: Any, *, check: bool = True) -> np.ndarray:
        """Return logits by the weights of the best epoch. Their softmax is what `predict` returns.

        Args:
            rows: Rows [N, *image_shape] or [N, D], as `predict` takes them.
            check: Whether the rows are compared with the range of the training rows.

        Returns:
            Logits [N, C]. One sigmoid unit with the output z has the logits (0, z). For regression, the outputs of the
            last layer.

        Raises:
            UserError: The run has no best epoch, the rows do not fit, or a value or a logit is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        from jaxdeep.train.answers import logits  # which imports this file

        return logits(self, rows, check=check)

    def apply(self, params: Params, rows: Any, *, batch_stats: BatchStats | None = None) -> jax.Array:
        """Return logits as a pure function of weights and rows, which JAX compiles, differentiates and maps.

        Dropout is off. Nothing is checked. Subtract large means from float32 rows yourself if they were given in
        float64.

        Args:
            params: Weights in the form of `run.params`.
            rows: Array [N, *image_shape] or [N, D] of numbers, unscaled like the training images.
            batch_stats: Moving statistics of batch normalisation. None takes the run's.

        Returns:
            Logits [N, C].

        >>> from jaxdeep import Config, Data, Dataset, Model, Train, fit
        >>> x = np.random.default_rng(0).normal(size=(90, 4)).astype("float32")
        >>> config = Config(Data(valid_size=20), Model((8,)), train=Train(epochs=1))
        >>> run = fit(config, Dataset.from_arrays(x, (x[:, 0] > 0).astype(int), data=config.data), seed=0)
        >>> jax.jit(jax.grad(lambda rows: run.apply(run.params, rows)[:, 1].sum()))(x[:5]).shape
        (5, 4)
        """
        from jaxdeep.train.answers import apply  # which imports this file

        return apply(self, params, rows, batch_stats)

    def evaluate(self, rows: Any, labels: Any, *, check: bool = True) -> Scores:
        """Return the figures of further rows by the weights of the best epoch.

        Args:
            rows: Rows [N, *image_shape] or [N, D], as `predict` takes them.
            labels: Labels [N] of the kind that the run was trained on. Or numbers or several labels, for such a run.
            check: Whether the rows are compared with the range of the training rows.

        Returns:
            Their loss with the penalties, as `test_loss` has it. Then their accuracy in [0, 1], and booleans [N] that
            say which rows are classified correctly. For numbers, R2 and the scores [N] whose mean it is.

        Raises:
            UserError: The run has no best epoch, the rows do not fit, or a label is not known.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training rows.
        """
        from jaxdeep.train.answers import evaluate_rows  # which imports this file

        return evaluate_rows(self, rows, labels, check=check)

    def calibrated(self, rows: Any = None, labels: Any = None, *, check: bool = True) -> "Run":
        """Return the run with the temperature that gives the lowest cross-entropy on held out rows.

        The output layer's weights and biases are divided by it. So `predict`, `save` and `export` give calibrated
        probabilities, and every row keeps its class. The losses are evaluated anew. A loaded run has no rows, so its
        losses become NaN. A calibrated run is not for more training.

        Args:
            rows: Rows [N, *image_shape] or [N, D] that the run was not trained on. None takes the validation rows.
            labels: Labels [N] of these rows, or None.
            check: Whether the rows are compared with the range of the training rows.

        Raises:
            UserError: The run has no best epoch, the rows do not fit, a label is not known, or there are no validation
                rows.

        Source: Guo et al., "On calibration of modern neural networks" (2017), section 4.2.
        """
        from jaxdeep.train.answers import calibrated  # which imports this file

        return calibrated(self, rows, labels, check=check)

    def save(self, path: str | Path) -> None:
        """Write the network and its figures to a file, which `jaxdeep.load` reads.

        The file has the weights, the scaling and ranges of the training rows, the classes and the configuration. It has
        no rows. It is written as a whole or not at all, and reading it executes nothing.

        Args:
            path: Path of the file, such as "selu.npz". `~` is the user's home. A saved run in its place is replaced.

        Raises:
            UserError: There is another file, or the file cannot be written.
        """
        from jaxdeep.train.saved import save  # which imports this file

        save(self, path)

    def export(
        self, folder: str | Path, *, platforms: Sequence[Platform] = ("cpu", "cuda", "tpu"), onnx: bool = False
    ) -> None:
        """Write the network to a folder that is served without the training code.

        `jaxdeep.load_exported` reads it. The folder holds `network.jax`, the network as `jax.export` serialises it for
        any number of rows, and `export.json` with the labels and the shape, type and ranges of the rows. The scaling is
        a part of the network, and dropout is off. Batch normalisation is folded into the dense layers where that
        changes nothing but rounding. There are no pickles.

        Args:
            folder: Path of the folder. `~` is the user's home. It is made if it does not exist. An exported network in
                it is replaced.
            platforms: Names of the platforms that can run it: cpu, cuda, rocm and tpu.
            onnx: Whether to write model.onnx too. It takes raw rows, and gives probabilities in any ONNX runtime.
                `ExportedNetwork.rows_of` makes these rows of a data frame. It needs the extra jaxdeep[onnx], an
                activation of jaxdeep's own, and float32.

        Raises:
            UserError: The run has no best epoch, the folder has other files, a platform is not known, ONNX cannot
                express the network, or flatbuffers or onnx is not installed.
        """
        from jaxdeep.train.exporting import export  # which imports this file

        export(self, folder, platforms, onnx=onnx)

    def check_trained(self) -> None:
        """Refuse a run without a best epoch, whose weights are untrained.

        Raises:
            UserError: The run diverged or was stopped before its first epoch was evaluated.
        """
        if not self.best_epoch:
            why = "diverged" if self.diverged else "was stopped"
            raise UserError(
                f"the run with seed {self.seed} {why} before it had a best epoch: its weights are untrained. "
                "Predict with another run."
            )


def check_stack(run: Run, what: str) -> None:
    """Refuse a run whose network is a module of the user's own.

    Args:
        run: Any run.
        what: Name of the function that needs the layers of the stack, for the message.

    Raises:
        UserError: There are no such layers.
    """
    if not isinstance(run.config.model.module, str):
        raise UserError(f"{what} needs the layers of the stack, and model.module is a network of your own.")


def _if(best_epoch: int, scores: jax.Array, size: int) -> np.ndarray:
    """Return the scores of a split's own rows. They are False or 0 without a best epoch."""
    found = np.asarray(scores)[:size]
    return found if best_epoch else np.zeros_like(found)


def finished(
    config: Config,
    data: Dataset,
    seed: int,
    history: Sequence[EpochRecord],
    state: TrainState,
    evaluations: Evaluations,
    compile_seconds: float,
    checkpoint_seconds: float,
) -> Run:
    """Return a run that is over or paused.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on.
        seed: Seed of all random numbers.
        history: A record for each epoch.
        state: State after the last epoch.
        evaluations: Evaluations of all rows by the best epoch's weights.
        compile_seconds: Seconds in which its programs were compiled.
        checkpoint_seconds: Seconds that the loop waited for checkpoints.

    Returns:
        The run.
    """
    best, valid, test = state.best, evaluations.valid, evaluations.test
    best_epoch = int(best.epoch)
    figures = {
        "val_loss": best.val_loss,
        "val_accuracy": best.val_accuracy,
        "test_loss": test.loss,
        "test_accuracy": test.accuracy,
        "train_loss": evaluations.train_loss,
        "train_accuracy": evaluations.train_accuracy,
    }
    is_counted = bool(best_epoch) and data.test.size > 0 and evaluations.confusion is not None
    return Run(
        config,
        data,
        seed,
        tuple(history),
        best.params,
        best.batch_stats,
        best_epoch,
        **{name: float(figure) if best_epoch else np.nan for name, figure in figures.items()},
        val_correct=_if(best_epoch, valid.correct, data.valid.size),
        test_correct=_if(best_epoch, test.correct, data.test.size),
        diverged=bool(state.diverged),
        compile_seconds=compile_seconds,
        checkpoint_seconds=checkpoint_seconds,
        confusion=np.asarray(evaluations.confusion) if is_counted else None,
    )
