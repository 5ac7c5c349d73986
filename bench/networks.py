"""The networks of the bench by name, from experiments.cifar or its own."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from experiments import cifar, fashion_mnist, mnist
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config


class BenchNetwork(NamedTuple):
    """A network of the chapter.

    Attributes:
        config: Configuration that trains it.
        inputs: D, features of a row.
        classes: C, number of classes.
    """

    config: Config
    inputs: int
    classes: int = 10


MC_DROPOUT: Final[Mapping[str, BenchNetwork]] = {
    "alpha_dropout": BenchNetwork(cifar.CONFIGS["alpha_dropout"].config, 3_072),
    "dropout": BenchNetwork(fashion_mnist.CONFIGS["dropout"].config, 784),
}
"""Name of a network -> network. The first has dropout before the output layer alone, the second on its inputs too."""

_FROZEN: Final = Config().updated(
    {
        "model.activation": "elu",
        "model.units": (100,) * 5,
        "data.classes": (5, 6, 7, 8, 9),
        "data.valid_size": 10_000,
        "data.valid_per_class": 30,
        "transfer.layers": 5,
        "train.batch_size": 20,
    }
)
TRANSFER: Final[Mapping[str, Config]] = {
    "mnist_500": _FROZEN.updated({"data.per_class": 100, "train.epochs": 100, "train.patience": 100}),
    "mnist_all": _FROZEN.updated({"train.epochs": 5, "train.patience": 5}),
}
"""Name -> configuration of a new output layer for MNIST's digits 5 to 9, on five frozen layers of digits 0 to 4."""


DIAGNOSTICS: Final[Mapping[str, tuple[str, Config]]] = {
    "selu": ("cifar10", cifar.CONFIGS["selu"].config),
    "bn": ("cifar10", cifar.CONFIGS["bn"].config),
    "fashion": ("fashion_mnist", fashion_mnist.CONFIGS["leaky_relu"].config),
}
"""Name of a network -> name of its images and its configuration."""


def _new(recipes: Mapping[str, Recipe]) -> Iterator[tuple[str, Recipe]]:
    """Yield the configurations that begin with new weights."""
    return ((name, recipe) for name, recipe in recipes.items() if recipe.source is None)


KERNELS: Final[Mapping[str, tuple[tuple[int, ...], Config]]] = {
    **{name: ((32, 32, 3), recipe.config) for name, recipe in cifar.CONFIGS.items()},
    **{f"fashion_mnist/{name}": ((28, 28), recipe.config) for name, recipe in _new(fashion_mnist.CONFIGS)},
    **{f"mnist/{name}": ((28, 28), recipe.config) for name, recipe in _new(mnist.CONFIGS)},
}
"""Name of a network -> shape of its images and its configuration. Networks on reused layers are not among them."""


SMALL: Final = ("fits", "short_fits", "study", "shapes", "predict", "import", "names")
"""Names of what small processes do."""


def names_for(question: str) -> Collection[str]:
    """Return the names of the networks that a question can be asked about.

    Args:
        question: Name of the question.

    Returns:
        The names, as the keys of a mapping.
    """
    own: Mapping[str, Collection[str]] = {
        "mc_dropout": MC_DROPOUT,
        "transfer": TRANSFER,
        "diagnostics": DIAGNOSTICS,
        "kernels": KERNELS,
        "small": SMALL,
    }
    return own.get(question, cifar.CONFIGS)
