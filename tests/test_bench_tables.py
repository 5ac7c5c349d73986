"""`python -m bench tables`: its tables, its contestants, and what it writes of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from small_data import lean_compilation

from bench import tables
from bench.peers import table_fits
from bench.peers.table_sets import SETS, TARGET, frame_of
from jaxdeep.analysis.differences import paired

ENTRY = {
    "data": "wine",
    "about": "grower",
    "package": "sklearn",
    "rows": 178,
    "score": "accuracy",
    "contestants": {
        "jaxdeep": {"lines": 6, "scores": [0.9, 1.0, 0.95], "seconds": [2.0, 0.5, 0.4]},
        "HistGradientBoosting": {"lines": 5, "scores": [0.95, 1.0, 0.97], "seconds": [0.3, 0.2, 0.2]},
        "skorch": {"lines": 30, "scores": [], "seconds": [], "failed": "no answer within 1800 s"},
    },
}


@pytest.fixture(autouse=True)
def lean():
    with lean_compilation():
        yield


def test_a_row_has_score_difference_seconds_and_lines() -> None:
    rows = {row[0]: row[1:] for row in tables.table(ENTRY)}
    difference = paired([0.95, 1.0, 0.97], [0.9, 1.0, 0.95], tables.OVERLAP)
    assert rows["jaxdeep"][0].startswith("0.9500 ± ")
    assert rows["jaxdeep"][1] == ""
    assert rows["HistGradientBoosting"][1].startswith(f"{difference.difference:+.4f} (")
    assert rows["HistGradientBoosting"][2:4] == ("not told apart", "0.20 (0.20 - 0.30)")
    assert rows["jaxdeep"][2] == ""
    assert rows["skorch"][0] == "failed: no answer within 1800 s"
    assert tables.title(ENTRY) == "wine of sklearn, 178 rows: grower"


@pytest.mark.parametrize(("gain", "verdict"), [(0.1, "better"), (-0.1, "worse")])
def test_a_verdict_is_given_where_the_interval_holds_no_zero(gain, verdict) -> None:
    first = ENTRY["contestants"]["jaxdeep"]["scores"]
    trees = {"lines": 5, "scores": [score + gain for score in first], "seconds": [0.1, 0.1, 0.1]}
    contestants = {**ENTRY["contestants"], "HistGradientBoosting": trees}
    rows = {row[0]: row[1:] for row in tables.table({**ENTRY, "contestants": contestants})}
    assert rows["HistGradientBoosting"][2] == verdict


def test_the_overview_has_a_row_for_each_table() -> None:
    slow = {"lines": 5, "scores": [0.8, 0.9, 0.85], "seconds": [30.0, 1.0, 2.0]}
    other = {**ENTRY, "data": "cars", "contestants": {**ENTRY["contestants"], "HistGradientBoosting": slow}}
    headers, wine, cars = tables.overview([ENTRY, other])
    assert headers == ("table", "score", "jaxdeep", "HistGradientBoosting", "skorch")
    assert wine == ("wine, 178 rows", "accuracy", "0.9500, 0.5 s", "0.9733, 0.2 s", "failed")
    assert cars == ("cars, 178 rows", "accuracy", "0.9500, 0.5 s", "0.8500, 2.0 s, worse", "failed")


@pytest.mark.parametrize("contestant", ["jaxdeep", "MLPClassifier, MLPRegressor", "HistGradientBoosting"])
def test_contestants_predict_the_labels_of_a_table(contestant) -> None:
    frame = frame_of("wine")
    train, test = train_test_split(frame, test_size=0.25, random_state=0, stratify=frame[TARGET])
    found = table_fits.FITS[contestant](train, test, "classification", 0)
    assert accuracy_score(test[TARGET], found) > 0.8
    assert 3 < table_fits.lines_of(contestant) < 20


def test_contestants_take_categories_and_predict_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    kind = rng.choice(["a", "b"], 500)
    frame = pd.DataFrame({"x": x, "kind": pd.Categorical(kind), TARGET: 100 * x + 50 * (kind == "a")})
    train, test = frame[:400], frame[400:]
    for contestant in ("jaxdeep", "jaxdeep, five networks", "MLPClassifier, MLPRegressor"):
        found = table_fits.FITS[contestant](train, test, "regression", 0)
        assert r2_score(test[TARGET], found) > 0.8, contestant


def test_a_run_keeps_an_entry_for_each_table_that_is_there(monkeypatch, capsys) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(
        tables, "SETS", {"wine": SETS["wine"], "cars": SETS["wine"]._replace(package="no_such_package")}
    )
    name = "MLPClassifier, MLPRegressor"

    def keep(question: str, table: str, flags: Any, entry: Any) -> None:
        kept[table] = entry

    options: Any = SimpleNamespace(contestants=(name,), rounds=2, keep=keep)
    tables.run(options)
    said = capsys.readouterr()
    assert set(kept) == {"wine"}
    assert "cars is left out: no_such_package is not installed" in said.out + said.err
    outcome = kept["wine"]["contestants"][name]
    assert len(outcome["scores"]) == len(outcome["seconds"]) == 2
    assert kept["wine"]["rows"] == 178
