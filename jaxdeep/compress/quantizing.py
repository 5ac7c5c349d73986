"""Networks with weights of 16 or 8 bits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.compress.sizes import npz_bytes, storable, weight_bytes
from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import check
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.new_rows import check_answers, checked_rows
from jaxdeep.nn.dnn import BatchStats, Params, dnn
from jaxdeep.optim.sparsity import kernels_of, with_kernels
from jaxdeep.study.files import writing
from jaxdeep.train.evaluate import EVALUATION_ROWS
from jaxdeep.train.forward import model_of, scaled
from jaxdeep.train.objectives import answers, scores, variances_of
from jaxdeep.train.run import Run, check_stack
from jaxdeep.train.xla_options import FAST, compile_with

Kind = Literal["bfloat16", "float16", "int8"]
"""Type that weights are stored in."""
LEVELS: Final = 127
"""Largest integer of a symmetric int8 weight."""


class Weights(NamedTuple):
    """Everything that a quantised network stores.

    Attributes:
        params: Weights of the network. With int8 the kernels are integers in -127 .. 127.
        batch_stats: Moving statistics of batch normalisation.
        scales: Number [L, units, 1] of each unit's int8 kernel, by the name of the stack. Empty for 16 bits.
    """

    params: Params
    batch_stats: BatchStats
    scales: dict[str, jax.Array]


@dataclass(frozen=True)
class QuantizedNetwork:
    """A trained network with fewer bits.

    bfloat16 and float16 store all weights in that type and compute in it. The rows are scaled in `train.dtype` before.
    int8 stores each kernel as integers with one scale for each output unit. Its biases and all arithmetic stay in
    `train.dtype`: a kernel is multiplied by its scales in front of the dense product. So int8 saves memory, not
    arithmetic.

    Attributes:
        config: Configuration of the network.
        data: Data set that it was trained on.
        kind: Type of the weights: "bfloat16", "float16" or "int8".
        weights: Stored weights.
        val_accuracy: Accuracy of the validation rows, in [0, 1].
        test_accuracy: Accuracy of the test rows, in [0, 1].
        test_correct: Booleans [N], whether the network classifies a test row correctly.
    """

    config: Config
    data: Dataset
    kind: Kind
    weights: Weights
    val_accuracy: float
    test_accuracy: float
    test_correct: np.ndarray

    def __repr__(self) -> str:
        return f"QuantizedNetwork({self.kind}, {self.nbytes:,} bytes, test_accuracy={self.test_accuracy:.4f})"

    @property
    def nbytes(self) -> int:
        """Return the bytes of the weights in memory."""
        return weight_bytes(self.weights)

    @property
    def saved_bytes(self) -> int:
        """Return the bytes of the compressed file that `save` writes."""
        return npz_bytes(self.weights)

    def save(self, path: Path | str) -> None:
        """Write the weights as a compressed NumPy file.

        The names of its arrays are their places in the tree, such as `params/layer_0/dense/kernel`. bfloat16 is stored
        as the uint16 of its bits.

        Args:
            path: Path of the file. NumPy adds `.npz` if it is missing.

        Raises:
            UserError: The file cannot be written.
        """
        leaves = jax.tree_util.tree_leaves_with_path(self.weights)
        arrays: dict[str, Any] = {
            jax.tree_util.keystr(place, simple=True, separator="/"): storable(leaf) for place, leaf in leaves
        }
        with writing(Path(path)):
            np.savez_compressed(path, **arrays)

    def predict(self, images: np.ndarray, *, check: bool = True) -> np.ndarray:
        """Return class probabilities, as `Run.predict` does.

        Args:
            images: Rows [N, *image_shape] or [N, D], unscaled like the training images, N at least 1.
            check: Whether the images are compared with the range of the training images.

        Returns:
            Probabilities [N, C] of type float32 or float64. Each row sums to 1. Or numbers, as `Run.predict` has them.

        Raises:
            UserError: The images have another shape, type or scale than the training images, or a value or a
                probability is not finite.

        Warns:
            JaxdeepWarning: Values lie outside the range of the training images.
        """
        rows = jnp.asarray(checked_rows(self.data, images, check=check, dtype=self.config.train.dtype))
        logits = server(self, len(rows))(rows)
        found = np.asarray(answers(self.config, self.data, logits.astype(self.config.train.dtype)))
        check_answers(found)
        return self.data.in_own_units(found)


def quantize(run: Run, kind: Kind) -> QuantizedNetwork:
    """Store the weights of a network in fewer bits.

    The int8 weight of a unit is round(w / s), where s is the unit's largest absolute weight over 127. No rows are
    needed to choose the scales.

    Args:
        run: Finished run, which stays as it is.
        kind: Type of the weights: "bfloat16", "float16" or "int8".

    Returns:
        The network with its accuracies.

    Raises:
        UserError: An argument has another type or is not known, or the run has no best epoch.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    check("kind", kind, kind in get_args(Kind), ", ".join(get_args(Kind)))
    run.check_trained()
    check_stack(run, "quantize")
    if kind == "int8":
        weights = _integers(run)
    else:
        params, batch_stats = jax.tree.map(lambda leaf: leaf.astype(kind), (run.params, run.batch_stats))
        weights = Weights(params, batch_stats, {})
    correct = [_correct(run.config, run.data, kind, weights, name) for name in ("valid", "test")]
    valid, test = (np.asarray(of) for of in correct)
    return QuantizedNetwork(run.config, run.data, kind, weights, float(valid.mean()), float(test.mean()), test)


