"""Keras 3 as a contestant that trains on top of reused layers, by `fit` on the backend that KERAS_BACKEND names."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
import time
from types import SimpleNamespace
from typing import Any

import keras

from bench.peers.keras_mlp import compiled, set_precision
from bench.peers.keras_trainer import device, weighted
from bench.peers.transfer import PeerTransfer, Training, Way, chosen_rows
from bench.peers.workload import Workload


def build(workload: Workload, way: Way = "cached") -> PeerTransfer:
    """Return the network with the workload's weights, whose hidden layers have `trainable=False`.

    Each later training continues from the weights and the state of the optimizer of the one before.

    Args:
        workload: Workload whose one order holds the validation rows, then the training rows.
        way: Whether `predict` computes the outputs of the hidden layers once, and the output layer is trained on them.
            Otherwise the whole network is trained.

    Returns:
        The contestant. Its first training compiles the programs.
    """
    set_precision()
    keras.utils.set_random_seed(workload.seed)
    whole: Any = weighted(workload)
    *hidden, head = whole.layers
    for layer in hidden:
        layer.trainable = way == "all"
    body: Any = keras.Sequential([keras.Input(whole.input_shape[1:]), *hidden])
    model: Any = keras.Sequential([keras.Input(body.output_shape[1:]), head]) if way == "cached" else whole
    compiled(model, SimpleNamespace(**workload.config["optim"]))
    rows, settings = chosen_rows(workload), workload.config["train"]

    def training() -> Training:
        began = time.perf_counter()
        (x, y), (x_valid, y_valid) = rows
        if way == "cached":
            x, x_valid = (body.predict(of_split, verbose=0) for of_split in (x, x_valid))
        computed = time.perf_counter()
        history = model.fit(
            x,
            y,
            batch_size=settings["batch_size"],
            epochs=settings["epochs"],
            validation_data=(x_valid, y_valid),
            verbose=0,
        ).history
        seconds = time.perf_counter() - began
        losses = list(zip(history["loss"], history["val_loss"], strict=True))
        return Training(seconds, computed - began if way == "cached" else 0.0, seconds, losses)

    return PeerTransfer(training, *device())
