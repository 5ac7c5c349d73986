"""The networks of the bench by name, from experiments.cifar or its own."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from experiments import cifar, fashion_mnist
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


def names_for(question: str) -> Collection[str]:
    """Return the names of the networks that a question can be asked about.

    Args:
        question: Name of the question.

    Returns:
        The names, as the keys of a mapping.
    """
    return MC_DROPOUT if question == "mc_dropout" else cifar.CONFIGS
