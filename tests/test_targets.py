"""Numbers and several labels as targets: their losses, figures, units, files and commands."""

import csv
import json
import pickle

import jax.numpy as jnp
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import LinearRegression
from small_data import lean_compilation

from jaxdeep import Config, Data, Dataset, Model, Optim, Run, Train, compare_studies, fit, load, run_study, table
from jaxdeep.analysis.conformal import conformal
from jaxdeep.cli.console import main
from jaxdeep.data.folds import stratified_folds
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train.exported import load_exported
from jaxdeep.train.objectives import losses
from jaxdeep.train.row_metrics import metrics_of

CONFIG = Config(
    Data(valid_size=60),
    Model(units=(16,), activation="tanh", kernel_init="glorot_uniform", head="linear"),
    Optim(learning_rate=1e-2),
    Train(epochs=30),
)
LABELS = CONFIG.updated({"model.head": "sigmoid"})


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def numbers_of(count: int = 300, seed: int = 0, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4))
    y = 5_000 + 300 * x @ np.arange(1.0, 4 * columns + 1).reshape(4, columns) + rng.normal(0, 100, (count, columns))
    return x, y[:, 0] if columns == 1 else y


def labels_of(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, _ = numbers_of(count, seed)
    noise = np.random.default_rng(seed + 100).normal(size=(count, 3))
    return x, (x[:, :3] + 0.5 * noise > [0.0, 0.5, -0.5]).astype(int)


@pytest.fixture(scope="module")
def run() -> Run:
    return fit(CONFIG, Dataset.from_arrays(*numbers_of(), data=CONFIG.data, task="regression"), seed=0)


@pytest.fixture(scope="module")
def labelled() -> Run:
    data = Dataset.from_arrays(*labels_of(), data=LABELS.data, task="multilabel", class_names=("a", "b", "c"))
    return fit(LABELS, data, seed=0)


def test_numbers_are_predicted_in_their_own_units(run) -> None:
    x, y = numbers_of()
    found = run.predict(x[-60:])
    assert found.shape == (60,)
    assert found.dtype == np.float64
    linear = LinearRegression().fit(x[60:-60], y[60:-60]).score(x[-60:], y[-60:])
    assert metrics.r2_score(y[-60:], found) > linear - 0.1
    assert run.test_accuracy == pytest.approx(metrics.r2_score(y[-60:], found), abs=1e-5)
    assert run.test_correct.mean() == pytest.approx(run.test_accuracy, abs=1e-6)
    error = (found - y[-60:]) / y[60:-60].std()
    assert run.test_loss == pytest.approx(np.mean(error**2), rel=1e-4)
    assert run.val_accuracy == pytest.approx(metrics.r2_score(y[:60], run.predict(x[:60])), abs=1e-5)
    assert run.train_accuracy == pytest.approx(metrics.r2_score(y[60:-60], run.predict(x[60:-60])), abs=1e-5)
    assert run.confusion is None


def test_several_numbers_are_scored_as_scikit_learn_scores_them() -> None:
    x, y = numbers_of(columns=2)
    several = fit(CONFIG, Dataset.from_arrays(x, y, data=CONFIG.data, task="regression"), seed=0)
    found = several.predict(x[-60:])
    assert found.shape == (60, 2)
    assert several.test_accuracy == pytest.approx(metrics.r2_score(y[-60:], found), abs=1e-5)


def test_a_large_mean_of_the_numbers_loses_nothing() -> None:
    x, y = numbers_of()
    far = fit(CONFIG, Dataset.from_arrays(x, y + 1e9, data=CONFIG.data, task="regression"), seed=0)
    near = fit(CONFIG, Dataset.from_arrays(x, y, data=CONFIG.data, task="regression"), seed=0)
    np.testing.assert_allclose(far.predict(x) - 1e9, near.predict(x), atol=0.5)


@pytest.mark.parametrize("head", ["tanh", "softplus"])
def test_heads_keep_numbers_in_their_range(head) -> None:
    x, y = numbers_of()
    y = np.exp((y - 5_000) / 3_000)
    config = CONFIG.updated({"model.head": head})
    found = fit(config, Dataset.from_arrays(x, y, data=config.data, task="regression"), seed=0)
    far = found.predict(1_000 * x, check=False)
    assert far.min() >= (y[60:-60].min() if head == "tanh" else 0) - 1e-5
    assert (far.max() <= y[60:-60].max() * (1 + 1e-6)) == (head == "tanh")
    assert found.test_accuracy > 0.3


def test_an_absolute_error_seeks_the_median() -> None:
    rng = np.random.default_rng(0)
    x, y = np.ones((400, 1)), rng.exponential(1.0, 400)
    for loss, wanted in (("squared_error", y[60:-60].mean()), ("absolute_error", np.median(y[60:-60]))):
        config = CONFIG.updated({"train.loss": loss, "train.keep": "last", "train.epochs": 60})
        found = fit(config, Dataset.from_arrays(x, y, data=config.data, task="regression"), seed=0)
        assert found.predict(x[:1], check=False)[0] == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_of_several_labels_are_those_of_keras(smoothing) -> None:
    rng = np.random.default_rng(0)
    outputs, targets = rng.normal(0, 3, (50, 4)), rng.integers(0, 2, (50, 4))
    config = LABELS.updated({"regularize.label_smoothing": smoothing})
    x, y = labels_of()
    data = Dataset.from_arrays(x, y, data=config.data, task="multilabel")
    found = losses(config.static(), config.hyper(), data, jnp.asarray(outputs), jnp.asarray(targets))
    of_keras = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing, reduction=None)
    np.testing.assert_allclose(found, of_keras(targets.astype(float), outputs), rtol=1e-5)


