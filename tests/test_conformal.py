"""Conformal prediction sets: MAPIE's, their coverage, and what is refused."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from small_data import SMALL, lean_compilation, small_arrays

from jaxdeep import Dataset, Run, UserError, conformal, fit
from jaxdeep.analysis.conformal import conformal_threshold, prediction_sets

NAMES = np.array(["ant", "bee", "cat", "dog"])
ROWS, LABELS = small_arrays(600, seed=7)


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Run]]:
    """Two networks that were trained for an epoch, so that they are not sure."""
    with lean_compilation():
        images, labels = small_arrays(200)
        config = SMALL.updated({"train.epochs": 1})
        data = Dataset.from_arrays(images, NAMES[labels], ROWS[:9], NAMES[LABELS[:9]], data=config.data)
        yield [fit(config, data, seed=seed) for seed in (0, 1)]


def drawn(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, C] and labels that follow other ones, so that the network is wrong about itself."""
    rng = np.random.default_rng(seed)
    true, own = (rng.dirichlet(np.full(classes, 0.5), rows) for _ in range(2))
    return 0.5 * true + 0.5 * own, np.asarray([rng.choice(classes, p=row) for row in true])


class Fixed(ClassifierMixin, BaseEstimator):
    """A classifier of MAPIE's whose rows are probabilities."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Fixed":
        self.classes_, self.n_features_in_ = np.arange(x.shape[1]), x.shape[1]
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(1)


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_the_sets_are_those_of_mapie(method, coverage) -> None:
    (known, labels), (new, _) = drawn(203, 5, 0), drawn(400, 5, 1)
    theirs = SplitConformalClassifier(
        Fixed().fit(known, labels), confidence_level=coverage, conformity_score=method, prefit=True
    ).conformalize(known, labels)
    options = {} if method == "lac" else {"conformity_score_params": {"include_last_label": False}}
    _, sets = theirs.predict_set(new, **options)
    expected = sets[:, :, 0].copy()
    if method == "aps":  # ours are never empty
        expected[np.arange(len(new)), new.argmax(1)] = True
    threshold = conformal_threshold(known, labels, coverage, method)
    if method == "aps":  # MAPIE draws random numbers for the scores behind its threshold
        threshold = float(np.ravel(theirs._mapie_classifier.quantiles_)[0])
    np.testing.assert_array_equal(prediction_sets(new, threshold, method), expected)
    assert 1 < expected.sum(1).mean() < 5


def test_the_threshold_of_aps_is_the_sum_up_to_the_label_of_the_row_at_its_rank() -> None:
    known, labels = drawn(99, 5, 3)
    sums = []
    for row, label in zip(known.tolist(), labels, strict=True):
        total = 0.0
        for value, index in sorted(((value, index) for index, value in enumerate(row)), reverse=True):
            total += value
            if index == label:
                break
        sums.append(total)
    assert conformal_threshold(known, labels, 0.9, "aps") == pytest.approx(sorted(sums)[89], rel=1e-12)


@given(st.integers(20, 200), st.floats(0.5, 0.95), st.sampled_from(["lac", "aps"]), st.integers(0, 2**32 - 1))
def test_the_calibration_rows_own_sets_hold_as_many_as_they_must_and_no_more(rows, coverage, method, seed) -> None:
    known, labels = drawn(rows, 4, seed)
    threshold = conformal_threshold(known, labels, coverage, method)
    needed = math.ceil(round((rows + 1) * coverage, 9))
    if needed > rows:
        assert threshold == math.inf
        assert prediction_sets(known, threshold, method).all()
        return
    held = prediction_sets(known, threshold, method)[np.arange(rows), labels].sum()
    if method == "lac":
        assert held == needed  # without ties
    else:
        assert held >= needed


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_new_rows_are_covered_as_often_as_promised(method) -> None:
    covered = []
    for seed in range(300):
        probabilities, labels = drawn(80, 4, seed)
        threshold = conformal_threshold(probabilities[:40], labels[:40], 0.8, method)
        sets = prediction_sets(probabilities[40:], threshold, method)
        covered.append(sets[np.arange(40), labels[40:]].mean())
    mean, error = np.mean(covered), np.std(covered) / np.sqrt(len(covered))
    assert mean > 0.8 - 3 * error
    if method == "lac":
        assert mean < 0.8 + 1 / 41 + 3 * error


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_of_a_run_and_of_an_ensemble(runs, method) -> None:
    known, new = (ROWS[100:350], NAMES[LABELS[100:350]]), slice(350, None)
    for of, each in ((runs[0], runs[:1]), (runs, runs)):
        found = conformal(of, *known, coverage=0.9, method=method)
        probabilities = np.mean([run.predict(ROWS[new]).astype(float) for run in each], 0)
        sets = found.predict(ROWS[new])
        np.testing.assert_array_equal(sets, prediction_sets(probabilities, found.threshold, method))
        assert sets[np.arange(len(sets)), LABELS[new]].mean() > 0.85
        labels = found.labels(ROWS[new])
        assert [len(names) for names in labels] == sets.sum(1).tolist()
        assert all(names[0] == NAMES[row.argmax()] for names, row in zip(labels, probabilities, strict=True) if names)
        assert (found.calibration_rows, found.coverage) == (250, 0.9)


def test_rows_that_chose_the_network_and_wrong_arguments_are_refused(runs) -> None:
    known = (ROWS[:50], NAMES[LABELS[:50]])
    for name in ("train", "valid"):
        split = getattr(runs[0].data, name)
        with pytest.raises(UserError, match=f"the calibration rows are the {name[:5]}.* rows of the run"):
            conformal(runs, split.own_images, NAMES[split.own_labels])
    for options, message in (
        ({"coverage": 1.0}, r"coverage is 1\.0\. Allowed: above 0 and below 1"),
        ({"method": "raps"}, "method is 'raps'. Allowed: aps or lac"),
    ):
        with pytest.raises(UserError, match=message):
            conformal(runs[0], *known, **options)
    with pytest.raises(UserError, match="there are 50 rows and 2 labels"):
        conformal(runs[0], ROWS[:50], ["ant", "bee"])
    with pytest.raises(UserError, match="run is no Run"):
        conformal([], *known)
    few = conformal(runs[0], ROWS[:5], NAMES[LABELS[:5]])
    assert few.threshold == math.inf
    assert few.predict(ROWS[:7]).all()
