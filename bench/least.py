"""Least counts of a program's bytes and operations, from the shapes of its network.

XLA's own cost analysis is no substitute. NVIDIA's compiler gives none without a device, and the TPU's counts the body
of each loop once.
"""

from itertools import pairwise
from typing import Any


def step_bytes(config: Any, data: Any) -> int:
    """Return the bytes that a step must move, at least: weights and optimizer's state in and out, and the gradients.

    Args:
        config: Configuration of one trial.
        data: Data set with its shapes.
    """
    from jaxdeep.train.memory import tree_bytes
    from jaxdeep.train.programs import spec_of

    state = spec_of(config, [data]).state
    return 2 * tree_bytes((state.params, state.opt_state)) + 2 * tree_bytes(state.params)


def step_operations(config: Any, data: Any) -> int:
    """Return the floating-point operations of a step's matrix products: forward, by the weights and by the inputs.

    Args:
        config: Configuration of one trial.
        data: Data set with its shapes.
    """
    products = _products(config, data)
    return 2 * config.train.batch_size * (3 * sum(products) - products[0])  # the images have no gradient


def forward_operations(config: Any, data: Any, rows: int, first: int = 0, samples: int = 1) -> int:
    """Return the floating-point operations of a prediction's matrix products.

    Args:
        config: Configuration of one trial.
        data: Data set with its shapes.
        rows: Number of predicted rows.
        first: Index of the first layer that each sample runs. The layers before it run once.
        samples: Number of samples of each row.
    """
    products = _products(config, data)
    return 2 * rows * (sum(products[:first]) + samples * sum(products[first:]))


def _products(config: Any, data: Any) -> list[int]:
    """Return the inputs times the outputs of each dense layer."""
    sizes = [data.inputs, *config.model.units, data.classes]
    return [inputs * outputs for inputs, outputs in pairwise(sizes)]
