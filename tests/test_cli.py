"""The command line as a user meets it: exit statuses, one-line errors, continuing, refusing."""

import gzip
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from small_commands import QUICK, summary

import jaxdeep.cli.main
import jaxdeep.cli.run
from experiments.cifar import CONFIGS
from experiments.fashion_mnist import CONFIGS as FASHION_MNIST

ROOT = Path(__file__).parent.parent
FILES_OF_A_RUN = (
    *("config.json", "confusion.png", "confusion.svg", "curves.png", "curves.svg", "hits.npz"),
    *("metrics.jsonl", "summary.json"),
)


def test_a_run_leaves_its_whole_folder(command, capsys) -> None:
    assert command(*QUICK, "--data", "cifar10", "--seeds", "2") == 0
    folder = Path("runs/cifar/sanity+model.units=8-8+train.epochs=3")
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([*FILES_OF_A_RUN, "checkpoints", "networks", "tensorboard"])
    found = summary(str(folder))
    assert [run["seed"] for run in found["runs"]] == [42, 43]
    expected = np.mean([run["test_accuracy"] for run in found["runs"]])
    assert found["mean"]["test_accuracy"]["mean"] == pytest.approx(expected)
    with np.load(folder / "hits.npz") as hits:
        for part, name in (("valid", "val_accuracy"), ("test", "test_accuracy")):
            accuracies = [run[name] for run in found["runs"]]
            np.testing.assert_allclose(hits[part].mean(1), accuracies, rtol=1e-6)
    assert found["wall_seconds"] > found["compile_seconds"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["epoch"]) for line in lines] == [(s, e) for s in (42, 43) for e in (1, 2, 3)]
    captured = capsys.readouterr()
    assert len(re.findall(r"^seed 4[23] epoch \d/3: loss", captured.err, re.MULTILINE)) == 6
    assert "mean" in captured.out
    png = (folder / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) < 1_000_000


def test_a_grid_is_one_study_in_one_folder(command, capsys) -> None:
    grid = ("--grid", "optim.learning_rate=1e-4,1e-2", "--grid", "model.units=8 8,6", "--seeds", "2")
    assert command(*QUICK, "--data", "cifar10", *grid) == 0
    folder = Path("runs/cifar/sanity+model.units=8-8+train.epochs=3+optim.learning_rate=0.0001_0.01+model.units=8-8_6")
    found, captured = summary(str(folder)), capsys.readouterr()
    assert "8 runs, 2 compiled programs: one for each value of model.units" in captured.err
    keys = [(run["optim.learning_rate"], run["model.units"], run["seed"]) for run in found["runs"]]
    assert keys == [(rate, units, seed) for rate in (1e-4, 1e-2) for units in ([8, 8], [6]) for seed in (42, 43)]
    assert [point["values"] for point in found["points"]] == [
        {"optim.learning_rate": rate, "model.units": units} for rate in (1e-4, 1e-2) for units in ([8, 8], [6])
    ]
    of_first = [run["val_loss"] for run in found["runs"][:2]]
    assert found["points"][0]["mean"]["val_loss"]["mean"] == pytest.approx(np.mean(of_first))
    best = min(found["points"], key=lambda point: point["mean"]["val_loss"]["mean"])
    (marked,) = (line for line in captured.out.splitlines() if "*" in line)
    assert marked.split()[0] == str(best["values"]["optim.learning_rate"])
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 8 * 3
    again = shlex.split(found["command"])
    assert again[:3] == ["python", "-m", "experiments.cifar"]
    assert command(*again[3:], "--data", "cifar10") == 0  # in the same folder: so it is the same run
    assert capsys.readouterr().out == captured.out
    assert command(*QUICK, "--data", "cifar10", *grid[:2], "--seeds", "2", "--workdir", str(folder)) == 2
    assert "grid.model.units" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (["optim.learning_rat=1,2"], "there is no field 'optim.learning_rat'. Perhaps you mean optim.learning_rate."),
        (["optim.learning_rate=1e-3,1e-3"], "a value is given twice. Give each value once."),
        (["optim.learning_rate=1", "optim.learning-rate=2"], "optim.learning_rate is given twice"),
        (["optim.learning_rate=0,1"], "optim.learning_rate is 0.0. Allowed: above 0 and finite"),
        (["optim.learning_rate=x"], "optim.learning_rate is 'x'. Allowed: a number"),
        (["data.scaling=none,unit"], "data.scaling: all trials of a study share it"),
        (["model.batch_norm=yes"], "model.batch_norm is 'yes'. Allowed: True, False"),
        (["schedule.kind=power,constant"], "which needs schedule.decay_steps"),
    ],
)
def test_a_wrong_grid_is_status_2_with_the_reason(command, capsys, grid, message) -> None:
    argv = [word for text in grid for word in ("--grid", text)]
    assert command(*QUICK, *argv) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_however_much_is_changed_the_folders_name_is_one_that_can_be(command) -> None:
    changed = ["--data.flip", "--data.shift-pixels", "1", "--model.activation", "leaky_relu", "--model.alpha", "0.2"]
    changed += ["--optim.optimizer", "adamw", "--regularize.l1", "1e-05", "--regularize.penalized", "0", "1"]
    changed += ["--schedule.kind", "piecewise", "--schedule.boundaries-epochs", "1", "2", "--schedule.factors"]
    for last in ("0.1", "0.2"):
        assert command(*QUICK, "--data", "cifar10", *changed, "1", "0.5", last) == 0
    one, other = (path.name for path in Path("runs/cifar").iterdir())
    assert one.startswith("sanity+data.flip=True+data.shift_pixels=1+")
    assert max(len(one), len(other)) < 255


