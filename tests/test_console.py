"""The console command `jaxdeep`: a user's own file through the same flags as an experiment."""

import csv
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from small_commands import summary
from small_data import lean_compilation

import jaxdeep.cli.run
from jaxdeep.cli.console import main
from jaxdeep.config import Config
from jaxdeep.train.saved import load
from jaxdeep.version import __version__

QUICK = ("--epochs", "2", "--model.units", "8")


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


@pytest.fixture
def here(monkeypatch, tmp_path) -> Path:
    """An empty folder with a file of 100 rows of 6 columns, in 3 classes."""
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 3
    rows = rng.normal(size=(100, 6)) + labels[:, None]
    np.savez("mine.npz", X=rows, y=np.array(["red", "green", "blue"])[labels])
    np.savez("parts.npz", x_train=rows[:80], y_train=labels[:80], x_val=rows[80:90], y_val=labels[80:90],
             x_test=rows[90:], y_test=labels[90:])  # fmt: skip
    return tmp_path


def test_a_table_is_trained_in_a_folder_of_its_name(here, capsys) -> None:
    assert main(["train", "mine.npz", *QUICK, "--seeds", "2"]) == 0
    captured = capsys.readouterr()
    folder = "runs/mine/mlp+model.units=8+train.epochs=2"
    assert captured.out.splitlines()[0] == "mine mlp on mine (arrays)"
    assert captured.out.splitlines()[-1] == f"{folder}: summary.json, confusion.png, curves.png"
    assert "60 training and 20 validation, 20 test images of mine" in captured.err
    found = summary(folder)
    assert found["config"]["data"]["valid_size"] == 0.2
    assert shlex.split(found["command"]) == [
        *("jaxdeep", "train", "mine.npz", "--model.units", "8", "--train.epochs", "2", "--seeds", "2")
    ]
    assert main(shlex.split(found["command"])[1:]) == 0
    assert "is finished" in capsys.readouterr().err


def test_validation_rows_of_the_files_own_are_taken(here, capsys) -> None:
    assert main(["train", "parts.npz", *QUICK]) == 0
    assert "80 training and 10 validation, 10 test images" in capsys.readouterr().err


def test_a_search_names_the_command_of_its_best_candidate_which_runs(here, capsys) -> None:
    assert main(["train", "mine.npz", *QUICK, "--grid", "lr=1e-3,1e-2", "--grid", "model.batch_norm=True"]) == 0
    *_, best, _ = capsys.readouterr().out.splitlines()
    program, *words = shlex.split(best.removeprefix("best: "))
    assert (program, words[:2]) == ("jaxdeep", ["train", "mine.npz"])
    assert main(words) == 0
    assert re.search(r"runs/mine/mlp\+model.batch_norm=True\+.*: summary.json", capsys.readouterr().out)


def test_the_layers_are_counted_and_a_rate_is_looked_for(here, capsys) -> None:
    assert main(["train", "mine.npz", "--summary"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["in", "all", "11,103", "0"]
    assert main(["train", "mine.npz", "--find-lr", "--seeds", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("find-lr: lr_finder.json, lr_finder.png")


def test_rows_that_are_no_images_are_neither_drawn_nor_compared_with_images(here, capsys) -> None:
    dropout = ("--model.dropout-rate", "0.1", "--model.dropout-sites", "every")
    assert main(["train", "mine.npz", *QUICK, *dropout, "--mc-samples", "3", "--seeds", "2", "--ensemble"]) == 0
    out = capsys.readouterr().out
    pictures = "confusion.png, curves.png, reliability.png, risk_coverage.png"
    assert out.splitlines()[-1].endswith(f": summary.json, {pictures}")
    assert "Other images" not in out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_of_each_type_predicts_as_from_python(here, capsys, dtype: str) -> None:
    try:
        assert main(["train", "mine.npz", *QUICK, "--train.dtype", dtype, "--workdir", "run"]) == 0
    finally:
        jax.config.update("jax_enable_x64", False)
    capsys.readouterr()
    assert main(["predict", "run", "mine.npz"]) == 0
    _, *lines = csv.reader(capsys.readouterr().out.splitlines())
    with jax.enable_x64(dtype == "float64"):
        expected = load("run").predict(np.load("mine.npz")["X"], check=False)
    assert expected.dtype == dtype
    assert [line[1:] for line in lines] == [[*map(str, row)] for row in expected]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["predict"], "predict has no model and rows. Allowed: jaxdeep predict MODEL ROWS --out predictions.csv"),
        (["trian", "mine.npz"], "Allowed: train, predict. Perhaps you mean train"),
        (["train"], "train has no file. Allowed: jaxdeep train FILE, and flags behind it"),
        (["train", "--seeds", "2", "mine.npz"], "train has no file"),
        (["train", "none.npz"], "none.npz cannot be read (No such file or directory)"),
        (["train", "mine.npz", "--epoch", "3"], "there is no flag --epoch. Perhaps you mean --epochs"),
        (["train", "mine.npz", "--config", "selu"], "there is no flag --config"),
        (["train", "mine.npz", "--data", "auto"], "there is no flag --data"),
        (["train", "mine.npz", "--compare", "a", "b"], "there is no flag --compare"),
        (["train", "mine.npz", "--list"], "there is no flag --list"),
        (["train", "mine.npz", "other.npz"], "'other.npz' belongs to no flag"),
        (["train", "parts.npz", "--data.valid-size", "20"], "Set data.valid_size to 10"),
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


def test_without_a_command_it_says_which_there_are(capsys, monkeypatch) -> None:
    assert main([]) == 2
    usage = capsys.readouterr().err
    assert "train FILE " in usage
    assert "predict MODEL ROWS " in usage
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == usage
    monkeypatch.setattr(sys, "argv", ["jaxdeep", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"jaxdeep {__version__}\n"


def test_help_has_no_flag_that_only_the_chapters_images_have(capsys) -> None:
    for argv in (["train", "--help"], ["train", "any.npz", "--help"]):
        assert main(argv) == 0
        out = capsys.readouterr().out
        assert out.startswith("usage: jaxdeep train FILE [flags]\n")
        assert not re.findall(r"^  --(?:config|list|compare|data|data-dir) ", out, re.MULTILINE)
        assert f"[{Config().train.epochs}]" in out
        assert len(out.splitlines()) < 100
