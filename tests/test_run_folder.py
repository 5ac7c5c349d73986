"""A run folder holds one run, whole, and nothing of another."""

import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_data import SMALL
from tensorboardX.proto.event_pb2 import Event

from jaxdeep.config import Model
from jaxdeep.errors import UserError
from jaxdeep.report.figures import draw_study
from jaxdeep.study import folder as run_folder
from jaxdeep.study.files import read_metrics
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.result import StudyResult
from jaxdeep.study.stored import read_study
from jaxdeep.study.summarise import summarise
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord
from jaxdeep.version import __version__

IDENTITY = {
    "experiment": "e",
    "name": "n",
    "config": SMALL.to_dict(),
    "seeds": [1],
    "data": {"name": "d", "source": "arrays", "synthetic": False, "digest": "0"},
}
SYNTHETIC = IDENTITY | {"data": IDENTITY["data"] | {"synthetic": True}}
ONE = Trial(SMALL, 1)
HISTORY = [EpochRecord(epoch, 1.0 / epoch, 0.5, 1.1 / epoch, 0.4, 1e-3, 2.0) for epoch in (1, 2, 3)]


def finished(
    trials: Sequence[Trial] = (ONE,), identity: Mapping[str, Any] = IDENTITY, wall_seconds: float | None = 1.0
) -> StudyResult:
    """A study of these trials, of which the first tells one of the rows of each part, the second two, and so on."""
    parts = (SimpleNamespace(size=size, capacity=size) for size in (9, 5, 0))  # without test rows, so without metrics
    data: Any = SimpleNamespace(**dict(zip(("train", "valid", "test"), parts, strict=True)), task="classification")
    runs = [
        Run(
            config=trial.config,
            data=data,
            seed=trial.seed,
            history=tuple(HISTORY),
            params={},
            batch_stats={},
            best_epoch=3,
            val_loss=HISTORY[-1].val_loss,
            val_accuracy=hits / 5,
            test_loss=1.0,
            test_accuracy=hits / 7,
            val_correct=np.arange(5) < hits,
            test_correct=np.arange(7) < hits,
            diverged=False,
            compile_seconds=0.5,
            checkpoint_seconds=0.0,
        )
        for hits, trial in enumerate(trials, start=1)
    ]
    return summarise(identity, trials, dict(enumerate(runs)), command="python", wall_seconds=wall_seconds)


def finish(folder: RunFolder, result: StudyResult) -> None:
    folder.write_figures(result)
    draw_study(result, folder.path)
    folder.write_result(result)


def lines(path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def event_epochs(path, tag: str) -> list[int]:
    """Epochs of the events with this tag, from the records that TensorBoard reads: length, crc, event, crc."""
    found = []
    for file in sorted(path.glob("tensorboard/*/events*")):
        content = file.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            found += [event.step for value in event.summary.value if value.tag == tag]
            content = content[16 + length :]
    return found


def test_a_line_and_events_for_every_epoch(tmp_path) -> None:
    with RunFolder(tmp_path / "run", IDENTITY) as folder:
        for count in (1, 2, 3):
            folder.follow(ONE, HISTORY[:count])
            assert [line["epoch"] for line in lines(folder.path)] == list(range(1, count + 1))
    assert lines(folder.path)[1] == {"seed": 1, **HISTORY[1]._asdict()}
    assert event_epochs(folder.path, "val_loss") == [1, 2, 3]


def test_members_stand_in_one_file_by_their_values_and_at_the_end_in_their_order(tmp_path) -> None:
    optims = {rate: replace(SMALL.optim, learning_rate=rate) for rate in (0.1, 0.2)}
    trials = [
        Trial(replace(SMALL, optim=optim), seed, {"optim.learning_rate": rate})
        for rate, optim in optims.items()
        for seed in (1, 2)
    ]
    identity = IDENTITY | {"seeds": [1, 2], "grid": {"optim.learning_rate": [0.1, 0.2]}}
    with RunFolder(tmp_path, identity) as folder:
        for trial in reversed(trials):
            folder.follow(trial, HISTORY)
        assert [line["seed"] for line in lines(tmp_path)] == [2, 2, 2, 1, 1, 1] * 2
        finish(folder, finished(trials, identity))
    expected = [(rate, seed, epoch) for rate in (0.1, 0.2) for seed in (1, 2) for epoch in (1, 2, 3)]
    assert [(line["optim.learning_rate"], line["seed"], line["epoch"]) for line in lines(tmp_path)] == expected
    assert len(list(tmp_path.glob("tensorboard/*"))) == 4
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    hits = np.load(tmp_path / "hits.npz")
    assert hits["valid"].sum(1).tolist() == hits["test"].sum(1).tolist() == [1, 2, 3, 4]


def test_the_wall_time_is_that_of_all_processes(tmp_path, monkeypatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(run_folder.time, "perf_counter", lambda: clock.now)
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY[:1])
        clock.now += 30.0
    with RunFolder(tmp_path, IDENTITY) as folder:
        clock.now += 6.0
        folder.follow(ONE, HISTORY)
        assert json.loads((tmp_path / "wall.json").read_text()) == {"seconds": 36.0}  # which a kill leaves behind
        clock.now += 1.0
        assert folder.wall_seconds == 37.0
        finish(folder, finished(wall_seconds=folder.wall_seconds))
    assert not (tmp_path / "wall.json").exists()  # the summary has it
    assert read_study(tmp_path / "summary.json").wall_seconds == 37.0


def test_continuing_doubles_nothing_and_mends_a_torn_line(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY[:1])
        folder.follow(ONE, HISTORY[:2])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"seed": 1, "epo')
    with RunFolder(tmp_path, IDENTITY) as folder:  # a checkpoint of epoch 1 was the last that was kept
        folder.follow(ONE, HISTORY[:1])
        folder.follow(ONE, HISTORY[:2])
        folder.follow(ONE, HISTORY[:3])
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 2, 3]
    assert event_epochs(tmp_path, "train_loss") == [1, 2, 3]


