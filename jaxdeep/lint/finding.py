"""Finding of a check."""

from typing import Final, NamedTuple

SHARE_OF_COPIES: Final = 0.01
"""Copies beyond this share of a part's rows are a finding.

The official CIFAR-10, MNIST and Fashion-MNIST have none: not one of the rows that we validate or test on stands
among the training rows, and no training row stands there twice. One in a hundred leaves room for sets whose rows
repeat now and then.
"""


class Finding(NamedTuple):
    """A mistake that a configuration or its data show.

    Attributes:
        name: Short name such as "selu-without-lecun", by which a recipe lists the findings that it expects.
        message: One line with the value, why it matters, and what to do.
        source: Number in the list of mistakes that the chapter's sources make.
    """

    name: str
    message: str
    source: int
