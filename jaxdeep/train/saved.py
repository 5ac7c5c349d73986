"""Save trained runs and load them again: one run, or all runs that a study has left in its folder."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.files import replace_file
from jaxdeep.train.checks import check_dtype
from jaxdeep.train.forward import model_of
from jaxdeep.train.history import from_rows, null_if_not_finite, to_rows
from jaxdeep.train.leaves import Leaves, leaves_digest, leaves_of, named_leaves, state_of
from jaxdeep.train.run import Run
from jaxdeep.train.saved_file import is_saved_run, packed, unpacked, unpacked_bytes
from jaxdeep.train.saved_parts import arrays_of_data, config_of, dataset_of, record_of_data, scaling_of
from jaxdeep.version import __version__

NETWORKS: Final = "networks"
"""Name of the folder in a study's folder that holds a saved run for each trial."""
END: Final = ".npz"
"""End of the names of its files."""
FIGURES: Final = (
    *("best_epoch", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "diverged"),
    *("compile_seconds", "checkpoint_seconds"),
)
"""Fields of a run that its record holds as numbers."""
LATER_FIGURES: Final = ("train_loss", "train_accuracy")
"""Further such fields. A record may lack them."""
ROWS: Final = ("val_correct", "test_correct")
"""Fields of a run that are arrays with a value for each row."""
CONFUSION: Final = "confusion"
"""Field of a run that is an array or None."""


def save(run: Run, path: str | Path) -> None:
    """Write a run to a file. `Run.save` describes it.

    Args:
        run: Run to save.
        path: Path of the file. `~` is the user's home.

    Raises:
        UserError: The path is a file that is no saved run, or it cannot be written.
    """
    target = _path(path)
    try:
        if target.exists() and not is_saved_run(target):
            raise UserError(f"{target} exists and is no saved run. Choose another path, or remove it.")
        replace_file(target, saved_bytes(run))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{target}: cannot be written ({reason}). Choose a path in a folder that exists.") from error


def saved_bytes(run: Run) -> bytes:
    """Return the content of the file that holds a run.

    Args:
        run: Run to save.
    """
    record = {
        "jaxdeep": __version__,
        "config": run.config.to_dict(),
        "seed": run.seed,
        "data": record_of_data(run.data),
        "figures": {name: null_if_not_finite(getattr(run, name)) for name in (*FIGURES, *LATER_FIGURES)},
        "history": to_rows(run.history),
    }
    rows = {name: np.asarray(getattr(run, name)) for name in ROWS}
    rows |= {} if run.confusion is None else {CONFUSION: run.confusion}
    return packed(record, {**_leaves(run), **arrays_of_data(run.data, run.config.train.dtype), **rows})


def run_of_bytes(content: bytes, config: Config, data: Dataset) -> Run:
    """Return a run that another process has sent.

    Args:
        content: Bytes that `saved_bytes` returned there.
        config: Configuration that was trained.
        data: Data set that it was trained on, with its rows.

    Returns:
        The run with its rows. Its weights are NumPy arrays.
    """
    record, arrays = unpacked_bytes(content)
    return _run(record, arrays, config, data)


def network_digest(run: Run) -> str:
    """Return the digest of a network and of the scaling of its inputs. Saving and loading leave it as it is.

    Args:
        run: Run that was trained or loaded.

    Returns:
        64 hexadecimal digits: the SHA-256 of weights, moving statistics, scaling and image shape.
    """
    shape = {"image_shape": np.array(run.data.image_shape, np.int64)}
    return leaves_digest({**_leaves(run), **scaling_of(run.data, run.config.train.dtype), **shape})


def load(path: str | Path, *, config: Config | None = None, seed: int | None = None, name: str | None = None) -> Run:
    """Read a run that `Run.save` or a study has written. On the same machine it predicts the same bits.

    Its `data` has the classes, the scaling and the ranges of the training rows, and no rows. So it can predict, and
    whatever needs rows refuses it.

    Args:
        path: Path of a saved run, or of a study's folder such as runs/cifar/selu. `~` is the user's home.
        config: Configuration that was trained. It is needed if it has functions of your own, which a file cannot hold.
            All its other fields must be the recorded ones. None takes the recorded configuration.
        seed: Seed that chooses a run of a study's folder, or None.
        name: Name that chooses a run of a study's folder, such as "seed_42", or None.

    Returns:
        The run.

    Raises:
        UserError: The file is missing, damaged or of a later version, or the configuration is another one. Or the
            folder has no saved run, or several that are meant.
    """
    target = _path(path)
    if target.is_dir():
        return _chosen(target, config, seed, name)
    if seed is not None or name is not None:
        raise UserError(f"{target} is no folder, and seed and name choose a run in a folder. Leave them out.")
    return _read(target, config)


