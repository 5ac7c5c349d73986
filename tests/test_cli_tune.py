"""The flag --tune by the command line: its folders, its files, its text, and the flags that it refuses."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_commands import QUICK, summary
from small_data import lean_compilation

import jaxdeep.cli.console
import jaxdeep.cli.run
import jaxdeep.run.rate_search
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.tuning import Tuning

SMALL = ("--model.units", "8", "--train.epochs", "2", "--data.train-size", "320", "--data", "cifar10")
TUNED = (*SMALL, "--tune", "--tune-rates", "3", "--tune-seeds", "2", "--tune-epochs", "1", "--seeds", "2")
COMPARED = ("--compare", "bn_swish", "bn", *TUNED)
CHANGED = "data.train_size=320+model.units=8"
BUDGET = "tuned+tune_rates=3+tune_seeds=2+tune_epochs=1"
FOLDER = Path(f"runs/cifar/bn_swish-vs-bn+{CHANGED}+train.epochs=2+{BUDGET}")
RATE = "optim.learning_rate"


@pytest.fixture(scope="module", autouse=True)
def lean():
    """Compile quickly, and draw nothing: the pictures would take most of the time."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, file, **_: file.write(b"a picture"))
        yield


def read(path: Path) -> Tuning:
    return Tuning.from_json(json.loads(path.read_text()))


def figures(path: Path) -> dict:
    """The content of a tune.json without its times."""
    content = json.loads(path.read_text())
    del content["wall_seconds"]
    for configuration in content["configurations"]:
        del configuration["wall_seconds"]
    return content


def times() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path("runs").rglob("metrics.jsonl")}


def test_a_fair_comparison(command, capsys, monkeypatch) -> None:
    assert command(*COMPARED) == 0
    printed = capsys.readouterr()
    tuning, content = read(FOLDER / "tune.json"), figures(FOLDER / "tune.json")
    assert (tuning.search_seeds, tuning.fresh_seeds) == ((10_042, 10_043), (42, 43))
    assert [(found.name, found.own_rate, found.epochs_spent) for found in tuning.configurations] == [
        ("bn_swish", 5e-4, 6),
        ("bn", 5e-4, 6),
    ]
    for found in tuning.configurations:
        search = Path(f"runs/cifar/tune/{found.name}+{CHANGED}+train.epochs=1+seeds=2")
        assert (search / "lr_finder.png").exists()
        assert json.loads((search / "lr_finder.json").read_text())["suggestion"] == found.suggestion
        assert (summary(search / "search")["seeds"]) == [10_042, 10_043]
        fresh = summary(f"runs/cifar/{found.name}+{CHANGED}+optim.learning_rate={found.best_rate}+train.epochs=2")
        assert (fresh["seeds"], fresh["command"]) == ([42, 43], found.command)
        assert fresh["config"]["optim"]["learning_rate"] == found.best_rate
    comparison = Comparison.from_json(json.loads((FOLDER / "comparison.json").read_text()))
    assert comparison.names == ("bn_swish", "bn")
    lines = printed.out.splitlines()
    assert lines[0] == "budget: 3 rates x 2 seeds x at most 1 epoch each, then 2 fresh seeds"
    assert lines[2].split()[:2] == ["bn_swish", "5e-04"]
    assert re.search(r"^points of validation accuracy that each row loses", printed.out, re.MULTILINE)
    assert lines[-1] == f"{FOLDER}: comparison.json, tune.json, curves.png"
    assert "bn: the range test suggests" in printed.err
    assert "more-than-one-difference" not in printed.err

    before = times()
    monkeypatch.setattr(jaxdeep.run.rate_search, "find_learning_rate", None)
    again = shlex.split(content["command"])
    assert again[:3] == ["python", "-m", "experiments.cifar"]
    assert command(*again[3:], "--data", "cifar10") == 0
    assert capsys.readouterr().out == printed.out
    assert (times(), figures(FOLDER / "tune.json")) == (before, content)

    more = [*COMPARED[:-1], "3"]
    assert command(*more) == 0
    assert {path: of for path, of in times().items() if "tune" in path.parts} == {
        path: of for path, of in before.items() if "tune" in path.parts
    }
    assert read(FOLDER / "tune.json").configurations == tuple(
        found.__class__(**{**vars(found), "command": other.command})
        for found, other in zip(tuning.configurations, read(FOLDER / "tune.json").configurations, strict=True)
    )
    assert read(FOLDER / "tune.json").fresh_seeds == (42, 43, 44)

    search = shlex.split(content["configurations"][0]["search_command"])
    assert command(*search[3:], "--data", "cifar10", "--workdir", "grid") == 0
    by_rate = {point["values"][RATE]: point["mean"]["val_loss"]["mean"] for point in summary("grid")["points"]}
    assert by_rate == {
        tried["rate"]: tried["mean_val_loss"] for tried in content["configurations"][0]["rates"] if tried["is_searched"]
    }


