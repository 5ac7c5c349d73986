"""Export a run as a folder that is served without the code that trained it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import check
from jaxdeep.config.made import qualified_name
from jaxdeep.config.values import shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.row_ranges import dim_share
from jaxdeep.data.rows import stored
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.nn.folding import WITHOUT_NORM, folded
from jaxdeep.train.checks import check_dtype
from jaxdeep.train.exported import check_flatbuffers
from jaxdeep.train.exported_file import NETWORK, ONNX, write_folder
from jaxdeep.train.forward import model_of, probabilities
from jaxdeep.train.onnx_graph import check_onnx, onnx_model
from jaxdeep.train.run import Platform, Run
from jaxdeep.version import __version__

TOLERANCE: Final = 1e-5
"""Largest difference of two probabilities that rounding explains. A network that differs more is not folded."""
CHECKED_ROWS: Final = 256
"""Number of rows whose probabilities are compared."""


class Served(NamedTuple):
    """The network that is exported.

    Attributes:
        config: Configuration of the network, without batch normalisation if that is folded.
        data: Data set that it was trained on, for its scaling constants.
        params: Weights of the network.
        batch_stats: Moving statistics of the batch normalisation that is left.
    """

    config: Config
    data: Dataset
    params: Params
    batch_stats: BatchStats

    def probabilities(self, rows: Any) -> jax.Array:
        """Return class probabilities [N, C] of stored rows [N, D]. Or numbers [N, C] in the units of the targets."""
        found = probabilities(self.config, self.params, self.batch_stats, self.data, rows)
        targets = self.data.info.targets if self.data.info else None
        if targets is None:
            return found
        scale, shift = (jnp.asarray(of, found.dtype)[None] for of in (targets.scale, targets.shift))
        return found * scale + shift


def export(run: Run, folder: str | Path, platforms: Sequence[Platform], *, onnx: bool = False) -> None:
    """Write a run to a folder. `Run.export` describes it.

    Args:
        run: Run to export.
        folder: Path of the folder. `~` is the user's home.
        platforms: Names of the platforms that the network is compiled for where it is loaded.
        onnx: Whether to write the network as ONNX too.

    Raises:
        UserError: The run has no best epoch, an argument is not allowed, or a file cannot be written.
    """
    check_type("folder", folder, (str, os.PathLike), "a path")
    names = list(get_args(Platform))
    allowed = f"one or more of {', '.join(names)}"
    if isinstance(platforms, str) or not isinstance(platforms, Sequence):
        raise UserError(f"platforms is {shown(platforms)}. Give a tuple of {allowed}.")
    check("platforms", platforms, len(platforms) > 0 and all(name in names for name in platforms), allowed)
    check_type("onnx", onnx, bool, "True or False")
    run.check_trained()
    if onnx:
        check_onnx(run.config)
    check_dtype(run.config)
    check_flatbuffers("Run.export")
    served = without_norm(run)
    files = {NETWORK: _serialised(served, tuple(dict.fromkeys(platforms)))}
    is_folded, known = served.config != run.config, _record(run)
    if onnx:
        metadata = {name: known[name] for name in ("jaxdeep", "labels", "class_names")}
        files[ONNX] = onnx_model(*served, metadata)
    record = {**known, "platforms": list(dict.fromkeys(platforms)), "batch_norm_folded": is_folded}
    write_folder(Path(os.path.expanduser(folder)), record, files)


def without_norm(run: Run) -> Served:
    """Return a run's network with its batch normalisation folded into the dense layers, where that can be done.

    Args:
        run: Run whose network is exported.

    Returns:
        The folded network. It is the run's own one without batch normalisation, or if its probabilities would change.
    """
    own = Served(run.config, run.data, run.params, run.batch_stats)
    if not jax.tree.leaves(run.batch_stats) or not isinstance(run.config.model.module, str):
        return own
    config = run.config.updated(WITHOUT_NORM)
    before, after = (model_of(of, run.data) for of in (run.config, config))
    weights = folded(before, after, run.params, run.batch_stats, run.config.train.dtype)
    if weights is None:
        return own
    plain, rows = Served(config, run.data, *weights), _rows_to_check(run)
    answers = (probabilities(of.config, of.params, of.batch_stats, of.data, rows) for of in (own, plain))
    difference = np.abs(np.subtract(*map(np.asarray, answers)))
    return plain if difference.max() <= TOLERANCE else own  # NaN is not within it


def _rows_to_check(run: Run) -> jax.Array:
    """Return validation rows. A loaded run has none, and gets rows that are drawn within the training rows' ranges."""
    data, columns = run.data, run.data.info.columns if run.data.info else None
    if data.valid.size:
        return data.valid.take(jnp.arange(min(CHECKED_ROWS, data.valid.size)))[0]
    drawn = np.random.default_rng(0).random((CHECKED_ROWS, data.inputs))
    if columns is not None:
        rows = stored(columns.low + drawn * (columns.high - columns.low), columns.offset)
    else:
        scale = np.asarray(data.scale, np.float64)
        rows = np.asarray(data.mean) + (4 * drawn - 2) / np.where(scale == 0, 1, scale)
    return jnp.asarray(rows.astype(run.config.train.dtype))


def _serialised(served: Served, platforms: tuple[str, ...]) -> bytes:
    """Return the network as `jax.export` serialises it, from stored rows [b, D] to probabilities [b, C]."""
    (batch,) = jax_export.symbolic_shape("b")
    activation = served.config.model.activation
    rows = jax.ShapeDtypeStruct((batch, served.data.inputs), served.config.train.dtype)
    try:
        exported = jax_export.export(jax.jit(served.probabilities), platforms=platforms)(rows)
        return bytes(exported.serialize())
    except Exception as error:
        if isinstance(activation, str):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"model.activation is {qualified_name(activation)}, which jax.export cannot export ({reason}). "
            "Write it for any number of rows, without calls of Python."
        ) from error


def _record(run: Run) -> dict[str, Any]:
    """Return labels, shape, type and ranges of the rows, as JSON values."""
    data, info = run.data, run.data.info
    columns = info.columns if info else None
    ranges = columns and {
        "low": columns.low.tolist(),
        "high": columns.high.tolist(),
        "names": None if columns.names is None else list(columns.names),
        "offset": None if columns.offset is None else columns.offset.tolist(),
        "dim_share": dim_share(data),
    }
    labels = list(range(data.classes)) if info is None or info.label_values is None else list(info.label_values)
    targets = info.targets if info else None
    return {
        "jaxdeep": __version__,
        "jax": jax.__version__,
        "name": info.name if info else None,
        "source": info.source if info else None,
        "synthetic": bool(info.synthetic) if info else False,
        "seed": run.seed,
        "labels": labels,
        "task": data.task,
        "targets": targets and targets.to_dict(),
        "class_names": list(info.class_names) if info and info.class_names else list(map(str, labels)),
        "rows": {
            "shape": list(data.image_shape),
            "dtype": columns.dtype if columns else str(data.train.images.dtype),
            "input": run.config.train.dtype,
            "columns": ranges,
            "table": info.table.to_dict() if info and info.table else None,
        },
    }
