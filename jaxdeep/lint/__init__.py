"""Find mistakes that the chapter's sources make before a run: one pure function for each.

A check is a function of a configuration and its data set, or of the data set alone. `lint` asks all checks. A mistake
that is refused anyway has no check here.
"""

from typing import Final

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.subsets import selected
from jaxdeep.lint import network, rates, rows
from jaxdeep.lint.comparison import compared
from jaxdeep.lint.finding import Finding

__all__ = ["Finding", "compared", "lint", "lint_config", "lint_rows"]

OF_STACK: Final = (
    network.selu_without_lecun,
    network.selu_inputs_not_standardised,
    network.selu_with_penalty,
    network.selu_with_max_norm,
    network.selu_with_dropout,
    network.alpha_dropout_without_selu,
)
"""(config, data) -> a finding of the stack of layers, or None."""
OF_ANY_NETWORK: Final = (
    rates.rate_out_of_range,
    rates.schedule_without_effect,
    rates.schedule_too_short,
    rates.schedule_cut_short,
    rows.test_rows_for_validation,
)
"""(config, data) -> a finding or None."""


def lint(config: Config, data: Dataset, *, mc_dropout: bool = False) -> tuple[Finding, ...]:
    """Find what is probably a mistake in a configuration or its data, before anything is trained.

    It takes a fifth of a second on CIFAR-10, mostly to find rows that stand in two parts. `fit` does not ask it.

    Args:
        config: Configuration to train.
        data: Data set to train on.
        mc_dropout: Whether the trained network is to predict by MC dropout.

    Returns:
        The findings. There is none if nothing is odd.

    Raises:
        UserError: An argument has another type, or the data set has no rows, or lacks rows that the configuration
            chooses.

    >>> import numpy as np
    >>> from jaxdeep.config import Data, Model
    >>> rows, labels = np.random.default_rng(0).random((200, 8)), np.arange(200) % 4
    >>> config = Config(Data("none", valid_size=20), Model((8,), activation="selu", kernel_init="he_normal"))
    >>> [finding.name for finding in lint(config, Dataset.from_arrays(rows, labels, data=config.data))]
    ['selu-without-lecun', 'selu-inputs-not-standardised']
    """
    check_type("config", config, Config, "a Config")
    check_type("data", data, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    data.check_has_rows()
    data = _chosen(config, data)
    found = (*lint_config(config, data), *lint_rows(data))
    nothing_random = network.mc_dropout_without_dropout(config, data) if mc_dropout else None
    return found if nothing_random is None else (nothing_random, *found)


def lint_config(config: Config, data: Dataset) -> tuple[Finding, ...]:
    """Find mistakes of a configuration. The data set gives its number of steps and the network's inputs.

    Args:
        config: Configuration to train.
        data: Data set to train on.
    """
    data = _chosen(config, data)
    is_stack = isinstance(config.model.module, str)
    found = (check(config, data) for check in ((*OF_STACK, *OF_ANY_NETWORK) if is_stack else OF_ANY_NETWORK))
    return tuple(finding for finding in found if finding is not None)


def lint_rows(data: Dataset) -> tuple[Finding, ...]:
    """Find mistakes of a data set that are the same for every configuration: labels, missing classes, copied rows.

    Args:
        data: Training, validation and test rows.
    """
    found = (rows.labels_outside_classes(data), rows.class_without_rows(data), *rows.copied_rows(data))
    return tuple(finding for finding in found if finding is not None)


def _chosen(config: Config, data: Dataset) -> Dataset:
    """Return the rows that a configuration chooses."""
    return selected(data, config.data) if config.data.is_subset else data
