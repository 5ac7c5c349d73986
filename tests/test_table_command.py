"""`jaxdeep train TABLE --target COLUMN` and `jaxdeep predict MODEL ROWS`, from the words to the files."""

import csv
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_commands import summary
from small_data import lean_compilation
from small_tables import small_frame

import jaxdeep.cli.run
from jaxdeep import Dataset, load
from jaxdeep.cli.console import main
from jaxdeep.config import Data

QUICK = ("--epochs", "2", "--model.units", "8")
NEW = small_frame(9, seed=3).drop(columns="churn").assign(income=20_000.0)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


@pytest.fixture
def here(monkeypatch, tmp_path) -> Path:
    """An empty folder with tables, and a file of arrays."""
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    monkeypatch.chdir(tmp_path)
    small_frame().to_csv("visits.csv", index=False)
    small_frame(50, seed=1).to_parquet("later.parquet")
    NEW.to_csv("new.csv", index=False)
    np.savez("mine.npz", x=np.random.default_rng(0).normal(size=(100, 3)), y=np.arange(100) % 2)
    return tmp_path


def predicted(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_is_trained_and_predicts(here, capsys) -> None:
    words = ["train", "visits.csv", *QUICK, "--target", "churn", "--group", "visitor", "--seeds", "2"]
    assert main([*words, "--export", "served"]) == 0
    captured = capsys.readouterr()
    folder = "runs/visits/mlp+model.units=8+train.epochs=2"
    assert f"{folder}: summary.json" in captured.out.splitlines()[-1]
    assert "180 training and 60 validation, 60 test images of visits" in captured.err
    command = shlex.split(summary(folder)["command"])
    assert command[:7] == ["jaxdeep", "train", "visits.csv", "--target", "churn", "--group", "visitor"]
    dataset = Dataset.from_table("visits.csv", "churn", group="visitor", data=Data())
    assert summary(folder)["data"] == dataset.identity()

    assert main(command[1:]) == 0
    assert "is finished" in capsys.readouterr().err
    assert main([*command[1:-1], "3"]) == 0  # one more seed
    assert len(summary(folder)["runs"]) == 3
    capsys.readouterr()

    expected = load(folder, seed=42).predict(NEW)
    assert main(["predict", f"{folder}/networks/seed_42.npz", "new.csv", "--out", "p.csv"]) == 0
    assert capsys.readouterr().err == "p.csv: 9 predictions\n"
    rows = predicted("p.csv")
    assert [row["prediction"] for row in rows] == [("no", "yes")[index] for index in expected.argmax(1)]
    found = [[row["probability of no"], row["probability of yes"]] for row in rows]
    np.testing.assert_array_equal(np.asarray(found, np.float32), expected)

    assert main(["predict", folder, "new.csv", "--seed", "42"]) == 0
    assert capsys.readouterr().out == Path("p.csv").read_text()
    assert main(["predict", "served", "new.csv", "--out", "q.csv"]) == 0
    assert list(predicted("q.csv")[0]) == ["prediction", "probability of no", "probability of yes"]
    capsys.readouterr()
    assert main(["predict", folder, "new.csv"]) == 2
    assert "has 3 saved runs. Choose one by seed" in capsys.readouterr().err


def test_every_flag_of_a_table_is_heard_and_repeated(here) -> None:
    flags = ["--drop", "visitor", "town", "--test-file", "later.parquet", "--numbers", "quantile", "--split-seed", "5"]
    assert main(["train", "visits.csv", "--target", "churn", *flags, *QUICK]) == 0
    found = summary("runs/visits/mlp+model.units=8+train.epochs=2")
    options = {"test": "later.parquet", "drop": ("visitor", "town"), "numbers": "quantile", "split_seed": 5}
    assert found["data"] == Dataset.from_table("visits.csv", "churn", **options).identity()
    assert shlex.split(found["command"])[5:-4] == flags


def test_without_test_rows_the_figures_are_null(here, capsys) -> None:
    words = ["train", "visits.csv", "--target", "churn", "--drop", "visitor", "--no-test"]
    assert main([*words, *QUICK, "--export", "served"]) == 0
    captured = capsys.readouterr()
    assert "240 training and 60 validation, 0 test images" in captured.err
    found = summary("runs/visits/mlp+model.units=8+train.epochs=2")
    assert found["runs"][0]["test_accuracy"] is None
    assert shlex.split(found["command"])[3:8] == ["--target", "churn", "--drop", "visitor", "--no-test"]
    assert main([*words, *QUICK, "--ensemble", "--seeds", "2"]) == 2
    assert "measured on test rows, and there are none" in capsys.readouterr().err


def test_an_npz_file_is_predicted_by_arrays_and_by_a_table(here, capsys) -> None:
    assert main(["train", "mine.npz", *QUICK]) == 0
    folder = "runs/mine/mlp+model.units=8+train.epochs=2"
    rows = np.load("mine.npz")["x"][:4]
    pd.DataFrame(rows, columns=["a", "b", "c"]).to_parquet("rows.parquet")
    capsys.readouterr()
    for path in ("mine.npz", "rows.parquet"):
        assert main(["predict", folder, path, "--out", "p.csv", "--overwrite"]) == 0
        found = [float(row["probability of 1"]) for row in predicted("p.csv")[:4]]
        np.testing.assert_allclose(found, load(folder).predict(rows)[:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "visits.csv"], "its target is not given. Name its column of labels by --target NAME"),
        (["train", "visits.csv", "--target", "chrun"], "no target 'chrun'. Perhaps you mean churn"),
        (["train", "visits.csv", "--targt", "churn"], "its target is not given"),
        (["train", "visits.csv", "--target", "churn", "--drp", "town"], "no flag --drp. Perhaps you mean --drop"),
        (["train", "visits.csv", "--target", "churn", "--test-size", "all"], "--test-size is 'all'"),
        (["train", "visits.csv", "--target", "churn", "--test-size", "2.5"], "test is 2.5. Give a share"),
        (["train", "visits.csv", "--target", "churn", "--test-size=.1", "--test-file", "x.csv"], "Give one of them"),
        (["train", "visits.csv", "--target", "churn", "--numbers", "ranks"], "--numbers"),
        (["train", "mine.npz", "--target", "y"], "--target is for a table, whose name ends in .csv"),
        (["predict", "none.npz", "new.csv"], "none.npz"),
        (["predict", "visits.csv", "new.csv"], "visits.csv"),
        (["predict", "none.npz"], "predict has no model and rows"),
        (["predict", "none.npz", "new.csv", "--ot", "x"], "there is no flag --ot. Perhaps you mean --out"),
    ],
)
def test_what_cannot_be_is_status_2_in_one_line(here, capsys, argv, message) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert captured.out == ""
    assert not Path("runs").exists()


