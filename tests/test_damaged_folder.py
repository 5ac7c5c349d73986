"""A run's folder that was damaged: mended to the same figures by the same command, or refused in one line."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_commands
from small_commands import QUICK, summary
from small_data import lean_compilation

import jaxdeep.cli.main
import jaxdeep.cli.run
from experiments.cifar import CONFIGS

STUDY = (*QUICK, "--data", "cifar10", "--seeds", "2")
WHOLE = ("config.json", "metrics.jsonl", "summary.json", "hits.npz", "curves.png")
TIMES = ("seconds", "checkpoint_seconds")


def altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def one_figure_more(content: bytes) -> bytes:
    """A digit of the first accuracy of a file of text, and what is valid still."""
    at = content.find(b'accuracy": 0.') + len(b'accuracy": 0.')
    return content[:at] + (b"1" if content[at : at + 1] != b"1" else b"2") + content[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "removed": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "altered": altered,
    "one figure altered": one_figure_more,
    "no text": lambda _: b"\xff\xfe\x00",
    "other JSON": lambda _: b"[1, 2]",
    "an empty object": lambda _: b"{}",
    "of other fields": lambda _: b'{"runs": [{"seed": 42, "epochs": 3}], "seconds": "x", "files": []}\n',
}
QUICK_KINDS = ("removed", "cut", "one figure altered")
KINDS = [kind if kind in QUICK_KINDS else pytest.param(kind, marks=pytest.mark.slow) for kind in DAMAGES]


@pytest.fixture(scope="module")
def main() -> Iterator[Callable[..., int]]:
    """The command on small images, compiled but once."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxdeep.cli.run, "load_images", small_commands.images)
        patch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
        yield lambda *argv: jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv)


@pytest.fixture(scope="module")
def finished(main, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main(*STUDY, "--workdir", str(folder)) == 0
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the study in an empty folder, as `run`."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished, "run"))


@pytest.fixture
def again(main) -> Callable[..., int]:
    return lambda *argv: main(*STUDY, "--workdir", "run", *argv)


def damage(path: Path, kind: str) -> None:
    content = DAMAGES[kind](path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def untimed(folder: Path) -> list[dict]:
    return [{name: value for name, value in run.items() if name not in TIMES} for run in summary(folder)["runs"]]


def is_whole(folder: Path, finished: Path) -> bool:
    """The same figures, rows and hits; a picture that is one."""
    return (
        untimed(folder) == untimed(finished)
        and all((folder / name).read_bytes() == (finished / name).read_bytes() for name in WHOLE[:2])
        and (folder / "hits.npz").read_bytes() == (finished / "hits.npz").read_bytes()
        and (folder / "curves.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WHOLE)
def test_whatever_is_damaged_is_mended_or_refused(run, again, finished, capsys, name, kind) -> None:
    damage(run / name, kind)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    status, errors = again(), capsys.readouterr().err.splitlines()
    if name != "config.json" or "altered" not in kind:
        assert status == 0
    if status != 0:
        assert status == 2
        (line,) = errors
        assert line.startswith("error: run ")
        assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    else:
        assert is_whole(run, finished)
        assert again() == 0
        assert capsys.readouterr().err == "run is finished: these are its results\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["metrics.jsonl", "hits.npz", "summary.json"])
def test_without_checkpoints_damage_is_refused(run, again, finished, capsys, name, kind) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "curves.png").unlink()
    assert again() == 0
    assert is_whole(run, finished)
    if (name, kind) == ("summary.json", "removed"):
        return  # nothing says that it was finished: it is trained anew
    damage(run / name, kind)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    capsys.readouterr()
    assert again() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: run: {name} ")
    assert line.endswith("Copy it back, or give --overwrite to train anew.")
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["metrics.jsonl", "hits.npz", "curves.png", "summary.json"])
@pytest.mark.parametrize("kind", ["removed", "empty", "cut"])
def test_an_earlier_versions_run_is_checked_by_what_its_files_hold(run, again, finished, capsys, name, kind) -> None:
    content = {key: value for key, value in summary(run).items() if key != "files"}
    (run / "summary.json").write_text(json.dumps(content))
    assert again() == 0
    assert capsys.readouterr().err == "run is finished: these are its results\n"
    damage(run / name, kind)
    assert again() == 0
    assert f"{name}" in capsys.readouterr().err or (name, kind) == ("summary.json", "removed")
    assert is_whole(run, finished)


def test_rows_that_contradict_the_checkpoints_are_written_anew(run, again, finished) -> None:
    """In a folder of an earlier version too, where their number is wrong."""
    content = {key: value for key, value in summary(run).items() if key != "files"}
    (run / "summary.json").write_text(json.dumps(content))
    rows = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([*rows[:2], rows[1], *rows[3:]]) + "\n")
    assert again() == 0
    assert is_whole(run, finished)


def test_what_is_mended_keeps_the_wall_time_and_a_lost_one_is_null(run, again, capsys) -> None:
    wall = summary(run)["wall_seconds"]
    (run / "hits.npz").unlink()
    assert again() == 0
    assert summary(run)["wall_seconds"] == wall
    (run / "summary.json").write_text("")
    assert again() == 0
    assert summary(run)["wall_seconds"] is None
    capsys.readouterr()


def test_events_that_are_lost_are_written_from_the_figures(run, again, finished, capsys) -> None:
    shutil.rmtree(run / "tensorboard")
    shutil.rmtree(run / "checkpoints")
    assert again() == 0
    assert "tensorboard is gone; drawn again" in capsys.readouterr().err
    assert len(list(run.glob("tensorboard/*/events*"))) == 2
    assert is_whole(run, finished)


@pytest.mark.slow
def test_a_picture_of_uncertainty_that_is_lost_is_asked_for_anew(main, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    argv = (*QUICK, "--data", "synthetic", "--seeds", "2", "--ensemble", "--workdir", "run")
    assert main(*argv) == 0
    found = summary("run")["uncertainty"]
    damage(Path("run/certainty.png"), "cut")
    assert main(*argv) == 0
    assert Path("run/certainty.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    assert summary("run")["uncertainty"] == found
    capsys.readouterr()


@pytest.mark.parametrize("content", [b"", b'{"sec', b"[]", b'{"seconds": "x"}', b'{"seconds": NaN}', b"\xff"])
def test_a_damaged_timing_file_is_one_line_and_the_run_goes_on(run, again, finished, capsys, content) -> None:
    (run / "summary.json").unlink()
    (run / "wall.json").write_bytes(content)
    assert again() == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert lines == ["warning: run/wall.json is damaged. The study continues, and its wall_seconds will be null."]
    assert is_whole(run, finished)


@pytest.mark.parametrize("name", ["config.json", "summary.json", "metrics.jsonl", "hits.npz", "wall.json"])
def test_what_a_kill_left_half_written_is_removed(run, again, capsys, name) -> None:
    (run / f"{name}.part").write_text("{")
    assert again() == 0
    assert not list(run.glob("*.part"))
    alone = Path("alone")
    alone.mkdir()
    (alone / f"{name}.part").write_text("{")
    assert again("--workdir", "alone") == 0
    assert not list(alone.glob("*.part"))
    other = Path("other")
    other.mkdir()
    for file in (f"{name}.part", "thesis.txt"):
        (other / file).write_text("years of work")
    capsys.readouterr()
    assert again("--workdir", "other") == 2
    assert capsys.readouterr().err.startswith("error: other is not empty and holds no config.json: not a run folder")
    assert len(list(other.iterdir())) == 2
