"""The workload of `transfer`: MNIST's rows, a network of the digits 0 to 4, and a new output layer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bench.networks import TRANSFER
from bench.peers.workload import Workload
from bench.workload import SEED, layer_weights
from jaxdeep.config import Config
from jaxdeep.config.transfer import Transfer
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import datasets_of_seeds
from jaxdeep.data.sources import Images, load_images
from jaxdeep.train import step
from jaxdeep.train.fit import fit
from jaxdeep.train.run import Run

CLASSES, EPOCHS, BATCH_SIZE = (0, 1, 2, 3, 4), 2, 128
"""Digits of the source, and how it is trained."""


def mnist() -> Images:
    """Return the real MNIST.

    Raises:
        UserError: It cannot be had.
    """
    return load_images("mnist", source="mnist")


def all_rows(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows and labels, the official test rows last. `Dataset.from_arrays` takes those for testing.

    Args:
        images: Images of a data set.

    Returns:
        Rows [N, D], uint8, and labels [N], int32.
    """
    rows = np.concatenate([images.train_images, images.test_images])
    labels = np.concatenate([images.train_labels, images.test_labels])
    return rows.reshape(len(rows), -1), labels.astype(np.int32)


def trained_source(images: Images, path: Path) -> Run:
    """Train the network that is reused, and save it.

    Args:
        images: Images of a data set.
        path: Path of the file to write.

    Returns:
        The run.
    """
    first = next(iter(TRANSFER.values()))
    config = Config(model=first.model).updated(
        {
            "data.classes": CLASSES,
            "data.valid_size": first.data.valid_size,
            "train.epochs": EPOCHS,
            "train.batch_size": BATCH_SIZE,
        }
    )
    rows, labels = all_rows(images)
    run = fit(config, Dataset.from_arrays(rows, labels, data=config.data), SEED, verbose=False)
    run.save(path)
    return run


def workload(config: Config, images: Images, source: Run, path: Path) -> Workload:
    """Return the workload that every contestant trains.

    Args:
        config: Configuration that is trained.
        images: Images of a data set.
        source: Run whose hidden layers are reused.
        path: Path of the file that holds it.

    Returns:
        All rows, the source's scaling and hidden layers, an output layer with initial weights, and one order. The order
        holds the validation rows, then the training rows. `transfer.source` of the configuration is the path.
    """
    rows, labels = all_rows(images)
    data = Dataset.from_arrays(rows, labels, data=config.data)
    data = datasets_of_seeds(data, config.data, (SEED,))[SEED]
    new = replace(config, transfer=Transfer())
    start: Any = jax.jit(step.start, static_argnums=0)
    *_, head = layer_weights(start(new, new.hyper(), data, jax.random.key(SEED)).params)
    *hidden, _ = layer_weights(source.params)
    kernels, biases = zip(*hidden, head, strict=True)
    return Workload(
        config=config.updated({"transfer.source": str(path)}).to_dict(),
        seed=SEED,
        classes=data.classes,
        images=rows,
        labels=labels,
        mean=np.asarray(source.data.mean, np.float32),
        scale=np.asarray(source.data.scale, np.float32),
        orders=np.concatenate([data.valid.own_rows, data.train.own_rows])[None],
        kernels=kernels,
        biases=biases,
    )
