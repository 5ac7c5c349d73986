"""Run folders of version 0.1 are found under their old names, read, mended and continued."""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_commands
from small_commands import summary
from small_data import lean_compilation

import jaxdeep.cli.main
import jaxdeep.cli.run
from experiments.cifar import CONFIGS
from jaxdeep.study.stored import read_study
from jaxdeep.study.trial_result import TEST_METRICS

ARCHIVE = Path(__file__).parent / "folders_0_1.tar.gz"
"""Made by version 0.1 from the same images."""
QUICK = (
    *("--config", "sanity", "--model.units", "4", "--train.batch-size", "128", "--train.epochs", "2"),
    *("--data", "synthetic"),
)
SEEDS = (*QUICK, "--seeds", "2")
GRID = (*QUICK, "--grid", "optim.learning_rate=1e-3,1e-2")
BASE = "runs/cifar/sanity,model.units=4,train.batch_size=128,train.epochs=2"
OF_SEEDS = Path(f"{BASE},seeds=2,synthetic")
OF_GRID = Path(f"{BASE},optim.learning_rate=0.001|0.01,synthetic")
STUDIES = {"seeds": (SEEDS, OF_SEEDS), "grid": (GRID, OF_GRID)}
TIMES = ("seconds", "checkpoint_seconds")
LATER = (
    *("processor", "commit", "train_loss", "train_accuracy", "lowest_val_loss", "loss_regret", "accuracy_regret"),
    *("confusion", "precision", "recall", "f1", *TEST_METRICS),
)
"""Keys of a run that version 0.1 did not write."""


@pytest.fixture(scope="module")
def main() -> Iterator[Callable[..., int]]:
    """The command on small images, compiled but once."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxdeep.cli.run, "load_images", small_commands.images)
        patch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
        yield lambda *argv: jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two folders, as version 0.1 left them under `runs`."""
    monkeypatch.chdir(tmp_path)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall("runs", filter="data")


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_read(run: dict) -> dict:
    """A run of version 0.1 with the keys of this version. The regret of its accuracy follows from its others."""
    regret = run["highest_val_accuracy"] - run["val_accuracy"]
    return {**run, **dict.fromkeys(LATER), "accuracy_regret": regret}


def untimed(folder: Path) -> list[dict]:
    left_out = (*TIMES, *LATER)
    return [{name: value for name, value in run.items() if name not in left_out} for run in summary(folder)["runs"]]


@pytest.mark.parametrize("kind", STUDIES)
def test_a_finished_study_is_found_under_its_old_name_and_left_as_it_is(main, capsys, kind) -> None:
    argv, folder = STUDIES[kind]
    before = content_of(Path("runs"))
    assert main(*argv) == 0
    captured = capsys.readouterr()
    assert captured.err == f"{folder} is finished: these are its results\n"
    assert captured.out.startswith("cifar sanity on synthetic_cifar10 (built-in synthetic)\n")
    assert content_of(Path("runs")) == before


@pytest.mark.parametrize("kind", STUDIES)
def test_without_its_summary_it_is_made_again_from_its_checkpoints(main, capsys, kind) -> None:
    argv, folder = STUDIES[kind]
    figures, metrics = untimed(folder), (folder / "metrics.jsonl").read_bytes()
    (folder / "summary.json").unlink()
    assert main(*argv) == 0
    assert " epoch 1/2" not in capsys.readouterr().err  # it is not trained again
    assert untimed(folder) == figures
    assert (folder / "metrics.jsonl").read_bytes() == metrics
    assert {path.name for path in folder.parent.iterdir()} == {OF_SEEDS.name, OF_GRID.name}
    assert main(*argv) == 0
    assert capsys.readouterr().err == f"{folder} is finished: these are its results\n"


def test_a_damaged_file_is_mended_by_the_digests_of_version_0_1(main, capsys) -> None:
    figures = untimed(OF_SEEDS)
    (OF_SEEDS / "hits.npz").write_bytes(b"")
    assert main(*SEEDS) == 0
    assert "hits.npz is not what was written; made again from its checkpoints" in capsys.readouterr().err
    assert untimed(OF_SEEDS) == figures


