"""The workload of every contestant as a file. NumPy alone reads it, so that a peer holds nothing of jaxdeep."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """Images, weights and orders of one contest.

    Attributes:
        config: Configuration as nested JSON values. Its batches are all whole.
        seed: Seed of jaxdeep's run, which gives the weights and the orders.
        classes: C, number of classes.
        images: Rows, [N, D], uint8 or floating.
        labels: Class of each row, [N], int32.
        mean: Scalar or [1, D], float32. A row enters the network as (row - mean) x scale.
        scale: Scalar or [1, D], float32, the factor of a row less its mean.
        orders: Indices of the rows of each epoch in order, [R + 1, N], int32. The first epoch is the warm-up.
        kernels: Kernel of each dense layer, [fan in, units], float32. The output layer's is the last.
        biases: Bias of each dense layer, [units], float32. The output layer's is the last.
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
        """Return B, the images of a batch."""
        return self.config["train"]["batch_size"]


def save(path: Path, workload: Workload) -> None:
    """Write a workload as .npz.

    Args:
        path: Path of the file.
        workload: Workload to write.
    """
    layers = {f"{name}_{i}": a for name in ("kernels", "biases") for i, a in enumerate(getattr(workload, name))}
    rest = {name: value for name, value in workload._asdict().items() if name not in ("config", "kernels", "biases")}
    np.savez(path, config=json.dumps(workload.config), **rest, **layers)


def load(path: Path) -> Workload:
    """Return the workload that `save` wrote.

    Args:
        path: Path of the file.

    Returns:
        The workload.
    """
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    count = sum(name.startswith("kernels_") for name in arrays)
    kernels, biases = (tuple(arrays.pop(f"{name}_{index}") for index in range(count)) for name in ("kernels", "biases"))
    config, seed, classes = json.loads(str(arrays.pop("config"))), int(arrays.pop("seed")), int(arrays.pop("classes"))
    return Workload(config=config, seed=seed, classes=classes, kernels=kernels, biases=biases, **arrays)


def epoch_arrays(workload: Workload, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an epoch's scaled rows in order, and their labels. A peer is handed them outside of its time.

    Args:
        workload: Workload of the contest.
        index: Index of the epoch. 0 is the warm-up.

    Returns:
        Rows, [N, D], float32, and labels, [N], int32.
    """
    order = workload.orders[index]
    return scaled(workload, order), workload.labels[order]


def scaled(workload: Workload, order: np.ndarray | None = None) -> np.ndarray:
    """Return rows as they enter the network.

    Args:
        workload: Workload of the contest.
        order: Indices of the rows, [N]. None keeps the stored order.

    Returns:
        Scaled rows, [N, D], float32.
    """
    order = np.arange(len(workload.images)) if order is None else order
    inputs = np.empty(workload.images.shape, np.float32)
    for rows in np.array_split(np.arange(len(order)), max(len(order) // 2_000, 1)):  # avoids a second copy of all rows
        inputs[rows] = (workload.images[order[rows]].astype(np.float32) - workload.mean) * workload.scale
    return inputs
