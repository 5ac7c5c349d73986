"""Studies by the command line: searches, random samples, folds and comparisons, from their flags to their folders."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from small_commands import QUICK, summary
from small_data import lean_compilation

import jaxdeep.cli.compare
from experiments.cifar import CONFIGS
from jaxdeep.cli.command import Command, parse_compared
from jaxdeep.cli.compare import compare_configurations
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.run import Finished
from jaxdeep.errors import JaxdeepWarning
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.result import FIGURES, MEANS, StudyResult
from jaxdeep.study.trial_result import Candidate, Correct, MeanFigure, TrialResult
from jaxdeep.train.history import EpochRecord
from jaxdeep.version import __version__

QUICK = [*QUICK, "--data", "cifar10"]
BASE = "runs/cifar/sanity+model.units=8-8+train.epochs=3"
RATE, BETA = "optim.learning_rate", "optim.beta_1"


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def epochs_of(folder: str | Path) -> list[dict]:
    return [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text().splitlines()]


def without_seconds(folder: str | Path) -> list[list[dict]]:
    times = ("seconds", "checkpoint_seconds")
    rows = (epochs_of(folder), summary(folder)["runs"])
    return [[{name: value for name, value in row.items() if name not in times} for row in of] for of in rows]


def test_a_grid_by_successive_halving(command, capsys) -> None:
    argv = [*QUICK, "--grid", "optim.learning_rate=1e-5,1e-2,1e-3", "--seeds", "2", "--halving", "successive"]
    folder = Path(f"{BASE}+optim.learning_rate=1e-05_0.01_0.001+halving=successive+seeds=2")
    assert command(*argv) == 0
    captured, found = capsys.readouterr(), summary(folder)
    assert "6 runs, 1 compiled program" in captured.err
    assert re.findall(r"^rung: .*", captured.err, re.MULTILINE) == [
        "rung: 3 candidates, to epoch 1",
        "rung: 1 candidate, to epoch 3",
    ]
    lines = re.findall(r"^optim.learning_rate=\S+,seed 4[23] epoch \d/3(?=: loss)", captured.err, re.MULTILINE)
    assert len(lines) == len(set(lines)) == 6 + 2 * 2

    first = [(row[RATE], row["val_loss"]) for row in epochs_of(folder) if row["epoch"] == 1]
    means = {rate: np.mean([loss for of, loss in first if of == rate]) for rate in (1e-5, 1e-2, 1e-3)}
    best = min(means, key=means.__getitem__)
    keys = [(rate, seed) for rate in (1e-5, 1e-2, 1e-3) for seed in (42, 43)]
    assert [(run[RATE], run["seed"]) for run in found["runs"]] == keys
    assert [run["epochs"] for run in found["runs"]] == [3 if rate == best else 1 for rate, _ in keys]
    assert [(row[RATE], row["seed"], row["epoch"]) for row in epochs_of(folder)] == [
        (rate, seed, epoch) for rate, seed in keys for epoch in ((1, 2, 3) if rate == best else (1,))
    ]
    assert [point["values"] for point in found["points"]] == [{RATE: rate} for rate in means]
    assert [point["mean"]["epochs"]["mean"] for point in found["points"]] == [
        3 if rate == best else 1 for rate in means
    ]
    assert (found["halving"], found["grid"], found["seeds"]) == ("successive", {RATE: list(means)}, [42, 43])
    assert "mean" not in found
    assert found["range_test"]["seeds"] == [42, 43, 44, 45, 46]
    assert 1e-5 < found["range_test"]["suggestion"] < 10
    for name in ("curves.png", "rates.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    with np.load(folder / "hits.npz") as hits:
        assert (hits["valid"].shape, hits["test"].shape) == ((6, 5_000), (6, 500))
        np.testing.assert_allclose(hits["test"].mean(1), [run["test_accuracy"] for run in found["runs"]], rtol=1e-6)
    (marked,) = (line for line in captured.out.splitlines() if "*" in line)
    assert marked.split()[0] == str(best)

    before = (folder / "metrics.jsonl").stat().st_mtime_ns
    again = shlex.split(found["command"])
    assert again[:3] == ["python", "-m", "experiments.cifar"]
    assert command(*again[3:], "--data", "cifar10") == 0
    repeated = capsys.readouterr()
    assert repeated.out == captured.out
    assert f"{folder} is finished" in repeated.err
    assert (folder / "metrics.jsonl").stat().st_mtime_ns == before

    for other, message in (
        (argv[:-2], "halving (there 'successive', here None)"),
        ([*argv[:-1], "hyperband"], "halving (there 'successive', here 'hyperband')"),
        ([*argv, "--folds", "2"], "folds (there None, here 2)"),
    ):
        assert command(*other, "--workdir", str(folder)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {folder} holds another run (written by jaxdeep {__version__}): ")
        assert message in line


SPACE = ("--space", "optim.learning_rate=1e-4:1e-1:log", "--grid", "optim.beta_1=0.5,0.9")


def test_hyperband_over_a_space_interrupted_or_not(command, capsys, monkeypatch) -> None:
    argv = [*QUICK, *SPACE, "--halving", "hyperband", "--seed", "3"]
    folder = Path(f"{BASE}+optim.beta_1=0.5_0.9+optim.learning_rate=0.0001-0.1-log+halving=hyperband+seed=3")
    assert command(*argv) == 0
    captured, found = capsys.readouterr(), summary(folder)
    assert re.findall(r"^rung: .*", captured.err, re.MULTILINE) == [
        "rung: 3 candidates, to epoch 1",
        "rung: 1 candidate, to epoch 3",
        "rung: 2 candidates, to epoch 3",
    ]
    runs = found["runs"]
    assert all(1e-4 <= run[RATE] <= 1e-1 and run[BETA] in (0.5, 0.9) for run in runs)
    assert sorted(run["epochs"] for run in runs[:3]) == [1, 1, 3]
    assert [run["epochs"] for run in runs[3:]] == [3, 3]
    assert [run["seed"] for run in runs] == [3] * 5
    assert [point["values"] for point in found["points"]] == [{BETA: run[BETA], RATE: run[RATE]} for run in runs]
    assert len({tuple(point["values"].values()) for point in found["points"]}) == 5
    assert found["space"] == {RATE: "0.0001:0.1:log"}
    assert (folder / "rates.png").read_bytes().startswith(b"\x89PNG")

    follow, followed = RunFolder.follow, []

    def interrupt(self, trial, history) -> None:
        followed.append(follow(self, trial, history))
        if len(history) == 2:  # of the first bracket's last rung
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "follow", interrupt)
        assert command(*argv, "--workdir", "stopped") == 130
    assert len(followed) == 3 + 2  # an epoch of each, the finalist's again as it goes on, and its second
    assert f"stopped; to continue: python -m experiments.cifar {shlex.join(argv)}" in capsys.readouterr().err
    assert not Path("stopped/summary.json").exists()
    assert command(*argv, "--workdir", "stopped") == 0
    assert without_seconds("stopped") == without_seconds(folder)
    assert shlex.split(found["command"]) == shlex.split(summary("stopped")["command"])


def test_samples_are_a_study_that_grows(command, capsys) -> None:
    space = ("--space", "model.init_scale=0.5:2", "--model.kernel-init", "orthogonal", "--grid", "optim.beta_1=0.5,0.9")
    argv = (*QUICK, *space, "--train.epochs", "1")
    assert command(*argv, "--samples", "3") == 0
    (folder,) = Path("runs/cifar").iterdir()
    assert folder.name.endswith("+optim.beta_1=0.5_0.9+model.init_scale=0.5-2+samples=3")
    found = summary(folder)
    assert "3 runs, 3 compiled programs: one for each value of model.init_scale" in capsys.readouterr().err
    scales = [run["model.init_scale"] for run in found["runs"]]
    assert len(set(scales)) == 3
    assert all(0.5 <= scale <= 2 for scale in scales)
    assert all(run["epochs"] == 1 and run[BETA] in (0.5, 0.9) for run in found["runs"])
    assert len(found["points"]) == 3
    assert "range_test" not in found  # the learning rate is the same for all
    assert not (folder / "rates.png").exists()
    with np.load(folder / "hits.npz") as hits:
        assert (hits["valid"].shape, hits["test"].shape) == ((3, 5_000), (3, 500))
    again = shlex.split(found["command"])[3:]
    assert command(*again, "--data", "cifar10") == 0
    assert "is finished" in capsys.readouterr().err
    assert [path.name for path in Path("runs/cifar").iterdir()] == [folder.name]
    before = (folder / "summary.json").read_bytes()
    assert command(*argv, "--samples", "2", "--workdir", str(folder)) == 0
    assert "with more trials: these are the results of a part of them" in capsys.readouterr().err
    assert (folder / "summary.json").read_bytes() == before
    assert command(*argv, "--samples", "4", "--workdir", str(folder)) == 0
    assert len(re.findall(r" epoch 1/1: loss", capsys.readouterr().err)) == 1
    grown = summary(folder)
    assert (grown["samples"], grown["runs"][:3], grown["points"][:3]) == (4, found["runs"], found["points"])
    assert command(*argv, "--samples", "4", "--seed", "7", "--workdir", str(folder)) == 2
    assert "seeds (there [42], here [7])" in capsys.readouterr().err


def test_folds_are_runs_of_their_own_and_their_rows_are_the_training_and_validation_rows(command, capsys) -> None:
    assert command(*QUICK, "--folds", "3", "--seeds", "2") == 0
    folder, captured = Path(f"{BASE}+folds=3"), capsys.readouterr()
    found = summary(folder)
    keys = [(seed, fold) for seed in (42, 43) for fold in (0, 1, 2)]
    assert [(run["seed"], run["fold"]) for run in found["runs"]] == keys
    assert [(row["seed"], row["fold"], row["epoch"]) for row in epochs_of(folder)] == [
        (*key, epoch) for key in keys for epoch in (1, 2, 3)
    ]
    assert len({run["val_loss"] for run in found["runs"]}) == 6
    with np.load(folder / "hits.npz") as hits:
        assert (hits["valid"].shape, hits["test"].shape) == ((6, 5_400 // 3), (6, 500))
        for part, name in (("valid", "val_accuracy"), ("test", "test_accuracy")):
            np.testing.assert_allclose(hits[part].mean(1), [run[name] for run in found["runs"]], rtol=1e-6)
    assert (found["folds"], "points" in found) == (3, False)
    assert found["mean"]["val_loss"]["mean"] == pytest.approx(np.mean([run["val_loss"] for run in found["runs"]]))
    assert [line.split()[:3] for line in captured.out.splitlines()[2:8]] == [
        [str(seed), "fold", str(fold)] for seed, fold in keys
    ]
    assert len(re.findall(r"^seed 4[23],fold [012] epoch \d/3: loss", captured.err, re.MULTILINE)) == 18
    assert command(*shlex.split(found["command"])[3:], "--data", "cifar10") == 0
    assert capsys.readouterr().out == captured.out
    assert command(*QUICK, "--folds", "2", "--seeds", "2", "--workdir", str(folder)) == 2
    assert "folds (there 3, here 2)" in capsys.readouterr().err
    assert command(*QUICK, "--folds", "541") == 2
    assert "error: 541 folds are not possible. Give 2 to 540, the rows of the rarest class" in capsys.readouterr().err
    assert not Path(f"{BASE}+folds=541").exists()


COMPARED = ("--data", "cifar10", "--model.units", "8", "--train.epochs", "2")


def test_a_comparison_runs_each_configuration_once_and_says_what_differs(command, capsys) -> None:
    assert command("--config", "selu", *COMPARED, "--seeds", "3") == 0
    capsys.readouterr()
    argv = ("--compare", "selu", "elu", *COMPARED, "--seeds", "3")
    assert command(*argv) == 0
    captured = capsys.readouterr()
    runs, changed = Path("runs/cifar"), "+model.units=8+train.epochs=2"
    assert f"{runs}/selu{changed} is finished" in captured.err
    assert sorted(path.name for path in runs.iterdir()) == sorted(
        f"{name}{changed}" for name in ("selu", "elu", "selu-vs-elu")
    )
    files = [runs / f"{name}{changed}" / "metrics.jsonl" for name in ("selu", "elu")]
    assert [len(path.read_text().splitlines()) for path in files] == [6, 6]
    path = runs / f"selu-vs-elu{changed}" / "comparison.json"
    assert path.with_name("curves.png").read_bytes().startswith(b"\x89PNG")
    assert captured.out.splitlines()[-1] == f"{path.parent}: comparison.json, curves.png"
    found = json.loads(path.read_text())
    summaries = {name: summary(runs / f"{name}{changed}") for name in ("selu", "elu")}
    assert found["names"] == ["selu", "elu"]
    assert found["data"] == summaries["selu"]["data"]
    for name, of in summaries.items():
        assert found["means"][name]["test_accuracy"] == of["mean"]["test_accuracy"]
        assert shlex.split(of["command"])[3:5] == ["--config", name]
    (pair,) = found["pairs"]
    assert (pair["one"], pair["other"]) == ("selu", "elu")
    for figure, of_pair in pair["figures"].items():
        one, other = ([run[figure] for run in summaries[name]["runs"]] for name in ("selu", "elu"))
        assert of_pair["difference"] == pytest.approx(np.mean(np.subtract(one, other)), abs=1e-7)
        assert of_pair["low"] < of_pair["difference"] < of_pair["high"]
        assert of_pair["pairs"] == 3
        assert of_pair["low_corrected"] == pytest.approx(of_pair["low"])  # of a single pair
        assert of_pair["high_corrected"] == pytest.approx(of_pair["high"])
        assert (of_pair["comparisons"], of_pair["smallest_effect"]) == (1, 0.005)
        excludes_zero = of_pair["low_corrected"] > 0 or of_pair["high_corrected"] < 0
        assert (of_pair["answer"] == "different") == (of_pair["p_corrected"] < 0.05) == excludes_zero
        assert (of_pair["verdict"] in ("better", "worse")) == excludes_zero
        assert excludes_zero or of_pair["verdict"] == of_pair["answer"]
        assert of_pair["chose_epoch"] == figure.startswith("val")
        rows = {"val_accuracy": 5_000, "test_accuracy": 500}
        assert of_pair["rows"] == rows.get(figure)
        assert of_pair.keys().isdisjoint({"p_holm", "pairs_to_tell"})
    said = captured.out.splitlines()
    assert sum(line.endswith(f" (they differ in {', '.join(pair['differing'])})") for line in said) == 1

    before = [path.stat().st_mtime_ns for path in files]
    assert command(*argv) == 0
    again = capsys.readouterr()
    assert again.out == captured.out
    assert again.err.count("is finished") == 2
    assert [path.stat().st_mtime_ns for path in files] == before


def test_a_stated_smallest_effect_is_the_one_that_decides(command, capsys) -> None:
    argv = ("--compare", "selu", "elu", *COMPARED, "--seeds", "3", "--smallest-effect")
    for effect, answers in (("50", {"equivalent"}), ("1e-9", {"undecided", "different"})):
        assert command(*argv, effect) == 0
        assert f"= equivalent: it lies within {effect.replace('1e-9', '1e-09')} of 0" in capsys.readouterr().out
        path = Path("runs/cifar/selu-vs-elu+model.units=8+train.epochs=2/comparison.json")
        (pair,) = json.loads(path.read_text())["pairs"]
        assert {of["smallest_effect"] for of in pair["figures"].values()} == {float(effect)}
        accuracy = pair["figures"]["test_accuracy"]
        assert accuracy["answer"] in answers | ({"different"} if accuracy["p_corrected"] < 0.05 else set())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config", "selu", "--smallest-effect", "0.01"], "--smallest-effect has no effect without --compare."),
        (["--compare", "selu", "elu", "--smallest-effect", "0"], "--smallest-effect is 0.0. Give a number above 0"),
        (["--compare", "selu", "elu", "--smallest-effect", "inf"], "--smallest-effect is inf. Give a number above 0"),
        (["--compare", "selu", "elu", "--smallest-effect", "nan"], "--smallest-effect is nan. Give a number above 0"),
    ],
)
def test_a_smallest_effect_that_says_nothing_is_refused(command, capsys, argv, message) -> None:
    assert command(*argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")


def test_folds_are_compared_fold_by_fold(command, capsys) -> None:
    assert command("--compare", "selu", "elu", *COMPARED, "--seeds", "2", "--folds", "2") == 0
    path = Path("runs/cifar/selu-vs-elu+model.units=8+train.epochs=2+folds=2/comparison.json")
    assert capsys.readouterr().out.splitlines()[-1] == f"{path.parent}: comparison.json, curves.png"
    (pair,) = json.loads(path.read_text())["pairs"]
    summaries = {name: summary(str(path.parent).replace("selu-vs-elu", name)) for name in ("selu", "elu")}
    for figure, of_pair in pair["figures"].items():
        one, other = (
            {(run["seed"], run["fold"]): run[figure] for run in summaries[name]["runs"]} for name in ("selu", "elu")
        )
        assert of_pair["pairs"] == 4
        assert of_pair["difference"] == pytest.approx(np.mean([one[key] - other[key] for key in one]), abs=1e-7)


def comparison_of(printed: str) -> Path:
    """The file that the last line of a comparison names."""
    folder, names = printed.splitlines()[-1].rsplit(": ", 1)
    assert names == "comparison.json, curves.png"
    return Path(folder, "comparison.json")


def made_up_runs(folder_of: Callable[[str], Path], diverged: Mapping[str, int]) -> Callable[..., Finished]:
    """Stands in for `run`: two seeds of each configuration, of which the last ones diverged in their first epoch."""
    rng = np.random.default_rng(0)

    def made_up(experiment: Experiment, arguments: Command) -> Finished:
        folder = folder_of(arguments.name)
        folder.mkdir()
        lost = [place >= 2 - diverged.get(arguments.name, 0) for place in range(2)]
        trials = [
            TrialResult(
                seed=seed,
                fold=None,
                values={},
                best_epoch=0 if of_seed else 1,
                epochs=1,
                **{of: None if of_seed else value for of, value in zip(FIGURES, rng.random(4), strict=True)},
                seconds=1.0,
                diverged=of_seed,
            )
            for seed, of_seed in zip((42, 43), lost, strict=True)
        ]
        mean = MeanFigure(None if all(lost) else 0.5, None, None, None, 2 - sum(lost), diverged=sum(lost))
        records = [
            EpochRecord(1, *(np.nan if of_seed else value for value in rng.random(6).tolist())) for of_seed in lost
        ]
        result = StudyResult(
            experiment="cifar",
            name=arguments.name,
            config=arguments.config.to_dict(),
            seeds=(42, 43),
            data={"name": "cifar10", "source": "classic files", "synthetic": False, "digest": "0"},
            trials=tuple(trials),
            candidates=(Candidate({}, dict.fromkeys(MEANS, mean), sum(lost)),),
            parameters=1,
            command="python",
            device="1 x cpu",
            versions={},
            histories=tuple((record,) for record in records),
            correct=Correct(rng.random((2, 50)) < 0.5, rng.random((2, 50)) < 0.5),
        )
        return Finished(result, folder)

    return made_up


def test_however_many_are_compared_the_folders_name_is_one_that_can_be(tmp_path, monkeypatch) -> None:
    """With results that are made up: all configurations, each in a folder whose name has the greatest length."""
    made_up = made_up_runs(lambda name: tmp_path / f"{name},{'optim.epsilon=1e-7,' * 20}"[:211], {})
    monkeypatch.setattr(jaxdeep.cli.compare, "run", made_up)
    experiment = Experiment("cifar", "cifar10", CONFIGS)
    names = [name for name, recipe in CONFIGS.items() if not recipe.config.data.validate_on_test]
    commands = parse_compared(experiment, ["--compare", *names, "--seeds", "2"])
    with pytest.warns(JaxdeepWarning, match=r"^4\d of 45 pairs differ in .*more-than-one-difference") as warned:
        path = comparison_of(compare_configurations(experiment, commands).text)
    assert len(warned) == 1
    assert path.parent.name.startswith("-vs-".join(names))
    assert len(json.loads(path.read_text())["pairs"]) == 10 * 9 // 2


@pytest.mark.parametrize(
    ("diverged", "status", "error", "said"),
    [
        ({}, 0, "", "selu and elu are undecided: test accuracy"),
        (
            {"selu": 1},
            2,
            "error: 2 of 3 pairs could not be compared: selu lost 1 of 2 seeds (diverged). Lower the learning rate of "
            "the diverged configuration, or leave it out of --compare.\n",
            "elu are not compared: test accuracy, 1 finished seeds in common; selu lost 1 of 2 seeds (diverged) (they",
        ),
        (
            {"selu": 2, "elu": 1},
            2,
            "error: 3 of 3 pairs could not be compared: selu lost 2 of 2 seeds (diverged); elu lost 1 of 2 seeds "
            "(diverged). Lower the learning rate of the diverged configuration, or leave it out of --compare.\n",
            "0 finished seeds in common; selu lost 2 of 2 seeds (diverged); elu lost 1 of 2 seeds (diverged)",
        ),
        (
            {"selu": 2, "elu": 2, "bn": 2},
            3,
            "every run of every configuration diverged\n",
            "0 finished seeds in common; selu lost 2 of 2 seeds (diverged); elu lost 2 of 2 seeds (diverged)",
        ),
    ],
    ids=["none", "one seed", "one wholly", "all"],
)
def test_a_comparison_says_who_diverged_and_its_status_says_what_it_could_not_do(
    command, tmp_path, monkeypatch, capsys, diverged, status, error, said
) -> None:
    monkeypatch.setattr(jaxdeep.cli.compare, "run", made_up_runs(tmp_path.joinpath, diverged))
    assert command("--compare", "selu", "elu", "bn", "--seeds", "2") == status
    captured = capsys.readouterr()
    lines = captured.err.splitlines(keepends=True)
    assert "".join(line for line in lines if "[more-than-one-difference]" not in line) == error
    assert said in captured.out
    path = comparison_of(captured.out)
    assert path.with_name("curves.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads(path.read_text())
    assert {name: of["diverged"] for name, of in found["diverged"].items()} == {
        name: diverged.get(name, 0) for name in ("selu", "elu", "bn")
    }
    assert found["pairs"][0]["differing"]["model.activation"] == ["selu", "elu"]


WILD = ("--model.activation", "relu", "--model.kernel-init", "he_normal", "--optim.optimizer", "sgd")


def test_a_comparison_whose_runs_all_diverge_in_training_is_status_3(command, capsys) -> None:
    rate = ("--optim.optimizer", "sgd", "--optim.learning-rate", "1e37")
    assert command("--compare", "selu", "elu", *COMPARED, *rate, "--seeds", "2") == 3
    captured = capsys.readouterr()
    assert captured.err.endswith("every run of every configuration diverged\n")
    assert "selu lost 2 of 2 seeds (diverged); elu lost 2 of 2 seeds (diverged)" in captured.out
    found = json.loads(comparison_of(captured.out).read_text())
    assert {of["verdict"] for of in found["pairs"][0]["figures"].values()} == {"not compared"}


def test_a_grid_with_a_rate_at_which_runs_diverge_is_marked_and_never_best(command, capsys) -> None:
    rates = ("--grid", "optim.learning_rate=1e30,1e-3", "--seeds", "2")
    assert command(*QUICK, *WILD, *rates, "--workdir", "w") == 0
    found, lines = summary("w"), capsys.readouterr().out.splitlines()
    assert [point["diverged"] for point in found["points"]] == [2, 0]
    assert (found["diverged"], [point["mean"]["val_loss"]["diverged"] for point in found["points"]]) == (2, [2, 0])
    assert re.search(r"^ +1e\+30 +2, 2 diverged ", lines[2])
    assert re.search(r"^ +0.001 +2 \* ", lines[3])
    assert Path("w/rates.png").read_bytes().startswith(b"\x89PNG")
    assert command(*QUICK, *WILD, "--grid", "optim.learning_rate=1e30,1e29", "--halving", "successive") == 3
    *_, said, closing = capsys.readouterr().out.splitlines()
    assert said == "none is best (*): each of them lost a run (diverged)"
    assert closing.endswith(": summary.json, curves.png, rates.png")


ITS_OWN_FOLDER = "--compare trains named configurations, each in its own folder. Remove --grid, --space, --find-lr,"
ONE_CONFIGURATION = "--find-lr and --summary take one configuration. Remove --grid, --space and --folds."


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([*QUICK, "--space", "optim.learning_rate=1:0", "--samples", "2"], "=LOW:HIGH with LOW below HIGH, or"),
        ([*QUICK, "--space", "model.activation=0:1", "--samples", "2"], "Use --grid model.activation=VALUE,"),
        ([*QUICK, "--space", "model.dropout_rat=0:1", "--samples", "2"], "Perhaps you mean model.dropout_rate"),
        ([*QUICK, "--space", "optim.beta_1=0.5:3", "--samples", "9"], "Allowed: in [0, 1)"),
        ([*QUICK, "--space", "optim.beta_1=0.5:0.9"], "--samples is not given. Give the number of candidates with"),
        ([*QUICK, "--samples", "3"], "--samples is 3. Give 1 or more, with --space"),
        ([*QUICK, "--grid", "optim.beta_1=0.5,0.9", "--samples", "2"], "--samples is 2. Give 1 or more, with"),
        ([*QUICK, *SPACE, "--samples", "0"], "--samples is 0. Give 1 or more, with --space"),
        ([*QUICK, *SPACE, "--samples", "2", "--halving", "hyperband"], "and nothing with --halving hyperband"),
        ([*QUICK, "--halving", "successive"], "--halving successive needs candidates. Add --grid or --space"),
        ([*QUICK, *SPACE, "--halving", "hyperban"], "Allowed: successive, hyperband, or None"),
        ([*QUICK, "--grid", "train.epochs=1,9", "--halving", "successive"], "decides it for each candidate. Give one"),
        ([*QUICK, "--folds", "1"], "--folds is 1. Give 2 or more"),
        ([*QUICK, "--seed", "-1"], "--seed is -1. Allowed: a whole number in 0 .. 4294967295"),
        ([*QUICK, "--folds", "2", "--find-lr"], ONE_CONFIGURATION),
        ([*QUICK, *SPACE, "--samples", "2", "--summary"], ONE_CONFIGURATION),
        ([*COMPARED, "--compare"], "--compare names nothing. Give two or more configurations, each once."),
        ([*COMPARED, "--compare", "elu"], "--compare names elu. Give two or more configurations, each once."),
        ([*COMPARED, "--compare", "elu", "selu", "elu"], "--compare names elu, selu, elu. Give two or more"),
        ([*COMPARED, "--compare", "elu", "sel"], "--compare is 'sel'. Give one of elu, swish,"),
        ([*COMPARED, "--compare", "elu", "selu", "--config", "elu"], "--config is given with --compare. Remove one"),
        ([*COMPARED, "--compare", "elu", "selu", "--config=elu"], "--config is given with --compare. Remove one"),
        ([*COMPARED, "--compare", "elu", "selu", "--seeds", "1"], "--seeds is 1. Give 2 or more with --compare."),
        ([*COMPARED, "--compare", "elu", "selu", "--grid", "optim.beta_1=0.5,0.9"], ITS_OWN_FOLDER),
        ([*COMPARED, "--compare", "elu", "selu", "--workdir", "w"], ITS_OWN_FOLDER),
        ([*COMPARED, "--compare", "elu", "selu", "--halving", "successive"], "--halving successive needs candidates"),
    ],
)
def test_what_cannot_be_is_status_2_with_the_reason(command, capsys, argv, message) -> None:
    try:
        status = command(*argv)
    except SystemExit as stop:  # tyro's own, in a box
        status, told = stop.code, capsys.readouterr()
        text = told.err + told.out
    else:
        (text,) = capsys.readouterr().err.splitlines()
        assert text.startswith("error: ")
    assert status == 2
    assert message in text
    assert not Path("runs").exists()
