"""What a contestant that predicts class probabilities is to the harness."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

SAMPLES: Final = 100
"""Passes with dropout on, of which a prediction has the mean and the standard deviation."""


class Prediction(NamedTuple):
    """One prediction for all images.

    Attributes:
        seconds: from the images as the library holds them to arrays on the host; compilation where it compiles.
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
        """Take what a library does.

        Args:
            predict: index of the prediction -> mean and standard deviation [N, C] over the samples of all images, other
                samples each time; a standard deviation of None: it is one plain pass.
            plain: () -> probabilities [N, C] of a pass without dropout.
            platform: as of a `Trainer`.
            precision: likewise.
            memory: likewise.
        """
        self.platform, self.precision, self.memory = platform, precision, memory
        self._predict, self._plain = predict, plain
        self._last: tuple[np.ndarray, np.ndarray | None] | None = None

    def prediction(self, index: int) -> Prediction:
        """Predict and take the time; what came of it is kept for `probabilities`."""
        began = time.perf_counter()
        self._last = self._predict(index)
        return Prediction(time.perf_counter() - began)

    def probabilities(self) -> dict[str, Any]:
        """Those of a plain pass, and mean and standard deviation of the last prediction, as nested lists."""
        if self._last is None:
            raise ValueError("probabilities are asked for before a prediction")
        mean, std = self._last
        return {
            "plain": self._plain().tolist(),
            "mean": mean.tolist(),
            "std": None if std is None else std.tolist(),
        }

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Mapping[str, Any]]]:
        """What it answers, by the name of the request."""
        return {
            "prediction": lambda index: self.prediction(index)._asdict(),
            "probabilities": lambda _: self.probabilities(),
        }