def test_a_finished_run_is_not_run_again(command, capsys) -> None:
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10") == 0
    first, before = capsys.readouterr(), Path("w/metrics.jsonl").stat().st_mtime_ns
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10") == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "finished" in second.err
    assert Path("w/metrics.jsonl").stat().st_mtime_ns == before


def test_another_configuration_or_source_in_the_same_folder_is_refused(command, capsys) -> None:
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10") == 0
    capsys.readouterr()
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10", "--optim.learning-rate", "0.5") == 2
    assert "config.optim.learning_rate (there 0.0007, here 0.5)" in capsys.readouterr().err
    assert command(*QUICK, "--workdir", "w", "--data", "synthetic") == 2
    assert "data.synthetic (there False, here True)" in capsys.readouterr().err
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10", "--seed", "7") == 2
    assert "seeds (there [42], here [7])" in capsys.readouterr().err
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10", "--seed", "7", "--overwrite") == 0
    assert [run["seed"] for run in summary("w")["runs"]] == [7]


def test_synthetic_images_are_named_so_wherever_they_show(command, capsys) -> None:
    assert command(*QUICK, "--data", "synthetic") == 0
    (folder,) = Path("runs/cifar").iterdir()
    assert folder.name.endswith("+synthetic")
    assert summary(str(folder))["data"]["name"] == "synthetic_cifar10"
    assert all(json.loads(line)["synthetic"] for line in (folder / "metrics.jsonl").read_text().splitlines())
    assert "synthetic_cifar10" in capsys.readouterr().out


def test_the_chapters_figures_stand_beside_real_images_only(command, capsys) -> None:
    argv = ["--config", "selu", "--model.units", "8", "--train.epochs", "1"]
    for data, shown in (("cifar10", True), ("synthetic", False)):
        assert command(*argv, "--data", data, "--workdir", data) == 0
        assert ("chapter 000" in capsys.readouterr().out) is shown
        assert bool(summary(data)["chapter"]) is shown