def server(network: Run | QuantizedNetwork, rows: int) -> Any:
    """Compile a network for batches of one size.

    Args:
        network: Run or quantised network.
        rows: Number B of rows in a batch.

    Returns:
        Function of stored rows [B, D], as `Dataset.to_stored` makes them, that returns logits [B, C]. It is compiled
        once. Another type of rows than that of the training rows is compiled anew.
    """
    config, data = network.config, network.data
    if isinstance(network, Run):
        kind, weights = None, Weights(network.params, network.batch_stats, {})
    else:
        kind, weights = network.kind, network.weights

    def logits(weights: Weights, images: jax.Array) -> jax.Array:
        return _logits(config, data, kind, weights, images)

    programs: dict[Any, Any] = {}

    def serve(images: jax.Array) -> jax.Array:
        if images.dtype not in programs:
            shape = jax.ShapeDtypeStruct((rows, data.inputs), images.dtype)
            programs[images.dtype] = compile_with(jax.jit(logits).lower(weights, shape), FAST)
        return programs[images.dtype](weights, images)

    return serve


def _integers(run: Run) -> Weights:
    """Return kernels as int8 with a scale for each unit."""
    integers, scales = {}, {}
    for name, kernel in kernels_of(model_of(run.config, run.data), run.params).items():
        largest = jnp.abs(kernel).max(-1, keepdims=True)
        scale = jnp.where(largest > 0, largest, jnp.ones_like(largest)) / LEVELS
        integers[name] = jnp.round(kernel / scale).astype(jnp.int8)
        scales[name] = scale
    return Weights(with_kernels(run.params, integers), run.batch_stats, scales)


def _logits(config: Config, data: Dataset, kind: Kind | None, weights: Weights, images: jax.Array) -> jax.Array:
    """Return the logits [B, C] of stored rows [B, D]. The kind None is the type of the configuration."""
    dtype: Any = config.train.dtype if kind in (None, "int8") else kind
    params = weights.params
    if weights.scales:
        kernels = {name: params[name]["dense"]["kernel"].astype(dtype) * of for name, of in weights.scales.items()}
        params = with_kernels(params, kernels)
    precision = config.train.matmul_precision
    model = dnn(config.model, data.inputs, data.classes, cast(Any, dtype), precision=precision, task=data.task)
    return model.apply(params, weights.batch_stats, scaled(config, data, images).astype(dtype))[0]


def _correct(config: Config, data: Dataset, kind: Kind, weights: Weights, part: str) -> jax.Array:
    """Return whether the rows of a split, "valid" or "test", are classified correctly, or their scores."""

    def correct(weights: Weights, data: Dataset) -> jax.Array:
        split = getattr(data, part)
        variances = variances_of(data, split, config.train.dtype)

        def outputs(images: jax.Array) -> jax.Array:
            found = _logits(config, data, kind, weights, images)
            return found if data.task == "classification" else found.astype(config.train.dtype)

        def of_row(row: jax.Array) -> jax.Array:
            image, label = split.take(row)
            return scores(config, data, outputs(image[None]), label[None], variances)[0]

        return jax.lax.map(of_row, jnp.arange(split.size), batch_size=EVALUATION_ROWS)

    return compile_with(jax.jit(correct).lower(weights, data), FAST)(weights, data)
