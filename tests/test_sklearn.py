"""scikit-learn's own checks of the estimators, and what its users do with them."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator
from small_data import lean_compilation

from jaxdeep import Config, Model, Train
from jaxdeep.config import Data
from jaxdeep.sklearn import DNNClassifier, DNNRegressor
from jaxdeep.train.forward import probabilities
from jaxdeep.train.programs import compiled

EXPECTED = {"check_sample_weight_equivalence_on_dense_data": "rows that stand there twice come in other batches"}


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


@pytest.fixture(scope="module")
def cancer() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x, y = load_breast_cancer(return_X_y=True)
    return train_test_split(x, np.array(["bad", "good"])[y], random_state=0, stratify=y)


@pytest.fixture(scope="module")
def fitted(cancer) -> DNNClassifier:
    x, _, y, _ = cancer
    return DNNClassifier((16, 16), epochs=20, random_state=3, n_ensemble=2).fit(x, y)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "estimator", [DNNClassifier((32,), epochs=30), DNNRegressor((32,), epochs=60)], ids=lambda of: type(of).__name__
)
def test_scikit_learns_checks_pass(estimator) -> None:
    results = check_estimator(estimator, expected_failed_checks=EXPECTED, on_skip=None, on_fail=None)
    found = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not found, found
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXPECTED)
    assert sum(result["status"] == "passed" for result in results) > 50
    assert not hasattr(estimator, "partial_fit")


def test_strings_frames_pipelines_and_searches(cancer) -> None:
    x, x_test, y, y_test = cancer
    frame, other = (pd.DataFrame(rows, columns=[f"c{i}" for i in range(30)]) for rows in (x, x_test))
    pipeline = make_pipeline(MinMaxScaler().set_output(transform="pandas"), DNNClassifier((16,), epochs=15))
    pipeline.set_params(dnnclassifier__random_state=0)
    search = GridSearchCV(pipeline, {"dnnclassifier__learning_rate": [1e-5, 3e-3]}, cv=2).fit(frame, y)
    assert search.best_params_ == {"dnnclassifier__learning_rate": 3e-3}
    assert set(search.predict(other)) == {"bad", "good"}
    linear = LogisticRegression(max_iter=5000).fit(x, y).score(x_test, y_test)
    assert search.score(other, y_test) > linear - 0.05
    assert search.best_estimator_[-1].feature_names_in_.tolist() == frame.columns.tolist()


def test_cross_validation_of_nearly_equal_parts_compiles_once(cancer) -> None:
    x, _, y, _ = cancer
    estimator = DNNClassifier((13,), epochs=3, random_state=0)
    estimator.fit(x[:300], y[:300]).predict(x[:290])
    misses, asked = compiled.cache_info().misses, probabilities._cache_size()
    estimator.fit(x[:297], y[:297]).predict(x[:281])
    assert (compiled.cache_info().misses, probabilities._cache_size()) == (misses, asked)
    assert cross_val_score(estimator, x, y, cv=3).shape == (3,)


def test_seeds_are_networks_of_one_study_whose_probabilities_are_averaged(cancer, fitted) -> None:
    x, x_test, y, _ = cancer
    assert [run.seed for run in fitted.runs_] == [fitted.runs_[0].seed, fitted.runs_[0].seed + 1]
    of_each = np.stack([run.predict(x_test, check=False) for run in fitted.runs_])
    np.testing.assert_allclose(fitted.predict_proba(x_test), of_each.mean(0), atol=1e-6)
    again = clone(fitted).fit(x, y)
    np.testing.assert_array_equal(again.predict_proba(x_test), fitted.predict_proba(x_test))
    other = clone(fitted).set_params(random_state=4).fit(x, y)
    assert not np.array_equal(other.predict_proba(x_test), fitted.predict_proba(x_test))


def test_a_pickle_predicts_the_same_and_holds_no_rows(cancer, fitted) -> None:
    _, x_test, _, _ = cancer
    pickled = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(pickled).predict_proba(x_test), fitted.predict_proba(x_test))
    assert len(pickled) < 100_000


def test_a_temperature_is_fitted_on_rows_of_its_own(cancer) -> None:
    x, x_test, y, y_test = cancer
    plain = DNNClassifier((64, 64), epochs=60, early_stopping=False, random_state=1, learning_rate=1e-2)
    calibrated = clone(plain).set_params(calibration="temperature", validation_fraction=0.25).fit(x, y)
    assert calibrated.temperature_ > 1
    uncalibrated = calibrated.runs_[0].predict(x_test, check=False)
    found = calibrated.predict_proba(x_test)
    logits = np.log(np.maximum(uncalibrated, 1e-37))
    np.testing.assert_allclose(found, special.softmax(logits / calibrated.temperature_, 1), atol=1e-5)
    assert log_loss(y_test, found) < log_loss(y_test, uncalibrated)


def test_a_search_takes_the_best_of_its_candidates(cancer) -> None:
    x, _, y, _ = cancer
    space = {"optim.learning_rate": (1e-6, 1e-2, "log")}
    found = DNNClassifier(
        (16,), epochs=9, random_state=0, search="successive", search_space=space, search_samples=6
    ).fit(x, y)
    assert found.config_.optim.learning_rate > 1e-4
    assert found.score(x, y) > 0.9


def test_a_configuration_says_what_the_arguments_do_not(cancer) -> None:
    x, _, y, _ = cancer
    config = Config(Data(), Model((8, 8), batch_norm=True), train=Train(epochs=2))
    found = DNNClassifier(config=config, random_state=0).fit(x, y)
    assert found.config_.model.batch_norm is True
    assert found.n_iter_ == 2


def test_weights_count(cancer) -> None:
    x, y = load_wine(return_X_y=True)
    weights = np.where(y == 1, 50.0, 1.0)
    plain = DNNClassifier((8,), epochs=10, random_state=0)
    share = clone(plain).fit(x, y).predict_proba(x)[:, 1].mean()
    assert clone(plain).fit(x, y, weights).predict_proba(x)[:, 1].mean() > share + 0.1
    by_class = clone(plain).set_params(class_weight={0: 1, 1: 50, 2: 1}).fit(x, y)
    np.testing.assert_allclose(by_class.predict_proba(x), clone(plain).fit(x, y, weights).predict_proba(x), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"units": (0,)}, "model.units"),
        ({"activation": "relus"}, "model.activation"),
        ({"n_ensemble": 0}, "n_ensemble is 0"),
        ({"calibration": "platt"}, "calibration is 'platt'"),
        ({"early_stopping": "yes"}, "early_stopping is 'yes'"),
        ({"validation_fraction": 1.5}, "validation_fraction is 1.5"),
        ({"search": "random"}, "search is 'random'"),
        ({"early_stopping": True, "validation_fraction": 0.999}, "are to be held out, and each class needs a training"),
    ],
)
def test_wrong_arguments_are_refused_when_fitted(given, message, cancer) -> None:
    x, _, y, _ = cancer
    with pytest.raises(ValueError, match=message):
        DNNClassifier(**given).fit(x, y)
    with pytest.raises(NotFittedError):
        DNNClassifier(**given).predict(x)


def test_without_scikit_learn_the_extra_is_named() -> None:
    code = "import sys; sys.modules['sklearn.base'] = None; import jaxdeep.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "jaxdeep.sklearn needs scikit-learn. Install jaxdeep[sklearn]." in done.stderr


def test_a_regressor_predicts_numbers_by_ensembles_searches_and_pickles() -> None:
    x, x_test, y, y_test = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    linear = LinearRegression().fit(x, y).score(x_test, y_test)
    found = DNNRegressor((16,), epochs=40, n_ensemble=3, l2=1e-3, random_state=0).fit(x, y)
    assert found.score(x_test, y_test) > linear - 0.1
    of_each = np.mean([run.predict(x_test, check=False) for run in found.runs_], 0)
    np.testing.assert_allclose(found.predict(x_test), of_each)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict(x_test), found.predict(x_test))
    searched = DNNRegressor((16,), epochs=6, search="successive", search_samples=4, random_state=0).fit(x, y)
    assert searched.config_.optim.learning_rate != 3e-3
    absolute = DNNRegressor((16,), epochs=3, loss="absolute_error", random_state=0).fit(x, y)
    assert absolute.config_.train.loss == "absolute_error"
    config = Config(Data(), Model((8,), head="softplus"), train=Train(epochs=3))
    assert DNNRegressor(config=config, random_state=0).fit(x, y).predict(x_test).min() > 0
    several = DNNRegressor((16,), epochs=3, random_state=0).fit(x, np.stack([y, 2 * y], 1))
    assert several.predict(x_test).shape == (len(x_test), 2)
    column = DNNRegressor((16,), epochs=3, random_state=0).fit(x, y[:, None])
    assert column.predict(x_test).shape == (len(x_test), 1)
