"""A program that trains on scikit-learn's digits, as its user would write it: `digits CONTESTANT TASK RUNS EPOCHS`.

It imports what its task needs and nothing else, since its whole process is timed. It prints one line of JSON.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any, Final

UNITS: Final = (100,)
"""Units of the hidden layers, as MLPClassifier has them by default."""
RATE: Final = 1e-3
BATCH_SIZE: Final = 200
TRAINING_ROWS: Final = 1_500
SEEDS: Final = 5
"""Number of seeds of each learning rate of a study."""
SHAPES: Final[dict[str, list[Any]]] = {
    "model.units": [width for depth in (2, 4) for width in ((64,) * depth, (128,) * depth)],
    "train.batch_size": [32, 64],
}
"""Values of two fields, which make eight different programs."""
MOST_ROWS: Final = 32
"""Number of rows that are predicted at most."""


def rows() -> tuple[Any, ...]:
    """Return training rows, their labels, test rows and their labels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x[:TRAINING_ROWS], y[:TRAINING_ROWS], x[TRAINING_ROWS:], y[TRAINING_ROWS:]


def rates(runs: int) -> list[float]:
    """Return the learning rates of a study, around RATE."""
    return [RATE * 2 ** (index - runs // SEEDS // 2) for index in range(runs // SEEDS)]


def sklearn_fit(epochs: int, rate: float, seed: int) -> float:
    """Train scikit-learn's classifier for all epochs. Return the share of test rows that it classifies correctly."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y, x_test, y_test = rows()
    warnings.simplefilter("ignore")  # it says that it has not converged
    network = MLPClassifier(
        UNITS,
        batch_size=BATCH_SIZE,  # pyright: ignore[reportArgumentType] (its default is "auto")
        learning_rate_init=rate,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )
    return float(make_pipeline(StandardScaler(), network).fit(x, y).score(x_test, y_test))


def sklearn_fits(runs: int, epochs: int) -> dict[str, Any]:
    """Train with several seeds, one after the other."""
    return {"accuracy": [sklearn_fit(epochs, RATE, seed) for seed in range(runs)]}


def sklearn_study(runs: int, epochs: int) -> dict[str, Any]:
    """Train with several learning rates and seeds, one after the other."""
    return {"accuracy": [sklearn_fit(epochs, rate, seed) for rate, seed in product(rates(runs), range(SEEDS))]}


def jaxdeep_fits(runs: int, epochs: int) -> dict[str, Any]:
    """Train jaxdeep's classifier with several seeds, one after the other."""
    from jaxdeep.sklearn import DNNClassifier

    x, y, x_test, y_test = rows()
    accuracies = []
    for seed in range(runs):
        network = DNNClassifier(
            UNITS,
            learning_rate=RATE,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            early_stopping=False,
            random_state=seed,
        )
        accuracies.append(float(network.fit(x, y).score(x_test, y_test)))
        if network.n_iter_ != epochs:
            raise RuntimeError(f"{network.n_iter_} of {epochs} epochs were trained")
    return {"accuracy": accuracies}


def jaxdeep_study(runs: int, epochs: int) -> dict[str, Any]:
    """Train with several learning rates and seeds as one study."""
    from jaxdeep import run_study

    config, data = _network(epochs)
    grid = {"optim.learning_rate": rates(runs)}
    result = run_study(config, data, grid=grid, seeds=range(SEEDS), verbose=False)
    return {"accuracy": [trial.test_accuracy for trial in result.trials]}


def jaxdeep_shapes(runs: int, epochs: int) -> dict[str, Any]:
    """Train a network of each of several shapes as one study, from an empty cache."""
    from jaxdeep import run_study

    config, data = _network(epochs)
    result = run_study(config, data, grid=SHAPES, seeds=[0], verbose=False)
    if len(result.trials) != runs:
        raise RuntimeError(f"{len(result.trials)} of {runs} networks were trained")
    return {"accuracy": [trial.test_accuracy for trial in result.trials]}


def jaxdeep_predict(runs: int, epochs: int) -> dict[str, Any]:
    """Predict 1, 2, 3, ... rows after one prediction of the most rows. Times are in milliseconds."""
    from jaxdeep import fit

    config, data = _network(epochs)
    trained, x = fit(config, data, seed=0, verbose=False), rows()[2]
    milliseconds = []
    trained.predict(x[:runs])
    for count in range(1, runs + 1):
        began = time.perf_counter()
        trained.predict(x[:count])
        milliseconds.append(1e3 * (time.perf_counter() - began))
    return {"milliseconds": milliseconds}


def jaxdeep_import(runs: int, epochs: int) -> dict[str, Any]:
    """Import jaxdeep alone."""
    del runs, epochs
    import jaxdeep

    return {"version": jaxdeep.__version__}


def jaxdeep_names(runs: int, epochs: int) -> dict[str, Any]:
    """Import jaxdeep and two of its names, which import JAX."""
    del runs, epochs
    from jaxdeep import fit, run_study

    return {"names": [fit.__name__, run_study.__name__]}


def _network(epochs: int) -> tuple[Any, Any]:
    """Return MLPClassifier's network as a configuration, and the rows."""
    from jaxdeep import Config, Data, Dataset, Model, Optim, Train

    data = Data(valid_size=0.1)
    model = Model(units=UNITS, activation="relu", kernel_init="he_normal")
    config = Config(data, model, Optim("adam", RATE), Train(BATCH_SIZE, epochs, epochs))
    return config, Dataset.from_arrays(*rows(), data=data)


TASKS: Final[dict[str, Callable[[int, int], dict[str, Any]]]] = {
    "sklearn-fits": sklearn_fits,
    "sklearn-study": sklearn_study,
    "jaxdeep-fits": jaxdeep_fits,
    "jaxdeep-study": jaxdeep_study,
    "jaxdeep-shapes": jaxdeep_shapes,
    "jaxdeep-predict": jaxdeep_predict,
    "jaxdeep-import": jaxdeep_import,
    "jaxdeep-names": jaxdeep_names,
}
"""Contestant and task -> function of the number of runs and of epochs."""

if __name__ == "__main__":
    contestant, task, number, length = sys.argv[1:]
    print(json.dumps(TASKS[f"{contestant}-{task}"](int(number), int(length))))
