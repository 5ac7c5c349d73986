"""The interface of a contestant that predicts class probabilities."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

SAMPLES: Final = 100
"""Passes with dropout on in a prediction, which returns their mean and standard deviation."""


class Prediction(NamedTuple):
    """One prediction for all images.

    Attributes:
        seconds: Seconds from the images in the library's own form to arrays on the host. A call that compiles includes
            its compilation.
    """

    seconds: float


class PeerPredictor:
    """A built network that is ready to predict."""

    def __init__(
        self,
        predict: Callable[[int], tuple[np.ndarray, np.ndarray | None]],
        plain: Callable[[], np.ndarray],
        platform: str,
        precision: str,
        memory: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Take the functions of a library.

        Args:
            predict: Function from the index of a prediction to mean and standard deviation, [N, C], over the samples of
                all images. Samples differ between predictions. A standard deviation of None marks one plain pass.
            plain: Function that returns the probabilities, [N, C], of a pass without dropout.
            platform: Platform of the device, "cpu" or "gpu".
            precision: Precision of the matrix products.
            memory: Function that returns the library's own account of its memory, in bytes by name.
        """
        self.platform, self.precision, self.memory = platform, precision, memory
        self._predict, self._plain = predict, plain
        self._last: tuple[np.ndarray, np.ndarray | None] | None = None

    def prediction(self, index: int) -> Prediction:
        """Predict, take the time and keep the result for `probabilities`.

        Args:
            index: Index of the prediction. 0 is the warm-up.

        Returns:
            The time of the prediction.
        """
        began = time.perf_counter()
        self._last = self._predict(index)
        return Prediction(time.perf_counter() - began)

    def probabilities(self) -> dict[str, Any]:
        """Return the probabilities of a plain pass, and mean and standard deviation of the last prediction.

        Returns:
            `plain`, `mean` and `std` as nested lists of shape [N, C]. `std` is None for a prediction of one plain pass.

        Raises:
            ValueError: There was no prediction yet.
        """
        if self._last is None:
            raise ValueError("probabilities are asked for before a prediction. Ask for a prediction first.")
        mean, std = self._last
        return {
            "plain": self._plain().tolist(),
            "mean": mean.tolist(),
            "std": None if std is None else std.tolist(),
        }

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Mapping[str, Any]]]:
        """Return the functions that answer requests, by the name of the request."""
        return {
            "prediction": lambda index: self.prediction(index)._asdict(),
            "probabilities": lambda _: self.probabilities(),
        }
