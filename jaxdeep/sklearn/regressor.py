"""A network that predicts numbers, as an estimator of scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,  # pyright: ignore[reportPrivateUsage] (sklearn's own advice for estimators)
    check_is_fitted,
    validate_data,
)

from jaxdeep.config import Config
from jaxdeep.sklearn.network import NetworkEstimator, dataset_of


class DNNRegressor(RegressorMixin, NetworkEstimator):
    """A deep dense network that predicts a number, or several, for each row.

    Columns and targets are standardised by the training rows, and predictions are in the targets' own units. All else
    is as in `DNNClassifier`.

    Args:
        units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        loss: "squared_error" or "absolute_error".
        learning_rate: Learning rate of Nadam.
        batch_size: Rows in a step.
        epochs: Largest number of epochs.
        patience: Epochs in a row without a lower validation loss after which training stops.
        dropout_rate: Share of the inputs of each layer behind the first that is dropped, in [0, 1).
        l2: Penalty on the squares of the kernels.
        config: Configuration for all that the other arguments do not say, such as batch normalisation or the heads tanh
            and softplus. With a configuration, its values count in place of units to l2. Its head softmax becomes
            linear.
        early_stopping: Whether rows are held out to choose the epoch. "auto" does so from 200 rows on.
        validation_fraction: Share of the rows that are held out.
        n_ensemble: Number of networks, which differ in their seeds. Their predictions are averaged.
        search: "successive" or "hyperband" to choose the values of `search_space` by halving, as `--halving` does.
        search_space: Range (low, high) or (low, high, "log") of each field by dotted name. None searches the learning
            rate and l2.
        search_samples: Number of candidates that a search draws.
        random_state: Seed of weights, order and held out rows, or a generator.

    Attributes:
        n_features_in_: Number D of columns.
        feature_names_in_: Names of the D columns if X was a data frame.
        runs_: Trained networks, one for each seed. They predict and can be saved and exported.
        config_: Configuration that was trained, with the values that a search chose.
        n_iter_: Largest number of epochs of a network.

    >>> x = np.random.default_rng(0).normal(size=(150, 3))
    >>> bool(DNNRegressor(epochs=30, random_state=0).fit(x, x @ [1, 2, 3]).score(x, x @ [1, 2, 3]) > 0.9)
    True
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 64),
        *,
        activation: str = "relu",
        loss: Literal["squared_error", "absolute_error"] = "squared_error",
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
        search: Literal["successive", "hyperband"] | None = None,
        search_space: Mapping[str, Sequence[Any]] | None = None,
        search_samples: int = 16,
        random_state: Any = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.loss = loss
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
        self.search = search
        self.search_space = search_space
        self.search_samples = search_samples
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DNNRegressor":
        """Train on rows.

        Args:
            X: Rows [N, D] of real numbers.
            y: Numbers [N] or [N, C].
            sample_weight: Weights [N] of the rows in the loss, 0 or more.

        Returns:
            This estimator.

        Raises:
            ValueError: The rows, the numbers or an argument cannot be used.

        Warns:
            JaxdeepWarning: Some of the networks diverged, or the numbers are all the same.
        """
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True)
        self._check_arguments()
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        kept = slice(None) if weights is None else weights > 0
        X, y, weights = X[kept], y[kept], None if weights is None else weights[kept]
        self._is_flat = y.ndim == 1
        random = check_random_state(self.random_state)
        parts = self._parts(np.zeros(len(y), np.int64), random)
        config = self._configuration(validates=len(parts["valid"]) > 0)
        if not config.model.is_regression:
            config = config.updated({"model.head": "linear"})
        if self.config is None:
            config = config.updated({"train.loss": self.loss})
        self._train(config, dataset_of(X, y, weights, parts, "regression"), random)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted numbers of each row.

        Args:
            X: Rows [N, D].

        Returns:
            Numbers [N] or [N, C] in the units of y.

        Raises:
            ValueError: The rows have another number of columns or other names, or a value is not finite.
            NotFittedError: The network is not trained.
        """
        check_is_fitted(self)
        rows: Any = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        found = self._mean(rows)
        return found if self._is_flat or found.ndim > 1 else found[:, None]