def test_what_is_not_finite_is_null(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, [HISTORY[0]._replace(val_loss=float("nan"), train_loss=float("inf"))])
    assert lines(tmp_path)[0]["val_loss"] is None
    assert lines(tmp_path)[0]["train_loss"] is None


def test_synthetic_stands_in_every_line(tmp_path) -> None:
    with RunFolder(tmp_path, SYNTHETIC) as folder:
        folder.follow(ONE, HISTORY)
    assert all(line["synthetic"] is True for line in lines(tmp_path))


def test_another_run_is_refused_with_the_fields_that_differ_and_nothing_is_touched(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = {**IDENTITY, "config": replace(SMALL, optim=replace(SMALL.optim, learning_rate=0.5)).to_dict()}
    with pytest.raises(UserError, match=r"config.optim.learning_rate \(there 0.003, here 0.5\)"):
        RunFolder(tmp_path, other)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_overwrite_removes_the_runs_files_and_no_others(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds no config\.json"):
        RunFolder(tmp_path, IDENTITY)
    (tmp_path / "config.json").write_text("{}")
    with RunFolder(tmp_path, IDENTITY, overwrite=True) as folder:
        assert folder.stored() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "notes.txt"]


def test_a_damaged_config_is_one_line_not_a_traceback(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"experiment": ')
    with pytest.raises(UserError, match="cannot be used as a run folder"):
        RunFolder(tmp_path, IDENTITY)


def test_a_folder_is_one_processs_at_a_time(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY), pytest.raises(UserError, match="another process has it open"):
        RunFolder(tmp_path, IDENTITY, overwrite=True)
    with RunFolder(tmp_path, IDENTITY):
        pass


def test_a_members_folder_has_a_name_that_file_systems_allow(tmp_path) -> None:
    deep, deeper = (
        Trial(replace(SMALL, model=Model(units=units)), 1, {"model.units": units}) for units in ((8,) * 150, (8,) * 151)
    )
    with RunFolder(tmp_path, IDENTITY) as folder:
        assert len(folder.checkpoints(deep).name) < 255
        assert folder.checkpoints(deep) != folder.checkpoints(deeper)
        folder.follow(deep, HISTORY)
    assert event_epochs(tmp_path, "val_loss") == [1, 2, 3]


def test_folds_of_a_seed_are_read_apart(tmp_path) -> None:
    trials = [Trial(SMALL, 1, fold=fold) for fold in (0, 1)]
    with RunFolder(tmp_path, IDENTITY) as folder:
        for trial, count in zip(trials, (2, 3), strict=True):
            folder.follow(trial, HISTORY[:count])
    rows = [(row["seed"], row["fold"], record) for row, record in read_metrics(tmp_path / "metrics.jsonl")]
    assert rows == [(1, 0, record) for record in HISTORY[:2]] + [(1, 1, record) for record in HISTORY]


class FullDisk:
    """Lets so many files be opened for writing, and then the disk is full, whether a file is opened or flushed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: float = float("inf")
        opened = io.open

        def open_(file, mode="r", *given, **options):
            if set("wa") & set(mode):
                self.left -= 1
                if self.left < 0:
                    return opened("/dev/full", mode, *given, **options)
            return opened(file, mode, *given, **options)

        monkeypatch.setattr(io, "open", open_)


@pytest.mark.parametrize("room", range(16))
def test_a_full_disk_is_one_line_wherever_it_comes_and_the_same_goes_on_afterwards(tmp_path, monkeypatch, room) -> None:
    """Where a file is opened first, each epoch's events are appended, and the summary's files are written."""
    disk = FullDisk(monkeypatch)

    def run() -> None:
        with RunFolder(tmp_path, IDENTITY) as folder:
            for count in (1, 2, 3):
                folder.follow(ONE, HISTORY[:count])
            finish(folder, finished())

    disk.left = room
    try:
        run()
    except UserError as error:
        (line,) = str(error).splitlines()
        assert "cannot be written (No space left on device). Mend that, and the same command goes on." in line
        assert not (tmp_path / "summary.json").exists()
        assert not list(tmp_path.glob("*.part"))
        disk.left = float("inf")
        run()
    else:
        assert room > 9
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 2, 3]
    assert event_epochs(tmp_path, "val_loss") == [1, 2, 3]
    assert json.loads((tmp_path / "summary.json").read_text())["name"] == "n"


def test_many_members_leave_no_file_open(tmp_path) -> None:
    rates = [rate / 1000 for rate in range(1, 301)]
    configs = [replace(SMALL, optim=replace(SMALL.optim, learning_rate=rate)) for rate in rates]
    trials = [Trial(config, 1, {"optim.learning_rate": rate}) for config, rate in zip(configs, rates, strict=True)]
    with RunFolder(tmp_path, IDENTITY) as folder:
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        for count in (1, 2):
            for trial in trials:
                folder.follow(trial, HISTORY[:count])
        after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        assert after <= before + 1  # metrics.jsonl
    assert event_epochs(tmp_path, "val_loss") == [1, 2] * 300


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("mine"), "a file, not a folder"),
        (lambda path: path.symlink_to("nowhere"), "a link to a missing file"),
    ],
)
def test_what_cannot_be_a_folder_is_refused_with_the_reason(tmp_path, make, reason) -> None:
    make(tmp_path / "run")
    with pytest.raises(
        UserError, match=rf"run: cannot be used as a run folder \({reason}\)\. Choose another folder\.$"
    ):
        RunFolder(tmp_path / "run", IDENTITY)


def test_a_name_that_is_too_long_is_refused_with_the_reason(tmp_path) -> None:
    with pytest.raises(
        UserError, match=r"cannot be used as a run folder \(File name too long\)\. Choose another folder\.$"
    ):
        RunFolder(tmp_path / ("x" * 256), IDENTITY)


def test_where_the_configuration_is_lost_the_summary_says_what_the_folder_is(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY)
        finish(folder, finished())
    refused = rf"holds another run \(written by jaxdeep {re.escape(__version__)}\): seeds \(there \[1\], here \[2\]\)"
    for content in (None, "", '{"exp', "[]"):
        (tmp_path / "config.json").unlink()
        if content is not None:
            (tmp_path / "config.json").write_text(content)
        with pytest.raises(UserError, match=refused):
            RunFolder(tmp_path, {**IDENTITY, "seeds": [2]})
        with RunFolder(tmp_path, IDENTITY):
            assert json.loads((tmp_path / "config.json").read_text()) == {**IDENTITY, "jaxdeep": __version__}


def test_without_configuration_and_summary_the_line_says_how_to_go_on(tmp_path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY)
    for damage in (lambda path: path.write_text(""), Path.unlink):
        damage(tmp_path / "config.json")
        with pytest.raises(UserError, match=r"another --workdir, stop it, and copy its config\.json to here"):
            RunFolder(tmp_path, IDENTITY)