def load_all(folder: str | Path) -> dict[str, Run]:
    """Read all runs that a study has left in its folder.

    Args:
        folder: Folder of a study. `~` is the user's home.

    Returns:
        The runs by the names of their files, such as "seed_42", in alphabetical order.

    Raises:
        UserError: There is no saved run, or one cannot be read.
    """
    return {name: _read(path, None) for name, path in _networks(_path(folder)).items()}


def _chosen(folder: Path, config: Config | None, seed: int | None, name: str | None) -> Run:
    """Return the only run of a study's folder that has a seed and a name."""
    paths = _networks(folder)
    fitting = {of: path for of, path in paths.items() if name in (None, of)}
    if seed is not None:
        fitting = {of: path for of, path in fitting.items() if unpacked(path)[0].get("seed") == seed}
    if len(fitting) == 1:
        return _read(*fitting.values(), config)
    found = ", ".join(fitting or paths)
    which = " of that seed or name" if seed is not None or name is not None else ""
    count = f"{len(fitting)} saved runs{which}" if fitting else f"no saved run{which}"
    advice = "Choose one by name=" if seed is not None or name is not None else "Choose one by seed= or name="
    raise UserError(f"{folder} has {count}. {advice}: {found}.")


def _networks(folder: Path) -> dict[str, Path]:
    """Return the path of each saved run in a study's folder by its name."""
    paths = sorted((folder / NETWORKS).glob(f"*{END}"))
    if paths:
        return {path.name.removesuffix(END): path for path in paths}
    if (folder / "checkpoints").is_dir() and (folder / "summary.json").exists():
        advice = (
            "They were removed, or version 0.1 wrote it. Remove its summary.json and give its command again, which "
            "writes them from its checkpoints."
        )
    elif (folder / "checkpoints").is_dir():
        advice = "It is not finished. Give its command again, which finishes it."
    else:
        advice = "Give a saved run, or the folder of a finished study."
    raise UserError(f"{folder} has no saved run. {advice}")


def _read(path: Path, config: Config | None) -> Run:
    """Return the run in a file."""
    record, arrays = unpacked(path)
    try:
        config = config_of(str(path), record["config"], config)
        check_dtype(config)
        return _run(record, arrays, config)
    except UserError:  # which is a ValueError
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: cannot be read as a saved run ({reason}). Save the run again.") from error


def _run(record: Mapping[str, Any], arrays: Leaves, config: Config, data: Dataset | None = None) -> Run:
    """Return the run of a record and its arrays. The arrays hold its data without rows, unless it is given."""
    if data is None:
        data = dataset_of(record["data"], arrays, config.train.dtype)
    params, batch_stats = jax.eval_shape(model_of(config, data).init, jax.random.key(0))
    like = {"params": params, "batch_stats": batch_stats}
    leaves = {}
    for name, leaf in named_leaves(like).items():
        leaves[name] = found = arrays[name]
        if (found.shape, found.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} is {found.dtype}{found.shape}, expected {leaf.dtype}{leaf.shape}")
    figures: dict[str, Any] = {name: record["figures"][name] for name in FIGURES}
    figures |= {name: record["figures"].get(name) for name in LATER_FIGURES}
    figures = {name: float("nan") if figure is None else figure for name, figure in figures.items()}
    rows: dict[str, Any] = {**{name: arrays[name] for name in ROWS}, CONFUSION: arrays.get(CONFUSION)}
    history = tuple(from_rows(record["history"]))
    return Run(config, data, record["seed"], history, **state_of(leaves, like), **figures, **rows)


def _leaves(run: Run) -> Leaves:
    """Return the weights and the moving statistics of a run by name."""
    return leaves_of({"params": run.params, "batch_stats": run.batch_stats})


def _path(path: Any) -> Path:
    """Return a path with `~` expanded."""
    check_type("path", path, (str, os.PathLike), "a path")
    return Path(os.path.expanduser(path))
