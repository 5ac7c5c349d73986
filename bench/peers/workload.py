"""What every contestant works on, as a file. Reading it needs NumPy alone: a peer holds nothing of jaxdeep."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """Images, weights and orders of one contest.

    Attributes:
        config: of the run, as nested JSON values; without a partial batch.
        seed: of jaxdeep's run, from which weights and orders come.
        classes: C.
        images: [N, D], uint8 or floating.
        labels: [N], int32.
        mean: scalar or [1, D], float32; a row enters the network as (row - mean) x scale.
        scale: likewise.
        orders: [R + 1, N], int32: the rows of each epoch in order; the first is the warm-up.
        kernels: of each dense layer, [fan in, units], float32; the output layer's is the last.
        biases: likewise, [units].
    """

    config: dict[str, Any]
    seed: int
    classes: int
    images: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    orders: np.ndarray
    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def batch_size(self) -> int:
        """B."""
        return self.config["train"]["batch_size"]


def save(path: Path, workload: Workload) -> None:
    """Write a workload as .npz."""
    layers = {f"{name}_{i}": a for name in ("kernels", "biases") for i, a in enumerate(getattr(workload, name))}
    rest = {name: value for name, value in workload._asdict().items() if name not in ("config", "kernels", "biases")}
    np.savez(path, config=json.dumps(workload.config), **rest, **layers)


def load(path: Path) -> Workload:
    """Read what `save` wrote."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    count = sum(name.startswith("kernels_") for name in arrays)
    kernels, biases = (tuple(arrays.pop(f"{name}_{index}") for index in range(count)) for name in ("kernels", "biases"))
    config, seed, classes = json.loads(str(arrays.pop("config"))), int(arrays.pop("seed")), int(arrays.pop("classes"))
    return Workload(config=config, seed=seed, classes=classes, kernels=kernels, biases=biases, **arrays)


def epoch_arrays(workload: Workload, index: int) -> tuple[np.ndarray, np.ndarray]:
    """An epoch's rows in order, scaled, and their labels: what a peer is handed ready, outside of its time.

    Args:
        workload: of the contest.
        index: of the epoch; 0 is the warm-up.

    Returns:
        [N, D], float32; [N], int32.
    """
    order = workload.orders[index]
    return scaled(workload, order), workload.labels[order]


def scaled(workload: Workload, order: np.ndarray | None = None) -> np.ndarray:
    """Rows as they enter the network: [N, D], float32.

    Args:
        workload: of the contest.
        order: [N], of the rows; None: as they are stored.
    """
    order = np.arange(len(workload.images)) if order is None else order
    inputs = np.empty(workload.images.shape, np.float32)
    for rows in np.array_split(np.arange(len(order)), max(len(order) // 2_000, 1)):  # no second copy of them all
        inputs[rows] = (workload.images[order[rows]].astype(np.float32) - workload.mean) * workload.scale
    return inputs