def test_a_row_of_several_labels_is_right_if_all_are(labelled) -> None:
    x, y = labels_of()
    found = labelled.predict(x[-60:])
    assert found.shape == (60, 3)
    assert labelled.test_accuracy == pytest.approx(metrics.accuracy_score(y[-60:], found > 0.5))
    assert labelled.test_accuracy > 0.4
    assert labelled.test_loss == pytest.approx(np.mean([metrics.log_loss(y[-60:, i], found[:, i]) for i in range(3)]))


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_of_classes_are_those_of_scikit_learn(classes) -> None:
    rng = np.random.default_rng(classes)
    outputs, labels = rng.normal(size=(200, classes)), rng.integers(0, classes, 200)
    outputs[::7] = outputs[0]  # ties
    shares = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    found = metrics_of("classification", outputs, labels)
    of_scores = shares[:, 1] if classes == 2 else shares
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, shares))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, outputs.argmax(1)))
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(labels, of_scores, multi_class="ovr"))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(labels, of_scores))


def test_metrics_of_labels_and_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    outputs, targets = rng.normal(size=(200, 3)), rng.integers(0, 2, (200, 3))
    found, shares = metrics_of("multilabel", outputs, targets), 1 / (1 + np.exp(-outputs))
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(targets, shares, average="macro"))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(targets, shares))
    found = metrics_of("regression", outputs, targets)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(targets, outputs))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(targets, outputs))


def test_a_class_without_rows_does_not_count() -> None:
    outputs = np.random.default_rng(0).normal(size=(30, 3))
    found = metrics_of("classification", outputs, np.arange(30) % 2)
    kept = [metrics.roc_auc_score(np.arange(30) % 2 == i, np.log(_softmax(outputs))[:, i]) for i in range(2)]
    assert found["auroc"] == pytest.approx(np.mean(kept))
    assert np.isnan(metrics_of("classification", outputs, np.zeros(30, int))["auroc"])


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(1, keepdims=True)


def test_further_rows_have_figures_and_metrics(run, labelled) -> None:
    x, y = numbers_of(77, seed=5)
    scores = run.evaluate(x, y, check=False)
    assert scores.accuracy == pytest.approx(metrics.r2_score(y, run.predict(x, check=False)), abs=1e-5)
    assert scores.metrics["rmse"] == pytest.approx(
        metrics.root_mean_squared_error(y, run.predict(x, check=False)), rel=1e-5
    )
    x, y = labels_of(50, seed=5)
    assert labelled.evaluate(x, y, check=False).metrics.keys() == {"log_loss", "auroc", "average_precision"}
    with pytest.raises(UserError, match=r"50 rows and targets \[50, 2\]\. Give 3 for each row"):
        labelled.evaluate(x, y[:, :2], check=False)


@pytest.mark.parametrize("kind", ["run", "labelled"])
def test_saves_pickles_and_exports_predict_the_same(kind, request, tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    trained = request.getfixturevalue(kind)
    x = numbers_of()[0][:40].astype(np.float32)
    expected = trained.predict(x)
    trained.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(load(tmp_path / "run.npz").predict(x), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(trained)).predict(x), expected)
    trained.export(tmp_path / "served", onnx=True)
    served = load_exported(tmp_path / "served")
    session = onnxruntime.InferenceSession(tmp_path / "served" / "model.onnx")
    (found,) = session.run(None, {"rows": x})
    if kind == "run":
        assert served.task == "regression"
        np.testing.assert_allclose(served.predict(x), expected, rtol=1e-5)
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)
        with pytest.raises(UserError, match="predicts numbers, which have no probabilities"):
            served.probabilities(x)
    else:
        np.testing.assert_allclose(served.probabilities(x), expected, atol=1e-5)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_array_equal(served.predict(x), expected > 0.5)
        assert served.labels == ("a", "b", "c")


