"""Transfer by the command line: a source that is trained first and found again, the flags, and one-line errors."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from small_commands import images, summary
from small_data import lean_compilation

import jaxdeep.cli.main
import jaxdeep.cli.run
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, Data, Model, Train

A = Config(Data(valid_size=100, train_size=300), Model((8, 8)), train=Train(epochs=2))
B = A.updated({"transfer.layers": 2, "transfer.unfreeze": 1, "transfer.unfreeze_epoch": 1})
RECIPES = {
    "a": Recipe(A, "the source"),
    "b": Recipe(B, "b on a", source="a"),
    "open": Recipe(A.updated({"train.epochs": 1}), "all layers of a", source="a"),
    "scratch": Recipe(A.updated({"train.epochs": 1}), "b from scratch"),
}
FOLDER = Path("runs/cifar")


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], int]:
    monkeypatch.setattr(jaxdeep.cli.run, "load_images", images)
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    monkeypatch.chdir(tmp_path)
    return lambda words: jaxdeep.cli.main.main("cifar", "cifar10", RECIPES, [*shlex.split(words), "--data", "cifar10"])


def written(folder: Path) -> dict[str, bytes]:
    """The files of a folder that a second call must leave alone."""
    return {name: (folder / name).read_bytes() for name in ("summary.json", "metrics.jsonl", "config.json")}


def test_the_source_is_trained_first_and_found_the_second_time(run, capsys) -> None:
    assert run("--config b --seeds 2") == 0
    said = capsys.readouterr().err
    assert re.search(r"^cifar b starts from a$", said, re.MULTILINE)
    assert said.index("cifar a: 300 training") < said.index("cifar b: 300 training")
    kept = {name: written(FOLDER / name) for name in ("a", "b")}
    found = summary(FOLDER / "b")
    assert found["config"]["transfer"]["layers"] == 2
    assert re.fullmatch(r"\w{64}", found["source"])
    assert found["command"] == "python -m experiments.cifar --config b --seeds 2"
    assert run("--config b --seeds 2") == 0
    said = capsys.readouterr().err
    assert said.count(" is finished: these are its results") == 2
    assert {name: written(FOLDER / name) for name in kept} == kept
    assert run("--config b --seeds 3") == 0
    assert "1 of them new" in capsys.readouterr().err


def test_a_recipe_without_a_number_of_layers_reuses_all(run) -> None:
    assert run("--config open") == 0
    assert summary(FOLDER / "open")["config"]["transfer"]["layers"] == 2


def test_flags_name_the_source_and_the_printed_command_repeats_them(run, capsys) -> None:
    assert run("--config a") == 0
    words = "--config scratch --transfer.source runs/cifar/a --transfer.layers 1 --transfer.added 6"
    words += " --transfer.frozen none --transfer.rate-factor 0.5"
    assert run(words) == 0
    folder = Path(capsys.readouterr().out.splitlines()[-1].partition(": ")[0])
    command = summary(folder)["command"].removeprefix("python -m experiments.cifar ")
    assert sorted(shlex.split(command)) == sorted(shlex.split(words))
    kept = written(folder)
    assert run(command) == 0
    assert written(folder) == kept


def test_a_grid_over_the_layers_that_are_unfrozen(run, capsys) -> None:
    assert run("--config b --transfer.unfreeze-epoch 0 --grid transfer.unfreeze=0,1,2") == 0
    captured = capsys.readouterr()
    assert "3 runs, 3 compiled programs: one for each value of transfer.unfreeze" in captured.err
    (folder,) = FOLDER.glob("b+*unfreeze=0_1_2*")
    assert [point["values"] for point in summary(folder)["points"]] == [{"transfer.unfreeze": of} for of in (0, 1, 2)]
    assert (FOLDER / "a" / "summary.json").exists()


def test_transfer_is_compared_with_scratch(run, capsys) -> None:
    assert run("--compare scratch open --seeds 2") == 0
    assert len(summary(FOLDER / "a")["runs"]) == 2
    out = capsys.readouterr().out
    assert "open" in out
    assert "scratch" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--config b --find-lr", r"error: a range test trains all layers .* Vary optim\.learning_rate in a study, .*"),
        ("--config b --tune", r"error: a range test trains all layers .* Vary optim\.learning_rate in a study, .*"),
        ("--compare a b --tune --seeds 2", r"error: a range test trains all layers .*"),
        ("--config a --transfer.source nowhere.npz", r"error: nowhere\.npz.*"),
        ("--config a --transfer.unfreeze 1", r"error: transfer\.unfreeze is 1, and 0 layers are frozen\. .*"),
        ("--config a --transfer.layers 1", r"error: transfer\.layers is 1, and there is no source\. .*"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_trained(run, capsys, words: str, line: str) -> None:
    assert run(words) == 2
    captured = capsys.readouterr()
    assert re.fullmatch(line, captured.err.splitlines()[-1])
    assert not list(Path().rglob("summary.json"))
    assert not list(Path().rglob("checkpoints"))


def test_a_source_of_other_images_is_not_mistaken_for_it(run, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The folder of the target holds another run when its source was trained anew."""
    assert run("--config open") == 0
    assert run("--config a --overwrite --epochs 1 --workdir runs/cifar/a") == 0
    capsys.readouterr()
    assert run("--config scratch --transfer.source runs/cifar/a --workdir runs/cifar/open") == 2
    assert "another run" in capsys.readouterr().err
