"""`--export`: the network with the best validation figure of a study, trained now or earlier."""

from pathlib import Path

import numpy as np
import pytest
from small_commands import QUICK, images, summary
from small_data import lean_compilation

from jaxdeep import load, load_exported
from jaxdeep.train import exported

pytest.importorskip("flatbuffers", reason="flatbuffers is not installed, and jax.export serialises with it")

ARGV = [*QUICK, "--data", "cifar10", "--workdir", "run", "--seeds", "2"]
ROWS = images("cifar10", source="cifar10", data_dir=None).test_images[:20]


@pytest.fixture(autouse=True)
def lean():
    with lean_compilation():
        yield


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_the_best_network_by_validation_is_exported_also_of_a_finished_study(command, capsys, monitor) -> None:
    argv = [*ARGV, "--train.monitor", monitor, "--grid", "optim.learning_rate=1e-4,1e-2"]
    assert command(*argv) == 0
    capsys.readouterr()
    assert command(*argv, "--export", "new/served") == 0
    runs = summary("run")["runs"]
    best = max(runs, key=lambda run: run[monitor] if monitor == "val_accuracy" else -run[monitor])
    name = f"optim.learning_rate={best['optim.learning_rate']},seed_{best['seed']}"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"new/served: export.json, network.jax, of {name} with {monitor} {best[monitor]:.4f}"
    assert lines[-1].startswith("run: summary.json")
    expected = load("run", name=name.replace(",", "+")).predict(ROWS)
    np.testing.assert_allclose(load_exported("new/served").probabilities(ROWS), expected, atol=1e-5)


def test_what_cannot_be_exported_is_said_before_training(command, capsys, monkeypatch) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    assert command(*ARGV, "--export", "mine") == 2
    assert command(*ARGV, "--export", "mine/notes.txt") == 2
    assert command(*ARGV, "--export", "served", "--folds", "2") == 2
    assert command("--compare", "elu", "bn", "--export", "served") == 2
    monkeypatch.setattr(exported, "find_spec", lambda _: None)
    assert command(*ARGV, "--export", "served") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2][:40] for line in lines] == [
        "mine has other files, such as notes.txt.",
        "mine/notes.txt is a file. Choose a folde",
        *["--export takes the best network of one s"] * 2,
        "--export needs the package flatbuffers, ",
    ]
    assert not Path("run").exists()


def test_onnx_is_written_too(command, capsys) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed, and ONNX models are written with it")
    assert command(*ARGV, "--export", "served", "--export-onnx") == 0
    assert "served: export.json, network.jax, model.onnx, of seed_4" in capsys.readouterr().out
    assert Path("served/model.onnx").stat().st_size > 1_000
    assert load_exported("served").row_shape == (4, 4, 3)
    assert command(*ARGV, "--export-onnx") == 2
    assert command(*ARGV, "--export", "served", "--export-onnx", "--train.dtype", "float64") == 2
    lines = capsys.readouterr().err.splitlines()[-2:]
    assert lines[0] == "error: --export-onnx has no effect without --export. Remove it, or add --export FOLDER."
    assert lines[1].startswith("error: train.dtype is float64, and ONNX runtimes lack operators of that type.")


def test_nothing_is_exported_if_every_run_diverged(command, capsys) -> None:
    rate = ("--optim.optimizer", "sgd", "--optim.learning-rate", "1e30")
    assert command(*ARGV, *rate, "--export", "served") == 3
    assert "served: nothing is exported, because every run diverged" in capsys.readouterr().out
    assert not Path("served").exists()