def test_where_auto_falls_back_it_trains_on_fewer_and_says_so(command, capsys, monkeypatch) -> None:
    monkeypatch.setattr(jaxdeep.cli.run, "FALLBACK_TRAIN_SIZE", 320)
    assert command("--config", "selu", "--model.units", "8", "--train.epochs", "1", "--workdir", "w") == 0
    error = capsys.readouterr().err
    assert "training on its first 320 images" in error
    assert "320 training and 5,000 validation" in error
    assert summary("w")["config"]["data"]["train_size"] == 320


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config", "sel"], "as_002_alpha_dropout, sanity. Perhaps you mean selu"),
        (["--config", "selu", "--train.epoch", "3"], "there is no flag --train.epoch. Perhaps you mean --train.epochs"),
        (["--config", "selu", "--train.epochs", "x"], "train.epochs is 'x'. Allowed: a whole number"),
        (["--config", "selu", "--train.epochs", "0"], "train.epochs is 0. Allowed: 1 or more"),
        (["--config", "selu", "--seeds", "0"], "--seeds is 0. Give 1 or more."),
        (["--config", "selu", "--summary", "--find-lr"], "--summary and --find-lr are both given. Give one of them."),
        (
            ["--config", "selu", "--model.alpha", "0.2"],
            "model.alpha is 0.2 and has no effect with selu. Remove it, or use",
        ),
        (
            ["--config", "onecycle", "--schedule.total-steps", "5"],
            "schedule.total_steps is 5, and the run has 15 epochs",
        ),
        (["--config", "selu", "--model.dropout-rate", "0.2"], "one needs the other. Give sites head"),
        ([], "--config is not given. Give one of elu, swish,"),
    ],
)
def test_a_wrong_argument_is_status_2_with_the_reason(command, capsys, argv, message) -> None:
    assert command(*argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = (line for line in captured.err.splitlines() if not line.startswith("training on its first"))
    assert line.startswith("error: ")
    assert message in line
    assert not Path("runs").exists()


def test_a_folder_of_something_else_is_left_alone(command, capsys) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    for extra in ([], ["--overwrite"]):
        assert command(*QUICK, "--workdir", "mine", "--data", "cifar10", *extra) == 2
        assert capsys.readouterr().err.startswith("error: mine is not empty and holds no config.json")
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]


def test_status_3_if_every_run_diverged_and_null_in_the_files(command) -> None:
    wild = ["--optim.optimizer", "sgd", "--optim.learning-rate", "1e30", "--model.activation", "relu"]
    assert command(*QUICK, "--workdir", "w", "--data", "cifar10", *wild) == 3
    (run,) = summary("w")["runs"]
    assert (run["diverged"], run["best_epoch"], run["val_loss"], run["test_accuracy"]) == (True, 0, None, None)


def test_a_profile_is_a_trace_of_the_programs_loops(command, capsys) -> None:
    assert command(*QUICK, "--data", "cifar10", "--profile", "--workdir", "run") == 0
    (path,) = Path("run/profile").rglob("perfetto_trace.json.gz")
    assert str(path) in capsys.readouterr().err
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    assert any(event.get("name", "").startswith("while") for event in events)


def test_one_epoch_is_none_to_profile_and_it_says_so(command, capsys) -> None:
    assert command(*QUICK, "--train.epochs", "1", "--data", "cifar10", "--profile", "--workdir", "run") == 0
    assert "needs a second epoch" in capsys.readouterr().err
    assert not Path("run/profile").exists()


