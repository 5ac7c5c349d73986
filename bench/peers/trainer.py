"""What a contestant that trains is to the harness."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Epoch(NamedTuple):
    """One epoch of training.

    Attributes:
        seconds: of its steps, until loss and accuracy are numbers on the host.
        call_seconds: of the whole call: also what the library does once a call, and compilation where it compiles.
        loss: mean cross-entropy over the epoch's images, each taken before its step, with dropout on; in nats.
        accuracy: likewise, in [0, 1].
    """

    seconds: float
    call_seconds: float
    loss: float
    accuracy: float


class Trainer(NamedTuple):
    """A built network that is ready to train.

    Attributes:
        epoch: trains on the rows of an epoch of the workload, from where the last one ended.
        platform: "cpu" or "gpu".
        precision: of its matrix products.
        memory: what the library itself says of its memory, in bytes, by name; asked after the last epoch.
    """

    epoch: Callable[[int], Epoch]
    platform: str
    precision: str
    memory: Callable[[], Mapping[str, Any]] = dict

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Mapping[str, Any]]]:
        """What it answers, by the name of the request."""
        return {"epoch": lambda index: self.epoch(index)._asdict()}
