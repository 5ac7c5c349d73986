"""The interface of a contestant that trains."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Epoch(NamedTuple):
    """One epoch of training.

    Attributes:
        seconds: Seconds of its steps, until loss and accuracy are numbers on the host.
        call_seconds: Seconds of the whole call. They include the library's work once a call, and any compilation.
        loss: Mean cross-entropy in nats over the epoch's images, each taken before its step, with dropout on.
        accuracy: Share of the epoch's images that are classified correctly, in [0, 1], each taken before its step, with
            dropout on.
    """

    seconds: float
    call_seconds: float
    loss: float
    accuracy: float


class Trainer(NamedTuple):
    """A built network that is ready to train.

    Attributes:
        epoch: Function that trains on the rows of an epoch of the workload. It continues from the last epoch.
        platform: Platform of the device, "cpu" or "gpu".
        precision: Precision of the matrix products.
        memory: Function that returns the library's own account of its memory, in bytes by name. It is called after the
            last epoch.
    """

    epoch: Callable[[int], Epoch]
    platform: str
    precision: str
    memory: Callable[[], Mapping[str, Any]] = dict

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Mapping[str, Any]]]:
        """Return the functions that answer requests, by the name of the request."""
        return {"epoch": lambda index: self.epoch(index)._asdict()}