def test_one_configuration_interrupted_or_not(command, capsys, monkeypatch) -> None:
    argv = ("--config", "bn", *SMALL, "--tune", "--tune-rates", "4", "--tune-seeds", "2", "--seeds", "2", "--seed", "7")
    file = Path(f"runs/cifar/tune/bn+{CHANGED}+train.epochs=2+seed=7+tuned+tune_rates=4+tune_seeds=2/tune.json")
    follow, left = RunFolder.follow, 0

    def interrupt(self, trial, history) -> None:
        nonlocal left
        follow(self, trial, history)
        left -= 1
        if not left:
            raise KeyboardInterrupt

    stops = 0
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "follow", interrupt)
        while True:
            left = 3 + stops
            if (status := command(*argv)) == 0:
                break
            stops += 1
            assert status == 130
            assert not file.exists()
            told = capsys.readouterr().err
            assert f"stopped; to continue: python -m experiments.cifar {shlex.join(argv)}" in told
    assert 3 <= stops <= 12
    content = figures(file)
    assert command(*argv, "--overwrite") == 0
    printed = capsys.readouterr().out
    assert figures(file) == content
    assert printed.splitlines()[-2] == f"{file.parent}: tune.json"
    (found,) = read(file).configurations
    assert len(found.rates) == 4
    assert printed.splitlines()[-1].startswith(
        f"runs/cifar/bn+{CHANGED}+optim.learning_rate={found.best_rate}+train.epochs=2+seed=7: summary.json"
    )
    assert (content["search_seeds"], content["fresh_seeds"]) == ([10_007, 10_008], [7, 8])


@pytest.fixture
def nothing_suggested(monkeypatch) -> None:
    find = jaxdeep.run.rate_search.find_learning_rate
    monkeypatch.setattr(
        jaxdeep.run.rate_search,
        "find_learning_rate",
        lambda *args: (test := find(*args))._replace(suggestions=np.full_like(test.suggestions, np.nan)),
    )


@pytest.mark.usefixtures("nothing_suggested")
def test_a_rate_that_is_given_is_the_centre_if_the_range_test_suggests_nothing(command) -> None:
    assert command("--config", "elu", *TUNED, "--lr", "2e-3") == 0
    (file,) = Path("runs").rglob("tune.json")
    (found,) = read(file).configurations
    assert (found.own_rate, found.centre, found.centre_from) == (2e-3, 3e-3, "own rate")


def test_a_file_of_ones_own(tmp_path, monkeypatch, capsys) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 4))
    np.savez(tmp_path / "mine.npz", x=rows, y=(rows[:, 0] > 0).astype(int))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    argv = ["train", "mine.npz", "--model.units", "8", "--epochs", "1", "--tune", "--tune-rates", "3"]
    assert jaxdeep.cli.console.main([*argv, "--tune-seeds", "1", "--seeds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "budget: 3 rates x 1 seed x at most 1 epoch each, then 1 fresh seed"
    (file,) = Path("runs/mine/tune").rglob("tune.json")
    assert shlex.split(json.loads(file.read_text())["command"])[:3] == ["jaxdeep", "train", "mine.npz"]


@pytest.mark.usefixtures("nothing_suggested")
def test_runs_that_all_diverge_are_status_3(command, capsys) -> None:
    wild = ("--model.activation", "relu", "--model.kernel-init", "he_normal", "--optim.optimizer", "sgd")
    assert command("--config", "sanity", *TUNED, *wild, "--lr", "1e30") == 3
    printed = capsys.readouterr().out
    assert "edge, 2 diverged" in printed
    assert "warning: the best rate of sanity lies at the edge of the rates tried." in printed
    (file,) = Path("runs").rglob("tune.json")
    assert [tried.rate for tried in read(file).configurations[0].rates] == [3e19, 1e20, 3e20]


REMOVE = (
    "--tune searches the learning rate by itself, in folders of its own. Remove --grid, --space, --samples, "
    "--halving, --folds, --find-lr, --summary and --workdir."
)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--tune-rates", "4"], "--tune-rates has no effect without --tune. Remove it, or add --tune."),
        (["--tune-seeds", "3"], "--tune-seeds has no effect without --tune. Remove it, or add --tune."),
        (["--tune-epochs", "9"], "--tune-epochs has no effect without --tune. Remove it, or add --tune."),
        (["--tune", "--grid", "lr=1e-3,1e-2"], REMOVE),
        (["--tune", "--space", "lr=1e-3:1e-2", "--samples", "2"], REMOVE),
        (["--tune", "--folds", "3"], REMOVE),
        (["--tune", "--halving", "successive"], REMOVE),
        (["--tune", "--find-lr"], REMOVE),
        (["--tune", "--summary"], REMOVE),
        (["--tune", "--workdir", "w"], REMOVE),
        (["--tune", "--ensemble"], "--mc-samples and --ensemble do not go with --tune. Give them to the command that"),
        (["--tune", "--tune-rates", "2"], "--tune-rates is 2. Give 3 to 30."),
        (["--tune", "--tune-rates", "31"], "--tune-rates is 31. Give 3 to 30."),
        (["--tune", "--tune-seeds", "0"], "--tune-seeds is 0. Give 1 or more."),
        (["--tune", "--tune-epochs", "-1"], "--tune-epochs is -1. Give 1 or more."),
        (["--tune", "--seeds", "10001"], "--seeds is 10001. Give 10,000 at most with --tune."),
        (["--tune", "--seed", "4294957290", "--seeds", "2"], "the seeds of the search begin at 4294967290: "),
    ],
)
def test_what_does_not_go_with_a_tuning_is_refused(command, capsys, argv, message) -> None:
    if argv[-1] == "2" and "--seed" in argv:
        argv = [*argv, "--tune-seeds", "9"]
    assert command(*QUICK, *argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert not Path("runs").exists()
