"""Keras 3 as a contestant that predicts, by the chapter's loop on the backend that KERAS_BACKEND names."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
from typing import Any

import keras
import numpy as np

from bench.peers.keras_mlp import set_precision
from bench.peers.keras_trainer import device, weighted
from bench.peers.predictor import SAMPLES, PeerPredictor
from bench.peers.workload import Workload, scaled


def build(workload: Workload, tensor: bool = False, tf32: bool = False) -> PeerPredictor:
    """Return the network with the workload's weights and a softmax.

    Args:
        workload: Workload of the contest.
        tensor: Whether the images are a tensor beforehand. Otherwise they are the chapter's array, which each call
            copies.
        tf32: Whether matrix products are TF32 on a GPU. Otherwise they are float32.

    Returns:
        The predictor.
    """
    set_precision(tf32)
    keras.utils.set_random_seed(workload.seed)
    model: Any = weighted(workload)
    model.add(keras.layers.Softmax())
    x = keras.ops.convert_to_tensor(scaled(workload)) if tensor else scaled(workload)

    def predict(_: int) -> tuple[np.ndarray, np.ndarray]:
        y_probas = np.stack([model(x, training=True) for _ in range(SAMPLES)])
        return y_probas.mean(axis=0), y_probas.std(axis=0)

    def plain() -> np.ndarray:
        return np.asarray(model(x, training=False))

    return PeerPredictor(predict, plain, *device())