@pytest.mark.parametrize("head", ["tanh", "softplus"])
def test_bounded_heads_are_exported(head, tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    x, y = numbers_of()
    config = CONFIG.updated({"model.head": head, "train.epochs": 3})
    trained = fit(config, Dataset.from_arrays(x, y, data=config.data, task="regression"), seed=0)
    trained.export(tmp_path / "served", onnx=True)
    rows = x[:30].astype(np.float32)
    (found,) = onnxruntime.InferenceSession(tmp_path / "served" / "model.onnx").run(None, {"rows": rows})
    np.testing.assert_allclose(found[:, 0], trained.predict(rows), rtol=1e-5)
    np.testing.assert_allclose(load_exported(tmp_path / "served").predict(rows), trained.predict(rows), rtol=1e-5)


def test_a_study_of_numbers_has_r2_with_its_interval(run, tmp_path) -> None:
    data = Dataset.from_arrays(*numbers_of(), data=CONFIG.data, task="regression")
    grid = {"optim.learning_rate": [1e-4, 1e-2]}
    study = run_study(CONFIG, data, grid=grid, seeds=[0, 1], folder=tmp_path / "study", verbose=False)
    assert study.metric == "R2"
    assert "val R2" in table(study)
    trial = study.trials[2]
    assert trial.test_accuracy == pytest.approx(run.test_accuracy, abs=1e-5)
    low, high = trial.test_accuracy_interval
    assert low < trial.test_accuracy < high <= 1
    assert trial.test_mae < trial.test_rmse < 1_000
    assert trial.test_auroc is None
    again = run_study(CONFIG, data, grid=grid, seeds=[0, 1], folder=tmp_path / "study", verbose=False)
    assert again.to_json()["runs"] == study.to_json()["runs"]
    summary = json.loads((tmp_path / "study" / "summary.json").read_text())
    assert summary["runs"][2]["test_rmse"] == trial.test_rmse


def test_studies_of_numbers_are_compared() -> None:
    data = Dataset.from_arrays(*numbers_of(), data=CONFIG.data, task="regression")
    slow = CONFIG.updated({"optim.learning_rate": 1e-5})
    studies = [
        run_study(config, data, name=name, seeds=5, verbose=False)
        for name, config in (("fast", CONFIG), ("slow", slow))
    ]
    comparison = compare_studies(studies)
    assert comparison.metric == "R2"
    assert comparison.pairs[0].figures["test_accuracy"].verdict == "better"
    assert "test R2" in table(comparison)


def test_folds_and_resampling_divide_rows_without_classes() -> None:
    x, y = numbers_of(120)
    data = Dataset.from_arrays(x, y, x[:20], y[:20], data=Data(valid_size=30), task="regression")
    folds = stratified_folds(data, Data(valid_size=30), 5)
    assert [fold.valid.size for fold in folds] == [24] * 5
    numbers = np.concatenate([fold.info.targets.own(fold.valid.own_labels) for fold in folds])[:, 0]
    np.testing.assert_allclose(np.sort(numbers), np.sort(y), rtol=1e-5)


def test_conformal_intervals_cover_as_often_as_they_say(run) -> None:
    x, y = numbers_of(400, seed=1)
    intervals = conformal(run, x, y, coverage=0.8, check=False)
    error = np.abs(run.predict(x, check=False) - y)
    assert intervals.half_widths[0] == pytest.approx(np.sort(error)[np.ceil(401 * 0.8).astype(int) - 1])
    x, y = numbers_of(2_000, seed=2)
    low, high = intervals.predict(x, check=False)
    assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.8, abs=0.05)
    assert conformal(run, x[:3], y[:3], check=False).half_widths == (np.inf,)


def test_conformal_intervals_are_those_of_mapie(run) -> None:
    regression = pytest.importorskip("mapie.regression")
    x, y = numbers_of(200, seed=1)

    class Fitted:
        n_features_in_ = 4

        def fit(self, x, y):
            return self

        def predict(self, x):
            return run.predict(x, check=False)

        def __sklearn_is_fitted__(self):
            return True

    mapie = regression.SplitConformalRegressor(Fitted(), confidence_level=0.9, prefit=True).conformalize(x, y)
    _, ends = mapie.predict_interval(x[:20])
    low, high = conformal(run, x, y, check=False).predict(x[:20], check=False)
    np.testing.assert_allclose(ends[:, 0, 0], low)
    np.testing.assert_allclose(ends[:, 1, 0], high)


