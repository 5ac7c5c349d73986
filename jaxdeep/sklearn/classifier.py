"""A network that classifies rows, as an estimator of scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,  # pyright: ignore[reportPrivateUsage] (sklearn's own advice for estimators)
    check_is_fitted,
    validate_data,
)

from jaxdeep.analysis.calibration import temperature
from jaxdeep.config import Config
from jaxdeep.config.choices import check
from jaxdeep.sklearn.network import NetworkEstimator, dataset_of


class DNNClassifier(ClassifierMixin, NetworkEstimator):
    """A deep dense network that classifies rows.

    Columns are standardised by the training rows. The weights of the epoch with the lowest validation loss are kept.
    With few rows none are held out, and the last epoch is kept. Training is compiled once for row counts of nearly the
    same size, and networks of several seeds are trained as one study.

    Args:
        units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        learning_rate: Learning rate of Nadam.
        batch_size: Rows in a step.
        epochs: Largest number of epochs.
        patience: Epochs in a row without a lower validation loss after which training stops.
        dropout_rate: Share of the inputs of each layer behind the first that is dropped, in [0, 1).
        l2: Penalty on the squares of the kernels.
        config: Configuration for all that the other arguments do not say, such as batch normalisation. With a
            configuration, its values count in place of units to l2.
        early_stopping: Whether rows are held out to choose the epoch. "auto" does so from 200 rows on.
        validation_fraction: Share of the rows that are held out for each purpose, stratified by class.
        n_ensemble: Number of networks, which differ in their seeds. Their probabilities are averaged.
        calibration: "temperature" divides the logits by a number that is fitted on rows held out for it alone.
        search: "successive" or "hyperband" to choose the values of `search_space` by halving, as `--halving` does.
        search_space: Range (low, high) or (low, high, "log") of each field by dotted name. None searches the learning
            rate and l2.
        search_samples: Number of candidates that a search draws.
        class_weight: Weight of each class by its label, or "balanced".
        random_state: Seed of weights, order and held out rows, or a generator.

    Attributes:
        classes_: Labels [C] in sorted order.
        n_features_in_: Number D of columns.
        feature_names_in_: Names of the D columns if X was a data frame.
        runs_: Trained networks, one for each seed. They predict and can be saved and exported.
        config_: Configuration that was trained, with the values that a search chose.
        temperature_: Number by which logits are divided. 1 without calibration.
        n_iter_: Largest number of epochs of a network.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> bool(DNNClassifier(epochs=30, random_state=0).fit(x, y).score(x, y) > 0.9)
    True
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 64),
        *,
        activation: str = "relu",
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        epochs: int = 100,
        patience: int = 20,
        dropout_rate: float = 0.0,
        l2: float = 0.0,
        config: Config | None = None,
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        n_ensemble: int = 1,
        calibration: Literal["temperature"] | None = None,
        search: Literal["successive", "hyperband"] | None = None,
        search_space: Mapping[str, Sequence[Any]] | None = None,
        search_samples: int = 16,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        random_state: Any = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.dropout_rate = dropout_rate
        self.l2 = l2
        self.config = config
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_ensemble = n_ensemble
        self.calibration = calibration
        self.search = search
        self.search_space = search_space
        self.search_samples = search_samples
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DNNClassifier":
        """Train on rows.

        Args:
            X: Rows [N, D] of real numbers.
            y: Labels [N] of any kind.
            sample_weight: Weights [N] of the rows in the loss, 0 or more.

        Returns:
            This estimator.

        Raises:
            ValueError: The rows, the labels or an argument cannot be used. There is one class only.

        Warns:
            JaxdeepWarning: Some of the networks diverged, or the held out rows lack a class.
        """
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_[0]!r}. Give rows of 2 classes or more.")
        self._check_arguments()
        known = (None, "temperature")
        check("calibration", self.calibration, self.calibration in known, "temperature, or None")
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is not None:
            of_classes = compute_sample_weight(self.class_weight, y)
            weights = of_classes if weights is None else weights * of_classes
        kept = slice(None) if weights is None else weights > 0
        X, codes, weights = X[kept], codes[kept], None if weights is None else weights[kept]
        if len(np.unique(codes)) < 2:
            raise ValueError("less than 2 classes have rows of a weight above 0. Give rows of 2 classes or more.")
        random = check_random_state(self.random_state)
        parts = self._parts(codes, random, calibrates=self.calibration is not None)
        config = self._configuration(validates=len(parts["valid"]) > 0)
        names = [str(index) for index in range(len(self.classes_))]
        self._train(config, dataset_of(X, codes, weights, parts, "classification", names), random)
        self.temperature_ = 1.0
        if self.calibration is not None:
            rows = parts["calibration"]
            self.temperature_ = temperature(np.log(_clipped(self._mean(X[rows]))), codes[rows])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Args:
            X: Rows [N, D].

        Returns:
            Probabilities [N, C] in the order of `classes_`.

        Raises:
            ValueError: The rows have another number of columns or other names, or a value is not finite.
            NotFittedError: The network is not trained.
        """
        check_is_fitted(self)
        rows: Any = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        found = self._mean(rows)
        if self.calibration is None:
            return found
        return special.softmax(np.log(_clipped(found)) / self.temperature_, 1)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each row.

        Args:
            X: Rows [N, D].

        Returns:
            Labels [N].

        Raises:
            ValueError: The rows have another number of columns or other names, or a value is not finite.
            NotFittedError: The network is not trained.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(1)]


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities whose logarithms are finite."""
    return np.maximum(probabilities, np.finfo(np.float32).tiny)
