"""Fit and predict a table by each library, with the library's own way to take categories and gaps.

A function takes the training and the test frame, what is predicted, and a seed. It returns the predictions of the test
rows. Its lines are counted: they are what a user would write. Networks have two hidden layers of 100 units where the
library does not choose them itself.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from bench.peers.table_sets import TARGET


def jaxdeep(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by one network of jaxdeep."""
    from jaxdeep import Config, Dataset, fit

    config = Config().updated({"model.head": "linear"} if task == "regression" else {})
    data: Any = Dataset.from_table(train, TARGET, test=None, data=config.data, task=task, split_seed=seed)
    run = fit(config, data, seed=seed, verbose=False)
    found = run.predict(test, check=False)
    return found if task == "regression" else [data.info.label_values[index] for index in found.argmax(1)]


def jaxdeep_five(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by the mean of five networks of jaxdeep, which are one study."""
    import numpy as np

    from jaxdeep import Config, Dataset, run_study

    config = Config().updated({"model.head": "linear"} if task == "regression" else {})
    data: Any = Dataset.from_table(train, TARGET, test=None, data=config.data, task=task, split_seed=seed)
    study = run_study(config, data, seeds=range(5 * seed, 5 * seed + 5), verbose=False)
    found = np.mean([run.predict(test, check=False) for run in study.runs.values()], 0)
    return found if task == "regression" else [data.info.label_values[index] for index in found.argmax(1)]


def scikit_learn_mlp(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by scikit-learn's network."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns: Any = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        remainder=cast(Any, StandardScaler()),
    )
    mlp: Any = MLPRegressor if task == "regression" else MLPClassifier
    network = mlp(hidden_layer_sizes=(100, 100), early_stopping=True, random_state=seed)
    model = make_pipeline(columns, network).fit(train.drop(columns=TARGET), train[TARGET])
    return model.predict(test.drop(columns=TARGET))


def skorch(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by a network of PyTorch in skorch."""
    import numpy as np
    import skorch  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from skorch.callbacks import EarlyStopping  # pyright: ignore[reportMissingImports]

    torch.manual_seed(seed)
    columns: Any = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_include="category")),
        remainder=cast(Any, StandardScaler()),
    )
    x = columns.fit_transform(train.drop(columns=TARGET)).astype(np.float32)
    labels, y = np.unique(train[TARGET], return_inverse=True)
    if task == "regression":
        y = StandardScaler().fit_transform(train[[TARGET]]).astype(np.float32)
    net = skorch.NeuralNetRegressor if task == "regression" else skorch.NeuralNetClassifier
    outputs = 1 if task == "regression" else len(labels)
    module = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], 100), torch.nn.ReLU(), torch.nn.Linear(100, 100), torch.nn.ReLU(),
        torch.nn.Linear(100, outputs),
    )  # fmt: skip
    loss = torch.nn.MSELoss if task == "regression" else torch.nn.CrossEntropyLoss
    stop = EarlyStopping(patience=20, load_best=True)
    own: Any = net(
        module, criterion=loss, optimizer=torch.optim.Adam, lr=1e-3, batch_size=32, max_epochs=100, verbose=0,
        callbacks=[stop],
    ).fit(x, y)  # fmt: skip
    found: Any = own.predict(columns.transform(test.drop(columns=TARGET)).astype(np.float32))
    if task == "regression":
        return found[:, 0] * train[TARGET].std(ddof=0) + train[TARGET].mean()
    return labels[found]


def real_mlp(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by pytabkit's RealMLP with its tuned defaults."""
    from pytabkit import (  # pyright: ignore[reportMissingImports] (only for this)
        RealMLP_TD_Classifier,
        RealMLP_TD_Regressor,
    )

    model = (RealMLP_TD_Regressor if task == "regression" else RealMLP_TD_Classifier)(random_state=seed, device="cpu")
    model.fit(train.drop(columns=TARGET), train[TARGET])
    return model.predict(test.drop(columns=TARGET))


def hist_gradient_boosting(train: Any, test: Any, task: Any, seed: int) -> Any:
    """Predict by scikit-learn's boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = trees(categorical_features="from_dtype", random_state=seed)
    model.fit(train.drop(columns=TARGET), train[TARGET])
    return model.predict(test.drop(columns=TARGET))


FITS: Final[Mapping[str, Callable[..., Any]]] = {
    "jaxdeep": jaxdeep,
    "jaxdeep, five networks": jaxdeep_five,
    "MLPClassifier, MLPRegressor": scikit_learn_mlp,
    "skorch": skorch,
    "RealMLP": real_mlp,
    "HistGradientBoosting": hist_gradient_boosting,
}
"""Name of a contestant -> its function."""
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "jaxdeep": ("narwhals", "pyarrow"),
    "jaxdeep, five networks": ("narwhals", "pyarrow"),
    "MLPClassifier, MLPRegressor": ("sklearn",),
    "skorch": ("skorch", "torch"),
    "RealMLP": ("pytabkit",),
    "HistGradientBoosting": ("sklearn",),
}
"""Name of a contestant -> packages that must be installed."""


def lines_of(name: str) -> int:
    """Return the number of lines of a contestant's function, without its head, its docstring and empty lines.

    Args:
        name: Name of a contestant in FITS.
    """
    source = [line for line in inspect.getsource(FITS[name]).splitlines() if line.strip()]
    return len(source) - 2
