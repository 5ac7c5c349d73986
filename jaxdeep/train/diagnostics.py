"""What `train.diagnostics` records of each layer in an epoch, in memory and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Diagnostics(NamedTuple):
    """Figures of each dense layer before an epoch's first step. Each field has L values, the output layer last.

    The activations are a layer's outputs for the first 512 training rows of the epoch's order, or for all rows if there
    are fewer. Dropout is off, images are not changed at random, and batch normalisation uses the statistics of these
    rows. The gradients and the updates are the ones that the epoch's first step makes.

    In memory on the host a field is a tuple, and a value is NaN if it is unknown. Frozen layers have no gradient and no
    update. Layers whose outputs are computed once before training have no figures at all.

    Attributes:
        activation_mean: Mean over all rows and units of the layer's outputs, behind batch normalisation and the skip
            connection.
        activation_std: Standard deviation of these outputs over all rows and units, 0 or more.
        dead_units: Share of the units that give the same output for all rows, in [0, 1]. A unit of ReLU that gives 0
            for all rows is one. A skip connection is not a part of a unit's output.
        gradient_mean: Mean of the loss's gradient over the weights of the layer's kernel, in nats.
        gradient_std: Standard deviation of the gradient over these weights in nats, 0 or more.
        update_ratio: Norm of the kernel's update over the norm of the kernel, 0 or more.
    """

    activation_mean: Any
    activation_std: Any
    dead_units: Any
    gradient_mean: Any
    gradient_std: Any
    update_ratio: Any

    @property
    def layers(self) -> int:
        """Return the number of layers L."""
        return len(self.activation_mean)

    def on_host(self) -> "Diagnostics":
        """Return the figures as tuples of Python's numbers."""
        return Diagnostics(*(tuple(np.asarray(values).tolist()) for values in self))

    def to_json(self) -> dict[str, list[float | None]]:
        """Return the lists of L numbers by name. A number that is not finite becomes None.

        >>> Diagnostics(*((0.5, float("nan")),) * 6).to_json()["update_ratio"]
        [0.5, None]
        """
        return {
            name: [value if np.isfinite(value) else None for value in values] for name, values in self._asdict().items()
        }

    @classmethod
    def from_json(cls, content: Any) -> "Diagnostics":
        """Return the figures that `to_json` recorded. None becomes NaN.

        Args:
            content: A mapping of each field to a list of numbers or None. All lists have the same length.

        Raises:
            ValueError: The content is something else.
        """
        if not isinstance(content, Mapping) or not content.keys() >= set(cls._fields):
            raise ValueError(f"no diagnostics of layers: {content}")
        lists = [content[name] for name in cls._fields]
        if not all(map(_are_numbers, lists)) or len({len(values) for values in lists}) != 1:
            raise ValueError("diagnostics are lists of numbers, a number for each layer")
        return cls(*(tuple(np.nan if value is None else float(value) for value in values) for values in lists))


def _are_numbers(values: Any) -> bool:
    """Return whether a JSON value is a list of numbers and None."""
    is_list = isinstance(values, Sequence) and not isinstance(values, str)
    return is_list and all(value is None or type(value) in (int, float) for value in values)
