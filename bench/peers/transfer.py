"""The interface of a contestant that trains on top of reused layers."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from bench.peers.workload import Workload

Way = Literal["cached", "frozen", "all"]
"""Way to train.

cached computes the outputs of the frozen layers once. frozen runs these layers in every step. all trains all layers.
"""


class Training(NamedTuple):
    """A whole training.

    Attributes:
        seconds: Seconds from the data on the device to the end of the last epoch. They include feature_seconds, and the
            validation rows after each epoch. The outputs of layers for test rows are left out.
        feature_seconds: Seconds in which the outputs of the frozen layers were computed for the training and the
            validation rows. 0 if they were not computed once.
        call_seconds: Seconds of the whole call. They include any compilation.
        losses: Mean loss in nats of the training rows and of the validation rows, for each epoch.
    """

    seconds: float
    feature_seconds: float
    call_seconds: float
    losses: list[tuple[float, float]]


class PeerTransfer(NamedTuple):
    """Reused layers that are ready to train on.

    Attributes:
        training: Function that trains anew.
        platform: Platform of the device, "cpu" or "gpu".
        precision: Precision of the matrix products.
        memory: Function that returns the library's own account of its memory, in bytes by name.
    """

    training: Callable[[], Training]
    platform: str
    precision: str
    memory: Callable[[], Mapping[str, Any]] = dict

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Mapping[str, Any]]]:
        """Return the functions that answer requests, by the name of the request."""
        return {"training": lambda _: self.training()._asdict()}


def chosen_rows(workload: Workload) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the training rows and the validation rows of a workload as they enter the network.

    Args:
        workload: Workload whose one order holds the validation rows, then the training rows.

    Returns:
        Rows [N, D], float32, and their classes [N], int32, for training. Then the same for validation.
    """
    data, (order,) = workload.config["data"], workload.orders
    rows = (workload.images[order].astype(np.float32) - workload.mean) * workload.scale
    labels = np.searchsorted(data["classes"], workload.labels[order]).astype(np.int32)
    count = len(data["classes"]) * data["valid_per_class"]
    return (rows[count:], labels[count:]), (rows[:count], labels[:count])