def test_more_epochs_continue_its_checkpoints(main, capsys) -> None:
    longer = ("--train.epochs", "3")
    assert main(*SEEDS, *longer, "--workdir", str(OF_SEEDS)) == 0
    error = capsys.readouterr().err
    assert " epoch 3/3" in error
    assert " epoch 1/3" not in error
    assert main(*SEEDS, *longer, "--workdir", "whole") == 0
    rows = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (OF_SEEDS, Path("whole"))
    ]
    assert [len(of) for of in rows] == [6, 6]
    for found, expected in zip(*rows, strict=True):
        assert found["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-3)
    assert [run["epochs"] for run in summary(OF_SEEDS)["runs"]] == [3, 3]
    assert sorted(path.name for path in (OF_SEEDS / "checkpoints").iterdir()) == ["seed_42", "seed_43"]


def test_a_grid_grows_in_its_old_folder_and_keeps_its_checkpoints(main, capsys) -> None:
    runs = summary(OF_GRID)["runs"]
    before = {path.name for path in (OF_GRID / "checkpoints").iterdir()}
    assert before == {f"optim.learning_rate={rate},seed_42" for rate in (0.001, 0.01)}
    assert main(*GRID, "--seeds", "2", "--workdir", str(OF_GRID)) == 0
    error = capsys.readouterr().err
    assert "seed 43 epoch 1/2" in error
    assert "seed 42 epoch" not in error
    grown = summary(OF_GRID)["runs"]
    assert [run for run in grown if run["seed"] == 42] == [
        as_read(run) | {"lowest_val_loss": run["val_loss"], "loss_regret": 0.0} for run in runs
    ]
    assert {path.name for path in (OF_GRID / "checkpoints").iterdir()} == before | {
        f"optim.learning_rate={rate}+seed_43" for rate in (0.001, 0.01)
    }
    (OF_GRID / "summary.json").unlink()
    assert main(*GRID, "--seeds", "2", "--workdir", str(OF_GRID)) == 0
    assert " epoch 1/2" not in capsys.readouterr().err


@pytest.mark.parametrize("is_finished", [True, False])
def test_another_configuration_is_refused_in_a_line_that_names_the_version(main, capsys, is_finished: bool) -> None:
    if not is_finished:
        (OF_SEEDS / "summary.json").unlink()
    before = content_of(OF_SEEDS)
    assert main(*SEEDS, "--optim.learning-rate", "0.5", "--workdir", str(OF_SEEDS)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    version = "0.1.0" if is_finished else "0.1"
    assert lines == [
        f"error: {OF_SEEDS} holds another run (written by jaxdeep {version}): config.optim.learning_rate "
        "(there 0.0007, here 0.5). Choose another folder, or --overwrite it."
    ]
    assert content_of(OF_SEEDS) == before


@pytest.mark.parametrize("folder", [OF_SEEDS, OF_GRID], ids=list(STUDIES))
def test_its_files_are_read_as_a_result(folder: Path) -> None:
    content = summary(folder)
    result = read_study(folder / "summary.json", folder / "metrics.jsonl", folder / "hits.npz")
    assert (result.schema_version, result.commit, result.command) == (0, None, content["command"])
    assert json.loads(json.dumps(result.to_json()))["runs"] == list(map(as_read, content["runs"]))
    assert [len(history) for history in result.histories] == [2, 2]
    assert result.correct is not None
    assert result.correct.valid.shape == (2, 5_000)
    assert [trial.val_loss for trial in result.trials] == [
        history[trial.best_epoch - 1].val_loss for trial, history in zip(result.trials, result.histories, strict=True)
    ]


def test_a_new_study_gets_the_new_name_beside_the_old_folders(main) -> None:
    assert main(*QUICK) == 0
    new = OF_SEEDS.with_name("sanity+model.units=4+train.batch_size=128+train.epochs=2+synthetic")
    assert summary(new)["seeds"] == [42]
    shutil.rmtree(OF_SEEDS)
    assert main(*SEEDS) == 0
    assert summary(new)["seeds"] == [42, 43]
