"""The networks that a question can be asked about, by name: those of experiments.cifar, or some of its own."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from experiments import cifar, fashion_mnist
from jaxdeep.config import Config


class Network(NamedTuple):
    """A network of the chapter.

    Attributes:
        config: of its run.
        inputs: D, features of a row.
        classes: C.
    """

    config: Config
    inputs: int
    classes: int = 10


MC_DROPOUT: Final[Mapping[str, Network]] = {
    "alpha_dropout": Network(cifar.CONFIGS["alpha_dropout"].config, 3_072),
    "dropout": Network(fashion_mnist.CONFIGS["dropout"].config, 784),
}
"""With dropout before the output layer alone, and on the inputs too."""


def names_for(question: str) -> Collection[str]:
    """Those that a question can be asked about."""
    return MC_DROPOUT if question == "mc_dropout" else cifar.CONFIGS
