"""The command that measures compression: its points, its continuation after a kill, its record, figure and table."""

import json
import shutil
from pathlib import Path
from unittest import mock

import pytest
from small_commands import images
from small_data import lean_compilation

from docs.pages.compress import NONE, section
from experiments import record
from experiments.compress import __main__ as command
from experiments.compress import sparse
from experiments.compress.tables import TABLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A quick study of two seeds that was killed once, and the trials that each of its two calls trained."""
    path, trained = tmp_path_factory.mktemp("study"), []
    fit_all = sparse.fit_all

    def counting(trials, *arguments, **others):
        trained.append(len(trials))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return fit_all(trials, *arguments, **others)

    with (
        lean_compilation(),
        mock.patch.object(record, "load_images", images),
        mock.patch.object(command, "use_compilation_cache"),
        mock.patch.object(sparse, "fit_all", counting),
    ):
        argv = ["sparse", "--quick", "--seeds", "2", "--data", "fashion_mnist", "--workdir", str(path)]
        assert command.main(argv) == 130
        stored = json.loads((path / "points.json").read_text())["points"]
        assert command.main(argv) == 0
        assert command.main([*argv, "--dataset", "mnist"]) == 2
    return path, trained, stored


def test_a_killed_command_trains_only_what_is_missing(folder):
    path, trained, stored = folder
    assert trained == [2, 4, 4, 0, 0, 4, 4]  # dense, gradual, l1 (killed); nothing of the first two, then l1 and FTRL
    assert len(stored) == 2 * (1 + 3 * 2 + 2)
    points = json.loads((path / "points.json").read_text())["points"]
    assert {name: points[name] for name in stored} == stored
    assert len(points) == 2 * (1 + 7 * 2)


def test_the_record_has_every_curve_with_intervals(folder):
    found = json.loads((folder[0] / "record.json").read_text())
    assert found["quick"] is True
    assert found["machine"]["processor"]
    assert found["command"].startswith("python -m experiments.compress sparse --quick")
    assert list(found["curves"]) == list(sparse.METHODS)
    for method in ("zero", "zero by layer", "fine-tune", "gradual"):
        for point in found["curves"][method]:
            assert point["sparsity"] == pytest.approx(point["setting"], abs=1e-3)
            assert point["test_accuracy"]["runs"] == 2
            assert point["test_accuracy"]["low"] <= point["test_accuracy"]["mean"] <= point["test_accuracy"]["high"]
            assert point["npz_bytes"] < found["dense"]["npz_bytes"]
    of = found["curves"]
    assert [point["sparsity"] for point in of["l1"]] == [0.0, 0.0]  # the penalty makes no zeros
    assert all(one["sparsity"] >= other["nearly_zero"] for one, other in zip(of["l1 and zero"], of["l1"], strict=True))
    best = max((p for p in of["zero"] if p["accuracy_loss"]["mean"] <= 0.005), default=None, key=lambda p: p["setting"])
    assert found["within_half_a_point"]["zero"] == (best and best["sparsity"])
    assert {(folder[0] / f"figure.{kind}").stat().st_size > 10_000 for kind in ("png", "svg")} == {True}


def test_the_page_has_a_table_of_each_record(folder, tmp_path):
    assert {section(tmp_path, of, tables) for of, tables in TABLES.items()} == {NONE}
    (tmp_path / "compress").mkdir()
    shutil.copy(folder[0] / "record.json", tmp_path / "compress" / "sparse-fashion_mnist.json")
    lines = section(tmp_path, "sparse", TABLES["sparse"]).splitlines()
    assert "fashion_mnist, 2 epochs, 2 seeds, on" in lines[0]
    assert len([line for line in lines if line.startswith("| ")]) == 2 + len(sparse.METHODS)
    assert lines[-1].endswith("(../experiments/results/compress/sparse-fashion_mnist.png)")


def test_networks_for_low_latency_have_their_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "load_images", images)
    monkeypatch.setattr(command, "use_compilation_cache", lambda: None)
    with lean_compilation():
        argv = ["serve", "--quick", "--seeds", "2", "--data", "fashion_mnist", "--workdir", str(tmp_path)]
        assert command.main(argv) == 0
    found = json.loads((tmp_path / "record.json").read_text())["networks"]
    assert list(found) == ["ELU", "BN", "BN folded", "bfloat16", "float16", "int8"]
    for network in found.values():
        assert list(network["microseconds"]) == ["1", "32"]  # there are 500 test rows
        assert all(0 < of["min"] <= of["median"] <= of["max"] for of in network["microseconds"].values())
    assert found["bfloat16"]["bytes"] * 2 == found["ELU"]["bytes"]
    assert found["int8"]["bytes"] < 0.4 * found["ELU"]["bytes"]
    assert found["BN folded"]["bytes"] < found["BN"]["bytes"]
    assert found["BN folded"]["test_accuracy"] == found["BN"]["test_accuracy"]
    assert found["ELU"]["accuracy_loss"]["mean"] == 0
    (tmp_path / "compress").mkdir()
    shutil.copy(tmp_path / "record.json", tmp_path / "compress" / "serve-fashion_mnist.json")
    lines = section(tmp_path, "serve", TABLES["serve"]).splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 1 + len(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "--seeds is 0"),
        (["--quick", "--record"], "--record is for full studies"),
        (["--data", "cifar"], "is not known"),
    ],
)
def test_what_cannot_be_asked_is_one_line(words, message, capsys, tmp_path):
    assert command.main(["sparse", *words, "--workdir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_records_stand_where_the_page_reads_them():
    assert Path("experiments/results") == record.RESULTS.relative_to(record.ROOT)
