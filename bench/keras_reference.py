"""Train a configuration's seeds by Keras 3's own `fit`, for the figures and not for the time.

    python -m bench.keras_reference --config alpha_dropout --seeds 3
    python -m bench.keras_reference --experiment fashion_mnist --config relu100

The command writes bench/records/keras-CONFIG.json, or keras-fashion_mnist-CONFIG.json. A row of it is a seed, such as
in summary.json. It needs the real images. Configurations with a schedule, a penalty or a constraint are refused.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from bench.peers.keras_mlp import OPTIMIZERS, compiled, network, set_precision
from experiments import cifar, fashion_mnist
from jaxdeep.analysis.statistics import mean_over_runs, within
from jaxdeep.config import Config, Regularize, Schedule
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.study.files import write_json
from jaxdeep.study.summarise import commit
from jaxdeep.train.devices import describe_processor

RECIPES = {"cifar": cifar.CONFIGS, "fashion_mnist": fashion_mnist.CONFIGS}
FIGURES = ("best_epoch", "epochs", "val_loss", "val_accuracy", "test_loss", "test_accuracy")


def main() -> None:
    """Train with every seed and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="cifar", choices=RECIPES)
    parser.add_argument("--config", required=True, help="name of the experiment's configuration")
    parser.add_argument("--seeds", type=int, default=3, help="42, 43, ... (default 3)")
    parser.add_argument("--epochs", type=int, default=None, help="number at most (default: the configuration's)")
    arguments = parser.parse_args()
    recipes = RECIPES[arguments.experiment]
    if arguments.config not in recipes:
        parser.error(f"--config is {arguments.config}. Give one of {', '.join(recipes)}.")
    config = recipes[arguments.config].config
    if (config.schedule, config.regularize) != (Schedule(), Regularize()) or config.optim.optimizer not in OPTIMIZERS:
        parser.error(
            f"{arguments.config} has a schedule, a penalty, a constraint or an optimizer other than "
            f"{', '.join(OPTIMIZERS)}. Give another configuration."
        )
    if arguments.epochs:
        config = config.updated({"train.epochs": arguments.epochs})
    dataset = "cifar10" if arguments.experiment == "cifar" else arguments.experiment
    data = Dataset.from_images(load_images(dataset, source=dataset), config.data)
    runs = [train(config, data, seed) for seed in range(42, 42 + arguments.seeds)]
    record = {
        "experiment": arguments.experiment,
        "name": arguments.config,
        "config": config.to_dict(),
        "runs": runs,
        "mean": {name: mean_of(name, [run[name] for run in runs]) for name in FIGURES},
        "processor": describe_processor(),
        "commit": commit(),
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
    }
    name = "-".join(("keras", *([] if arguments.experiment == "cifar" else [arguments.experiment]), arguments.config))
    write_json(Path(__file__).parent / "records" / f"{name}.json", record)
    print(json.dumps(record["mean"], indent=2))


def mean_of(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of a figure with its interval as JSON values.

    Args:
        name: Name of the figure in FIGURES.
        values: Figure of each run.
    """
    return within(mean_over_runs(values), 0.0, 1.0 if name.endswith("accuracy") else math.inf)._asdict()


def train(config: Config, data: Dataset, seed: int) -> dict[str, Any]:
    """Return the figures of one run by `fit`. Early stopping and the best weights come from Keras's callback.

    Args:
        config: Configuration without a schedule, penalties and constraints.
        data: Images to train on.
        seed: Seed of all of Keras's random numbers.

    Returns:
        The figures of a row of summary.json.
    """
    set_precision()
    keras.utils.set_random_seed(seed)
    model: Any = network(config.model, data.inputs, data.classes)
    compiled(model, config.optim, steps_per_execution=50)
    mean, scale = np.asarray(data.mean), np.asarray(data.scale)
    train, valid, test = (
        ((np.asarray(split.images, np.float32) - mean) * scale, np.asarray(split.labels))
        for split in (data.train, data.valid, data.test)
    )
    monitor, patience = config.train.monitor, config.train.patience
    stop = keras.callbacks.EarlyStopping(monitor=monitor, patience=patience, restore_best_weights=True)
    keeps_best = config.train.keep == "best"
    began = time.perf_counter()
    history = model.fit(
        *train,
        batch_size=config.train.batch_size,
        epochs=config.train.epochs,
        validation_data=valid,
        callbacks=[stop] if keeps_best else [],
        verbose=0,
    ).history
    chosen = np.argmin(history[monitor]) if monitor == "val_loss" else np.argmax(history[monitor])
    best = int(chosen) if keeps_best else len(history["val_loss"]) - 1
    test_loss, test_accuracy = model.evaluate(*test, batch_size=1_000, verbose=0)
    row = {
        "seed": seed,
        "best_epoch": best + 1,
        "epochs": len(history["val_loss"]),
        "val_loss": history["val_loss"][best],
        "val_accuracy": history["val_accuracy"][best],
        "test_loss": test_loss,
        "test_accuracy": test_accuracy,
        "seconds": time.perf_counter() - began,
    }
    print(row, file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    main()