@pytest.mark.parametrize(
    ("experiment", "dataset", "config", "counts"),
    [("cifar", "cifar10", "elu", ("500,210", "0")), ("fashion_mnist", "fashion_mnist", "bn", ("271,346", "2,368"))],
)
def test_a_summary_counts_parameters_and_trains_nothing(command, capsys, experiment, dataset, config, counts) -> None:
    recipes = {"cifar": CONFIGS, "fashion_mnist": FASHION_MNIST}[experiment]
    assert jaxdeep.cli.main.main(experiment, dataset, recipes, ["--config", config, "--summary"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].split() == ["in", "all", *counts]
    assert not Path("runs").exists()


def test_a_summary_names_the_parts_of_each_layer(command, capsys) -> None:
    changed = [
        "--model.no-use-bias",
        "--model.activation",
        "elu",
        "--model.alpha",
        "0.5",
        "--model.units",
        "8",
        "8",
        "4",
    ]
    assert command("--config", "as_002_alpha_dropout", *changed, "--summary") == 0
    rows = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    layer = "dense {} without bias, elu(0.5)"
    assert rows[2][1:] == [layer.format(8), "[B, 8]", f"{3_072 * 8:,}", "0"]
    assert rows[3][1:] == [f"alpha_dropout 0.5, {layer.format(8)}", "[B, 8]", "64", "0"]
    assert rows[5][1:] == ["alpha_dropout 0.5, dense 10", "[B, 10]", "50", "0"]


def test_find_lr_draws_records_and_suggests(command, capsys) -> None:
    argv = ("--config", "sanity", "--model.units", "8", "--data", "cifar10", "--find-lr", "--seeds", "2")
    assert command(*argv) == 0
    folder = Path("runs/cifar/sanity+model.units=8+seeds=2+find-lr")
    assert sorted(path.name for path in folder.iterdir()) == ["lr_finder.json", "lr_finder.png", "lr_finder.svg"]
    record = json.loads((folder / "lr_finder.json").read_text())
    out = capsys.readouterr().out
    assert f"suggested: {record['suggestion']:.1e} (geometric mean, from" in out
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["42", "43"]
    assert len(record["losses"]) == 2
    assert command(*argv) == 0
    assert json.loads((folder / "lr_finder.json").read_text()) == record
    assert command(*argv, "--workdir", str(folder), "--seed", "1") == 2
    assert "seeds (there [42, 43], here [1, 2])" in capsys.readouterr().err


def test_list_names_every_configuration(command, capsys) -> None:
    assert command("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CONFIGS)
    assert lines[0].endswith("[000: 1.4960 / 0.4762]")


class Processes:
    """Commands in processes of their own, on the built-in set."""

    ARGV = (
        *("--config", "sanity", "--data", "synthetic", "--data.train-size", "8000"),
        *("--train.epochs", "8", "--train.patience", "8"),
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, workdir: str, *more: str) -> subprocess.Popen:
        argv = (*self.ARGV, *more, "--workdir", str(self.folder / workdir))
        command = [sys.executable, "-m", "experiments.cifar", *argv]
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAXDEEP_CACHE": str(self.folder / "cache")}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)

    def figures(self, workdir: str) -> tuple[list[dict], list[dict]]:
        """All but the seconds of metrics.jsonl and of the summary's runs."""
        lines = (self.folder / workdir / "metrics.jsonl").read_text().splitlines()
        runs = summary(str(self.folder / workdir))["runs"]
        without = [
            [{**row, "seconds": 0, "checkpoint_seconds": 0} for row in rows] for rows in (map(json.loads, lines), runs)
        ]
        return without[0], without[1]


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> Processes:
    """With one whole run, in `whole`, to compare with."""
    processes = Processes(tmp_path_factory.mktemp("processes"))
    with processes.start("whole") as process:
        process.communicate()
    assert process.returncode == 0
    return processes


@pytest.mark.slow
def test_a_second_signal_stops_at_once_and_loses_no_more_than_a_kill(processes) -> None:
    with processes.start("twice", "--train.epochs", "2000", "--train.patience", "2000") as process:
        for line in process.stderr:
            if "epoch 3/2000" in line:
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode in (143, 130)  # both may arrive as one is handled: either may be the second
    assert "stopped at once; nothing is saved yet: the same command begins anew" in rest
    assert not (processes.folder / "twice" / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_a_stopped_process_continues_to_the_same_figures(processes, number, status) -> None:
    workdir = f"stopped by {number.name}"
    with processes.start(workdir) as process:
        for line in process.stderr:
            if "epoch 3/8" in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == status
    assert not (processes.folder / workdir / "summary.json").exists()
    if number != signal.SIGKILL:
        assert "stopped; to continue: python -m experiments.cifar --config sanity" in rest
        assert "epoch 8/8" not in rest
    with processes.start(workdir) as process:
        process.communicate()
    assert process.returncode == 0
    figures, runs = processes.figures(workdir)
    assert [row["epoch"] for row in figures] == list(range(1, 9))
    assert (figures, runs) == processes.figures("whole")


@pytest.mark.slow
@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_terminal_that_goes_away_stops_a_run_and_after_nohup_it_does_not(processes, hangs_up) -> None:
    """A real one: the kernel sends SIGHUP, and what is written to it is refused."""
    terminal, ours = pty.openpty()
    termios.tcsetwinsize(ours, (40, 120))
    workdir = processes.folder / f"terminal {hangs_up}"

    adopt = "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    adopt += "" if hangs_up else "signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    adopt += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = ["-m", "experiments.cifar", *Processes.ARGV, "--workdir", str(workdir)]
    argv = [sys.executable, "-c", adopt, *command]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAXDEEP_CACHE": str(processes.folder / "cache")}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), ours)
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, start_new_session=True, **streams)
    os.close(ours)
    seen = b""
    while not re.search(rb" [2-6]/8", seen):
        seen += os.read(terminal, 4096)
    os.close(terminal)
    status = process.wait()
    if hangs_up:
        assert status == 129
        assert not (workdir / "summary.json").exists()
        with processes.start(workdir.name) as process:
            assert "epoch 1/8" not in process.communicate()[1]
        assert process.returncode == 0
    assert processes.figures(workdir.name) == processes.figures("whole")
