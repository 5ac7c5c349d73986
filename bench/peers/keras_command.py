"""The chapter's program in Keras 3 as a command, from the CIFAR-10 files to early stopping.

    KERAS_BACKEND=tensorflow python -m bench.peers.keras_command CONFIG.json --seed 42 [--steps-per-execution 50]

CONFIG.json is a jaxdeep `Config` as JSON. A line for each epoch goes to stderr, in jaxdeep's form. At the end a line of
JSON with compile_seconds goes to stdout. The command imports nothing of jaxdeep.
"""

import argparse
import json
import os
import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from bench.peers.keras_mlp import compiled, network, set_precision


class _Lines(keras.callbacks.Callback):
    """A callback that writes a line as each epoch ends."""

    def __init__(self, seed: int, epochs: int) -> None:
        super().__init__()
        self._seed, self._epochs = seed, epochs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        figures = ", ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_accuracy"))
        print(f"seed {self._seed} epoch {epoch + 1}/{self._epochs}: {figures}", file=sys.stderr, flush=True)


def main() -> None:
    """Train until the last epoch or early stopping."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--steps-per-execution", type=int, default=1)
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    training = config["train"]
    set_precision()
    keras.utils.set_random_seed(arguments.seed)
    x, y = _images(Path(os.environ["JAXDEEP_DATA"]) / "cifar-10-batches-py")
    valid_size = config["data"]["valid_size"]
    mean, scale = _mean_and_scale(x[valid_size:], config["data"]["scaling"])
    inputs = (x.astype(np.float32) - mean) * scale
    began = time.perf_counter()
    model: Any = network(SimpleNamespace(**config["model"]), inputs.shape[1], 10)
    compiled(model, SimpleNamespace(**config["optim"]), arguments.steps_per_execution)
    compile_seconds = [time.perf_counter() - began]
    _time_first_calls(model, compile_seconds)
    stop = keras.callbacks.EarlyStopping(patience=training["patience"], restore_best_weights=True)
    model.fit(
        inputs[valid_size:],
        y[valid_size:],
        batch_size=training["batch_size"],
        epochs=training["epochs"],
        validation_data=(inputs[:valid_size], y[:valid_size]),
        callbacks=[stop, _Lines(arguments.seed, training["epochs"])],
        verbose=0,
    )
    print(json.dumps({"compile_seconds": sum(compile_seconds)}))


def _time_first_calls(model: Any, seconds: list[float]) -> None:
    """Append the seconds of the first training step and of the first validation step.

    Later steps are called without the clock.
    """
    for kind in ("train", "test"):
        getattr(model, f"make_{kind}_function")()
        name = f"{kind}_function"
        function = getattr(model, name)

        def first(*arguments: Any, name: str = name, function: Any = function) -> Any:
            began = time.perf_counter()
            result = function(*arguments)
            seconds.append(time.perf_counter() - began)
            setattr(model, name, function)
            return result

        setattr(model, name, first)


def _images(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the 50,000 training images, [N, D], uint8, and their labels, [N]."""

    def batches() -> Iterator[tuple[np.ndarray, list[int]]]:
        for index in range(1, 6):
            with (folder / f"data_batch_{index}").open("rb") as file:
                batch = pickle.load(file, encoding="bytes")
            yield batch[b"data"], batch[b"labels"]

    images, labels = zip(*batches(), strict=True)
    return np.concatenate(images), np.concatenate(labels).astype(np.int32)


def _mean_and_scale(images: np.ndarray, scaling: str) -> tuple[Any, Any]:
    """Return mean and scale of a scaling. A row enters the network as (row - mean) x scale."""
    if scaling == "standardize":
        std = images.std(0, dtype=np.float32)
        return images.mean(0, dtype=np.float32), 1 / np.where(std == 0, 1, std)
    return np.float32(0), np.float32(1 if scaling == "none" else 1 / 255)


if __name__ == "__main__":
    main()
