"""`python -m bench table_default`: how an alternative is chosen, and what is written of it."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from small_data import lean_compilation
from small_tables import small_frame

from bench import table_default
from bench.peers.table_sets import TARGET, TableSet
from jaxdeep import Config


@pytest.fixture(autouse=True)
def lean():
    with lean_compilation():
        yield


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ({"a": [[1.0, 2.0], [0.5, 2.5]]}, 1),  # .79
        ({"a": [[1.0, 2.0], [0.5, 2.5]], "b": [[10.0, 10.0], [13.0, 13.0]]}, 0),  # times 1.3: 1.01
        ({"a": [[1.0, 2.0], [1.0, 2.0]]}, 0),
        ({"a": [[1.0, 2.0], [0.9, 1.8], [0.5, 1.0]], "b": [[1.0, 2.0], [1.0, 2.0], [1.5, 3.0]]}, 2),
    ],
)
def test_the_lowest_mean_of_all_tables_is_chosen(losses, best) -> None:
    assert table_default.best_of(losses) == best


def test_the_first_alternatives_are_the_defaults() -> None:
    for first, *others in table_default.CHOICES.values():
        fields = {name: value for name, value in first.items() if name != table_default.NUMBERS}
        assert Config().updated(fields) == Config()
        for other in others:
            assert other.keys() == first.keys()
            fields = {name: value for name, value in other.items() if name != table_default.NUMBERS}
            assert (Config().updated(fields) != Config()) == bool(fields)


def test_a_run_chooses_on_some_tables_and_reports_on_the_others(monkeypatch) -> None:
    kept: dict[str, Any] = {}
    frame = small_frame().drop(columns=["visitor"]).rename(columns={"churn": TARGET})
    prices = pd.DataFrame({"x": frame.income.fillna(0), TARGET: frame.income.fillna(0) ** 2})
    frames = {"labels": frame, "prices": prices, "others": frame}
    sets = {
        name: TableSet("pandas", "regression" if name == "prices" else "classification", f"rows of {name}")
        for name in frames
    }
    monkeypatch.setattr(table_default, "SETS", sets)
    monkeypatch.setattr(table_default, "frame_of", frames.__getitem__)
    monkeypatch.setattr(table_default, "CHOOSING", ("labels", "prices"))
    monkeypatch.setattr(table_default, "REPORTED", ("others",))
    choices = {
        "numbers": ({"numbers": "standardize"}, {"numbers": "piecewise_linear"}),
        "epochs": ({"train.epochs": 1}, {"train.epochs": 30}),
    }
    monkeypatch.setattr(table_default, "CHOICES", choices)

    def keep(question: str, name: str, flags: Any, entry: Any) -> None:
        kept[name] = entry

    options: Any = SimpleNamespace(rounds=4, keep=keep)
    table_default.run(options)
    assert list(kept) == ["numbers", "epochs", "others"]
    epochs = kept["epochs"]
    assert epochs["before"] == choices["numbers"][kept["numbers"]["chosen"]]
    assert epochs["chosen"] == table_default.best_of(epochs["losses"]) == 1
    assert {name: len(of) for name, of in epochs["losses"].items()} == {"labels": 2, "prices": 2}
    headers, first, second = table_default.table(epochs)
    assert headers == ("alternative", "ratio on labels", "ratio on prices", "mean", "chosen")
    assert first[1:4] == ("1.000", "1.000", "1.000")
    of = table_default.ratio(*reversed(epochs["losses"]["labels"]))
    assert second[1] == f"{of.mean:.3f} ({of.low:.3f} to {of.high:.3f})"
    assert (first[-1], second[-1]) == ("", "yes")
    report = kept["others"]
    assert report["changes"]["train.epochs"] == 30
    assert all(1 < of["epochs"] <= 30 for of in report["outcomes"][1])
    assert len(table_default.table(report)) == 3
    assert "chose nothing: rows of others" in table_default.title(report)
    assert [
        row[0] for row in table_default.table({**report, "changes": {}, "outcomes": report["outcomes"][:1]})[1:]
    ] == ["Config(), which was chosen"]
