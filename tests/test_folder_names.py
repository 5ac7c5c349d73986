"""A run's folder may have every name that the system allows."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_commands
from small_commands import summary
from small_data import lean_compilation

import jaxdeep.cli.main
import jaxdeep.cli.run
from experiments.cifar import CONFIGS
from jaxdeep.study.folder import RunFolder
from jaxdeep.train.plain_path import plain_path

QUICK = (
    *("--config", "alpha_dropout", "--model.units", "8", "--train.epochs", "2", "--data", "cifar10"),
    *("--data.train-size", "200", "--seeds", "2"),
)
NAMES = ("a[b]c", os.fsdecode(b"\xff\xfe"))
MORE_NAMES = (
    *("gs://bucket/x", "C:/x", "~nobody-of-that-name", "--", "**", ".hidden", "5"),  # a whole form could mean something
    *("ü" * 127, "x.orbax-checkpoint-tmp-1", " two\nwords %41 {a} $HOME "),
    "\x01 a\\b 'c' \"d\" [?*] # e=f,g|h Ünïcödé 猫",
)
"""A study is trained in each, so characters that mean something inside a name share one."""


@pytest.fixture(scope="module")
def main() -> Iterator[Callable[..., int]]:
    """The command on small images, compiled but once."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxdeep.cli.run, "load_images", small_commands.images)
        patch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
        yield lambda *argv: jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv)


@pytest.fixture(scope="module")
def plain(main, tmp_path_factory) -> list[dict]:
    """The runs of the study in a folder of a plain name."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    assert main(*QUICK, "--workdir", str(folder)) == 0
    return untimed(folder)


def untimed(folder: Path) -> list[dict]:
    return [{**run, "seconds": 0, "checkpoint_seconds": 0} for run in summary(folder)["runs"]]


@pytest.mark.parametrize(
    "name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_NAMES)], ids=ascii
)
def test_a_run_is_stopped_continued_and_asked_in_it(main, plain, tmp_path, monkeypatch, capsys, name) -> None:
    monkeypatch.chdir(tmp_path)
    follow = RunFolder.follow

    def interrupt(self, trial, history) -> None:
        follow(self, trial, history)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "follow", interrupt)
        assert main(*QUICK, f"--workdir={name}") == 130
    assert main(*QUICK, f"--workdir={name}") == 0
    assert untimed(Path(name)) == plain
    assert main(*QUICK, f"--workdir={name}", "--ensemble") == 0
    assert "Traceback" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [Path(name).parts[0]]


def test_what_the_file_system_refuses_is_one_line(main, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    Path("link").symlink_to("nowhere")
    for name in ("x" * 256, "a/" * 3000, "file", "file/x", "link", "/proc/x", "new\nline" * 40):
        assert main(*QUICK, "--workdir", name) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert "cannot be used as a run folder (" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_tilde_is_home_and_nobodys_is_a_name(main, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert main(*QUICK, "--workdir=~/run") == 0
    assert summary(tmp_path / "home" / "run")["name"] == "alpha_dropout"
    capsys.readouterr()


@pytest.mark.parametrize("name", ["plain", "[x]", "gs:/x", "a\\b", os.fsdecode(b"\xff")])
def test_a_plain_path_leads_to_the_folder_and_leaves_nothing_behind(tmp_path, name) -> None:
    folder = tmp_path / name
    with plain_path(folder) as path:
        assert (path == folder) == (name == "plain")
        (path / "file").write_text("text")
    assert (folder / "file").read_text() == "text"
    assert path == folder or not path.parent.exists()
