"""A small data set that can be learnt: noisy copies of one pattern a class."""

import numpy as np

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset

CLASSES, SHAPE = 4, (6, 6, 1)


def small_arrays(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, 6, 6, 1] uint8 and labels [N]."""
    patterns = np.random.default_rng(99).integers(0, 256, (CLASSES, *SHAPE))
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % CLASSES)
    noise = rng.normal(0, 60, (rows, *SHAPE))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels.astype(np.uint8)


def small_dataset(config: Config) -> Dataset:
    """150 training rows, so that batches of 32 leave 22; 50 validation rows, 60 test rows."""
    return Dataset.from_arrays(*small_arrays(200), *small_arrays(60, seed=1), data=config.data)


SMALL = Config(
    Data(valid_size=50),
    Model(units=(12, 12, 12)),
    Optim(learning_rate=3e-3),
    Train(batch_size=32, epochs=4, patience=4),
)
