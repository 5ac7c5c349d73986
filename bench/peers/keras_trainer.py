"""Keras 3 as a contestant, by `fit` on the backend that KERAS_BACKEND names."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
import time
from types import SimpleNamespace
from typing import Any

import keras

from bench.peers.keras_mlp import compiled, network, set_precision
from bench.peers.trainer import Epoch, Trainer
from bench.peers.workload import Workload, epoch_arrays


class _Clock(keras.callbacks.Callback):
    """A callback that times an epoch without the work of `fit` once a call, which favours Keras."""

    seconds: float

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self._began


def build(workload: Workload, steps_per_execution: int = 1, tf32: bool = False) -> Trainer:
    """Return the network with the workload's weights.

    Args:
        workload: Workload of the contest.
        steps_per_execution: Steps that Keras runs in one call of its compiled program. Keras's default is 1.
        tf32: Whether matrix products are TF32 on a GPU. Otherwise they are float32.

    Returns:
        The trainer.
    """
    set_precision(tf32)
    keras.utils.set_random_seed(workload.seed)
    model: Any = weighted(workload)
    compiled(model, SimpleNamespace(**workload.config["optim"]), steps_per_execution)

    def epoch(index: int) -> Epoch:
        x, y = epoch_arrays(workload, index)
        clock = _Clock()
        called = time.perf_counter()
        history = model.fit(
            x, y, batch_size=workload.batch_size, epochs=1, shuffle=False, verbose=0, callbacks=[clock]
        ).history
        return Epoch(clock.seconds, time.perf_counter() - called, history["loss"][0], history["accuracy"][0])

    return Trainer(epoch, *device())


def weighted(workload: Workload) -> keras.Sequential:
    """Return the network with a logits head and the workload's weights.

    Args:
        workload: Workload of the contest.

    Returns:
        The network, not compiled.
    """
    model: Any = network(SimpleNamespace(**workload.config["model"]), workload.images.shape[1], workload.classes)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, *weights in zip(dense, workload.kernels, workload.biases, strict=True):
        layer.set_weights(weights)
    return model


def device() -> tuple[str, str, Any]:
    """Return the platform, the precision of products and the function that reports memory, for a `Trainer`."""
    if keras.backend.backend() == "jax":
        from bench.peers.jax_device import device_peak, platform, precision

        return platform(), precision(), device_peak
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return "cpu", "float32", dict
    allowed = tf.config.experimental.tensor_float_32_execution_enabled()

    def memory() -> dict[str, Any]:
        return {"peak_bytes_in_use": tf.config.experimental.get_memory_info("GPU:0")["peak"]}

    return "gpu", "TF32" if allowed else "float32", memory
