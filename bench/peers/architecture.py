"""What a configuration's architecture says about each layer, for peers. Nothing of jaxdeep is imported."""

from typing import Any


def dropout_rates(model: Any) -> tuple[float, ...]:
    """Return the dropout rate of each dense layer's input.

    Args:
        model: Architecture, as a `jaxdeep.config.Model` or something with its fields.

    Returns:
        A rate in [0, 1) for each hidden layer and the output layer. It is 0 without dropout.
    """
    if isinstance(model.dropout_rate, list | tuple):
        return tuple(model.dropout_rate)
    head = len(model.units)
    sites = {"none": (), "head": (head,), "after_hidden": range(1, head + 1), "every": range(head + 1)}
    return tuple(model.dropout_rate if index in sites[model.dropout_sites] else 0.0 for index in range(head + 1))


def normed(model: Any) -> tuple[bool, ...]:
    """Return whether each hidden layer has batch normalisation.

    Args:
        model: Architecture, as a `jaxdeep.config.Model` or something with its fields.
    """
    given = model.batch_norm
    return tuple(given) if isinstance(given, list | tuple) else (given,) * len(model.units)