def test_rows_that_do_not_fit_are_one_line_and_no_file(here, capsys) -> None:
    assert main(["train", "visits.csv", "--target", "churn", "--drop", "visitor", *QUICK, "--export", "served"]) == 0
    NEW.drop(columns="age").to_csv("less.csv", index=False)
    np.savez("two.npz", a=np.ones(3), b=np.ones(3))
    for words, message in (
        (["less.csv", "--out", "p.csv"], "less.csv lacks the column age of the training rows"),
        (["two.npz", "--out", "p.csv"], "Save the rows to predict as x"),
        (["rows.txt", "--out", "p.csv"], "rows.txt has no rows by its name"),
        (["new.csv", "--out", "new.csv"], "--out is new.csv, which exists. Choose another file, or add --overwrite"),
        (["new.csv", "--overwrite"], "--overwrite has no effect without --out"),
        (["new.csv", "--out", "none/p.csv"], "none"),
        (["new.csv", "--seed", "42"], "is one exported network. Remove --seed"),
    ):
        capsys.readouterr()
        assert main(["predict", "served", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert message in line
    assert not Path("p.csv").exists()


def test_help_names_the_flags_of_a_table_and_of_predict(capsys) -> None:
    assert main(["train", "--help"]) == 0
    assert "--target ..." in capsys.readouterr().out
    assert main(["predict", "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage: jaxdeep predict MODEL ROWS [flags]" in out
    assert all(f"  --{name}" in out for name in ("out", "overwrite", "seed", "name"))
