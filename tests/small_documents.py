"""The commands of the documents on small images, small networks and few epochs, in this process or as a program.

`python tests/small_documents.py -m experiments.cifar --config selu --seeds 10` stands for the command behind it. No
more than two seeds and three epochs are trained, and no network has more than three layers of eight units. The
configurations are made small before the flags are read, so the folders and the printed words are the real command's.
"""

import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest.mock import patch

from small_commands import images

import jaxdeep.cli.console
import jaxdeep.cli.find_lr
import jaxdeep.cli.main
import jaxdeep.cli.run
import jaxdeep.run.uncertainty
from experiments import cifar, fashion_mnist, mnist
from experiments import record as study_record
from experiments.compress.__main__ import main as compress
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config
from jaxdeep.data.images import Images

LIMITS: Final = {
    **dict.fromkeys(("--epochs", "--train.epochs", "--seeds", "--folds"), 2),
    **dict.fromkeys(("--mc-samples", "--samples"), 3),
    "--data.train-size": 320,
    "--tune-rates": 3,
    "--tune-seeds": 1,
}
"""The largest value that each flag gets. Two epochs differ from a configuration's own three."""
EXPERIMENTS: Final = {
    "experiments.cifar": ("cifar", "cifar10", cifar.CONFIGS),
    "experiments.fashion_mnist": ("fashion_mnist", "fashion_mnist", fashion_mnist.CONFIGS),
    "experiments.mnist": ("mnist", "mnist", mnist.CONFIGS),
}


def capped(words: Sequence[str]) -> list[str]:
    """Return the words of a command with no value above its limit.

    >>> capped(["--config", "selu", "--seeds", "10", "--epochs", "1"])
    ['--config', 'selu', '--seeds', '2', '--epochs', '1']
    """
    found = list(words)
    for index, flag in enumerate(words[:-1]):
        if flag in LIMITS and words[index + 1].isdigit():
            found[index + 1] = str(min(int(words[index + 1]), LIMITS[flag]))
    return found


def small(config: Config) -> Config:
    """Return a configuration with at most three layers of eight units, three epochs and five rows of a class."""
    model, transfer, data = config.model.rebuilt(min(len(config.model.units), 3), ()), config.transfer, config.data
    layers = None if transfer.layers is None else min(transfer.layers, 3)
    return replace(
        config,
        data=replace(
            data,
            per_class=None if data.per_class is None else 5,
            valid_per_class=None if data.valid_per_class is None else 2,
        ),
        model=replace(model, units=tuple(min(count, 8) for count in model.units)),
        train=replace(config.train, epochs=min(config.train.epochs, 3)),
        transfer=replace(
            transfer,
            layers=layers,
            unfreeze=min(transfer.unfreeze, 3),
            unfreeze_epoch=transfer.unfreeze_epoch and min(transfer.unfreeze_epoch, 1),
        ),
    )


def small_recipes(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Return an experiment's configurations, made small."""
    return {name: replace(recipe, config=small(recipe.config)) for name, recipe in recipes.items()}


def real_images(name: str, *, source: str, data_dir: Path | None) -> Images:
    """Return the small images as if they were real ones, but for `--data synthetic`."""
    return images(name, source=name if source == "auto" else source, data_dir=data_dir)


@contextmanager
def small_commands() -> Iterator[Callable[[Sequence[str]], int]]:
    """Give a function that runs the words of a command behind `python` or `python -m`, and returns its exit status."""

    def run(words: Sequence[str]) -> int:
        module, *given = capped(words)
        if module.endswith(".py"):
            return _run_file(module, given)
        if module == "experiments.compress":
            return compress([*given, "--quick"])
        if module == "jaxdeep":
            return jaxdeep.cli.console.main(given)
        name, dataset, recipes = EXPERIMENTS[module]
        return jaxdeep.cli.main.main(name, dataset, small_recipes(recipes), given)

    with ExitStack() as stack:
        for module in (jaxdeep.cli.run, jaxdeep.run.uncertainty, study_record):
            stack.enter_context(patch.object(module, "load_images", real_images))
        stack.enter_context(patch.object(jaxdeep.cli.run, "use_compilation_cache", lambda: None))
        stack.enter_context(patch.object(jaxdeep.cli.console, "Config", lambda: small(Config())))
        yield run


def _run_file(path: str, given: Sequence[str]) -> int:
    with patch.object(sys, "argv", [path, *given]):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


if __name__ == "__main__":
    with small_commands() as run:
        raise SystemExit(run(sys.argv[2:]))