def test_what_does_not_go_together_is_refused(run, labelled) -> None:
    x, y = numbers_of()
    softmax = CONFIG.updated({"model.head": "softmax"})
    data = Dataset.from_arrays(x, y, data=CONFIG.data, task="regression")
    classes = Dataset.from_arrays(x, (y > 5_000).astype(int), data=CONFIG.data)
    for config, of, message in (
        (softmax, data, "predicts classes, and the targets are numbers"),
        (CONFIG, classes, "predicts numbers, and the targets are classes"),
        (softmax, labelled.data, "a row has several labels"),
    ):
        with pytest.raises(UserError, match=message):
            fit(config, of, seed=0)
    for given, message in (
        ({"train.loss": "absolute_error", "model.head": "softmax"}, "for numbers, and model.head is 'softmax'"),
        ({"regularize.label_smoothing": 0.1}, "smooths the cross-entropy of classes"),
    ):
        with pytest.raises(UserError, match=message):
            CONFIG.updated(given)
    for targets, task, message in (
        (np.where(np.arange(300) == 7, np.nan, y), "regression", r"holds \[nan\] in row 7"),
        (np.stack([y, y], 1), "multilabel", "Give a 0 or a 1 for each label"),
        (y > 0, "multilabel", r"\[N, C\] with a column for each label"),
        (y, "numbers", "task is 'numbers'. Allowed: classification, multilabel, regression"),
    ):
        with pytest.raises(UserError, match=message):
            Dataset.from_arrays(x, targets, data=CONFIG.data, task=task)
    with pytest.raises(UserError, match="class_weights needs classes"):
        Dataset.from_arrays(x, y, data=CONFIG.data, task="regression", class_weights="balanced")
    with pytest.raises(UserError, match="choose rows by class, and the targets are no classes"):
        fit(CONFIG.updated({"data.per_class": 3}), data, seed=0)
    with pytest.raises(UserError, match="calibrates the probabilities of classes"):
        run.calibrated()
    with pytest.raises(UserError, match="several labels"):
        conformal(labelled, *labels_of(30, 7), check=False)
    with pytest.warns(JaxdeepWarning, match="one value only in"):
        Dataset.from_arrays(x, np.ones(300), data=CONFIG.data, task="regression")


def test_rows_without_weight_do_not_count_in_the_loss_of_numbers() -> None:
    x, y = numbers_of()
    weights = np.ones(300)
    weights[:60] = np.arange(60) % 2
    data = Dataset.from_arrays(x, y, data=CONFIG.data, task="regression", row_weights=weights)
    found = fit(CONFIG.updated({"train.epochs": 2}), data, seed=0)
    error = (found.predict(x[1:60:2]) - y[1:60:2]) / y[60:-60].std()
    assert found.val_loss == pytest.approx(np.mean(error**2), rel=1e-4)


def test_a_table_of_numbers_is_trained_exported_and_predicted(tmp_path, capsys) -> None:
    x, y = numbers_of()
    frame = pd.DataFrame(x, columns=list("abcd")).assign(price=y, other=2 * y)
    path = tmp_path / "houses.csv"
    frame.to_csv(path, index=False)
    words = ["--model.head=linear", "--train.epochs=20", "--model.units=16", "--lr=1e-2", "--drop=other"]
    words += ["--workdir", str(tmp_path / "run"), "--export", str(tmp_path / "served"), "--seeds", "2"]
    assert main(["train", str(path), "--target", "price", *words]) == 0
    assert "val R2" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "served"), str(path), "--out", str(tmp_path / "p.csv")]) == 0
    with (tmp_path / "p.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["prediction"]
    assert metrics.r2_score(y, np.asarray(rows, float)[:, 0]) > 0.8
    data = Dataset.from_table(frame, ("price", "other"), drop=("a",), data=CONFIG.data, task="regression")
    assert data.info.targets.names == ("price", "other")
    assert data.inputs == 3


def test_a_table_of_several_labels_is_trained_and_predicted(tmp_path, capsys) -> None:
    x, y = labels_of()
    path = tmp_path / "tags.csv"
    pd.DataFrame(x, columns=list("abcd")).assign(red=y[:, 0], old=y[:, 1] > 0).to_csv(path, index=False)
    words = ["--target", "red", "old", "--model.head=sigmoid", "--train.epochs=20", "--model.units=16", "--lr=1e-2"]
    assert main(["train", str(path), *words, "--workdir", str(tmp_path / "run"), "--seed", "3"]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "red,old,probability of red,probability of old"
    assert len(lines) == 301


def test_numbers_that_are_no_classes_are_refused_with_what_to_do() -> None:
    x, y = numbers_of()
    frame = pd.DataFrame(x, columns=list("abcd"))
    for target in (y, np.round(y)):
        with pytest.raises(UserError, match=r"different numbers in 300 rows: it seems to be no class"):
            Dataset.from_table(frame.assign(price=target), "price")
