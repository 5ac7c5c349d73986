"""The laboratory of the claims: rows, networks at their own best learning rates, and what they share.

A trained network is kept by its configuration, not by the claim that asked for it. So claims share networks, and a
killed command trains only what is missing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import jax

from experiments.lab.kept import Arm, kept
from jaxdeep import (
    Budget,
    Config,
    Data,
    Dataset,
    Model,
    Optim,
    Run,
    StudyResult,
    Train,
    Trial,
    load_images,
    run_study,
    tune,
)
from jaxdeep.data.sources import Images
from jaxdeep.study.runner import train_all
from jaxdeep.study.tuning import Tuning

FIRST_SEED: Final = 42
BASE: Final = Config(
    data=Data(scaling="standardize", train_size=20_000, valid_size=5_000),
    model=Model(units=(100,) * 5, activation="elu", kernel_init="he_normal"),
    optim=Optim(optimizer="nadam", learning_rate=1e-3),
    train=Train(batch_size=32, epochs=10, patience=10),
)
"""Five hidden layers of 100 ELU units on 20,000 images for 10 epochs. The epoch with the lowest val_loss is kept."""
REDUCED: Final = "20,000 of the training images, 5 x 100 units, 10 epochs"
QUICK_ROWS: Final = 2_000
"""Training rows of a quick measurement. It has half as many validation rows."""
QUICK_EPOCHS: Final = 2
QUICK_SEEDS: Final = 2


@dataclass(frozen=True)
class Lab:
    """What a claim measures with.

    Attributes:
        folder: Folder of the trained networks.
        quick: Whether few rows, epochs, rates and seeds are used. The figures are no results.
        source: Source of the images, as `load_images` takes it.
        data_dir: Folder of the classic files, or None.
    """

    folder: Path
    quick: bool = False
    source: str = "auto"
    data_dir: Path | None = None

    def seeds(self, count: int) -> tuple[int, ...]:
        """Return fresh seeds.

        Args:
            count: Number of seeds of a full measurement.
        """
        return tuple(range(FIRST_SEED, FIRST_SEED + (min(count, QUICK_SEEDS) if self.quick else count)))

    def shrunk(self, config: Config) -> Config:
        """Return a configuration with a quick measurement's rows and epochs, or as it is.

        Args:
            config: Configuration of a full measurement.
        """
        if not self.quick:
            return config
        epochs, rows = min(config.train.epochs, QUICK_EPOCHS), config.data.train_size
        few = {"data.train_size": QUICK_ROWS, "data.valid_size": QUICK_ROWS // 2}
        is_small = bool(config.data.classes) or (rows is not None and rows <= QUICK_ROWS)
        return config.updated({**({} if is_small else few), "train.epochs": epochs, "train.patience": epochs})

    def images(self, dataset: str = "fashion_mnist") -> Images:
        """Return the images of a set.

        Args:
            dataset: Name of the image set.
        """
        return _images(dataset, self.source, self.data_dir)

    def rows(self, config: Config, dataset: str = "fashion_mnist") -> Dataset:
        """Return the rows of a configuration.

        Args:
            config: Configuration, whose division and scaling are used.
            dataset: Name of the image set.
        """
        doubles = jax.config.read("jax_enable_x64")
        return _rows(dataset, self.source, self.data_dir, self.shrunk(config).data, doubles)

    def tuned(
        self,
        configs: Mapping[str, Config],
        *,
        seeds: int = 10,
        rates: int = 5,
        search_seeds: int = 2,
        search_epochs: int | None = None,
        dataset: str = "fashion_mnist",
    ) -> dict[str, Arm]:
        """Return configurations at their own best learning rates, found with the same budget, with fresh seeds.

        Args:
            configs: Configuration of each arm by name.
            seeds: Number of fresh seeds.
            rates: Number of learning rates of each search.
            search_seeds: Number of seeds of each rate of a search.
            search_epochs: Number of epochs of a search. None takes the configuration's own.
            dataset: Name of the image set.
        """
        budget = Budget(3, 1, 1) if self.quick else Budget(rates, search_seeds, search_epochs)
        fresh = self.seeds(seeds)

        def train(config: Config) -> tuple[StudyResult, Tuning]:
            result = tune({"arm": (config, self.rows(config, dataset))}, seeds=fresh, budget=budget)
            return result.studies["arm"], result.tuning

        what = (dataset, budget.rates, budget.seeds, budget.epochs, list(fresh))
        return self._arms("tuned", configs, what, train)

    def trained(
        self, configs: Mapping[str, Config], *, seeds: int = 10, dataset: str = "fashion_mnist"
    ) -> dict[str, Arm]:
        """Return configurations at their given learning rates.

        Args:
            configs: Configuration of each arm by name.
            seeds: Number of seeds.
            dataset: Name of the image set.
        """
        fresh = self.seeds(seeds)

        def train(config: Config) -> tuple[StudyResult, None]:
            return run_study(config, self.rows(config, dataset), seeds=fresh), None

        return self._arms("trained", configs, (dataset, list(fresh)), train)

    def _arms(
        self,
        kind: str,
        configs: Mapping[str, Config],
        what: Sequence[Any],
        train: Callable[[Config], tuple[StudyResult, Tuning | None]],
    ) -> dict[str, Arm]:
        """Return the arms that are kept, and train the others."""
        arms = {}
        for name, of in configs.items():
            config = self.shrunk(of)
            path = self._folder(kind, config, *what).with_suffix(".json")
            arms[name] = kept(path, name, partial(train, config))
        return arms

    def runs(self, config: Config, *, seeds: int = 5, dataset: str = "fashion_mnist") -> list[Run]:
        """Return trained networks with their weights.

        Args:
            config: Configuration at its learning rate, such as that of an arm.
            seeds: Number of seeds.
            dataset: Name of the image set.
        """
        config, fresh = self.shrunk(config), self.seeds(seeds)
        folder = self._folder("networks", config, dataset)
        return train_all(
            [Trial(config, seed) for seed in fresh],
            self.rows(config, dataset),
            checkpoints=lambda trial: folder / trial.name,
        )

    def _folder(self, kind: str, config: Config, *what: Any) -> Path:
        """Return the folder of a configuration's networks."""
        text = json.dumps([config.to_dict(), self.source == "synthetic", *what], sort_keys=True, default=str)
        return self.folder / kind / hashlib.sha256(text.encode()).hexdigest()[:16]


def arms_of(base: Config, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Config]:
    """Return a configuration's variants by name.

    Args:
        base: Configuration that all arms share.
        changes: Value of each changed field by dotted name, for each arm.
    """
    return {name: base.updated(dict(of)) for name, of in changes.items()}


@lru_cache(maxsize=4)
def _images(dataset: str, source: str, data_dir: Path | None) -> Images:
    return load_images(dataset, source=source, data_dir=data_dir)


@lru_cache(maxsize=8)
def _rows(dataset: str, source: str, data_dir: Path | None, data: Data, doubles: bool) -> Dataset:
    del doubles  # the means and scales of single and of double precision are kept apart
    return Dataset.from_images(_images(dataset, source, data_dir), data)


def values_of(arm: Arm, figure: str, seeds: Sequence[int] | None = None) -> list[float]:
    """Return a figure of each seed of an arm. A diverged trial has NaN.

    Args:
        arm: Trained arm.
        figure: Name of a figure of a trial, such as "test_loss".
        seeds: Seeds, in the wanted order. None takes all.
    """
    by_seed = {trial.seed: getattr(trial, figure) for trial in arm.study.trials}
    chosen = arm.study.seeds if seeds is None else seeds
    return [float("nan") if by_seed[seed] is None else float(by_seed[seed]) for seed in chosen]
