"""A disk that is full ends a run in one line, and the same call goes on when there is room."""

import errno
import json
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
import pytest
from small_commands import QUICK, summary
from small_data import SMALL, small_dataset

from jaxdeep.errors import UserError
from jaxdeep.train import checkpoint
from jaxdeep.train.fit import fit

# One array of 256 KB: Orbax spreads arrays over several files as its threads fall, yet never cuts one of this size.
LARGER = replace(SMALL, model=replace(SMALL.model, units=(256, 256)), train=replace(SMALL.train, epochs=6, patience=6))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the system then answers as on a full disk, "File too large"."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def at_once(monkeypatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)


def steps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.isdigit())


@pytest.mark.usefixtures("at_once")
def test_a_full_disk_is_said_soon_and_the_same_call_goes_on(tmp_path) -> None:
    data, seen = small_dataset(LARGER), []
    whole = fit(LARGER, data)
    fit(LARGER, data, checkpoints=tmp_path, until=2)
    before = steps(tmp_path)
    with (
        files_of_at_most(40_000),
        pytest.raises(UserError, match=f"{tmp_path}: .*cannot be saved.*File too large") as caught,
    ):
        fit(LARGER, data, checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history)))
    assert "\n" not in str(caught.value)
    assert seen[:2] == [2, 3]
    assert steps(tmp_path) == before == ["1", "2"]
    run = fit(LARGER, data, checkpoints=tmp_path)
    assert [record[:-1] for record in run.history] == [record[:-1] for record in whole.history]


def test_the_last_save_of_a_run_may_be_the_one_that_fails(tmp_path) -> None:
    with files_of_at_most(40_000), pytest.raises(UserError, match="cannot be saved"):
        fit(LARGER, small_dataset(LARGER), checkpoints=tmp_path)
    assert steps(tmp_path) == []
    assert len(fit(LARGER, small_dataset(LARGER), checkpoints=tmp_path).history) == 6


@pytest.mark.usefixtures("at_once")
def test_a_run_ends_at_the_next_epoch_not_at_the_next_save(tmp_path, monkeypatch) -> None:
    seen: list[int] = []

    def follow(history) -> None:
        seen.append(len(history))
        if len(history) == 2:
            monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
            for thread in threading.enumerate():
                if thread.name == "save_finalize":
                    thread.join()

    with files_of_at_most(40_000), pytest.raises(UserError, match="cannot be saved"):
        fit(LARGER, small_dataset(LARGER), checkpoints=tmp_path, on_epoch=follow)
    assert seen == [1, 2]


FAILURES = [
    *(OSError(number, os.strerror(number)) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)),
    ValueError('RESOURCE_EXHAUSTED: Error writing "x": [OS error 28: ENOSPC No space left on device]\nsource line'),
    RuntimeError(""),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("where", ["save", "wait_until_finished", "close"])
def test_whatever_fails_wherever_is_one_line(tmp_path, monkeypatch, failure, where) -> None:
    before = getattr(ocp.CheckpointManager, where)

    def fails(*given: Any, **named: Any) -> None:
        if where != "save":
            before(*given, **named)
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(ocp.CheckpointManager, where, fails)
        with pytest.raises(UserError, match="cannot be saved") as caught:
            fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path)
    assert "\n" not in str(caught.value)
    reason = getattr(failure, "strerror", None) or ("No space left on device" if str(failure) else "RuntimeError")
    assert reason in str(caught.value)
    assert len(fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path).history) == SMALL.train.epochs


def test_what_stopped_a_run_is_not_hidden_by_a_save_that_was_fine(tmp_path) -> None:
    def stop(history) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path, on_epoch=stop)
    assert steps(tmp_path) == ["1"]


@pytest.mark.slow
def test_the_command_line_says_it_in_one_line_with_status_2(command: Callable[..., int], capsys) -> None:
    argv = (*QUICK, "--model.units", "256", "256", "--data", "cifar10")
    assert command(*argv, "--workdir", "whole") == 0
    capsys.readouterr()
    with files_of_at_most(60_000):
        assert command(*argv, "--workdir", "full") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "cannot be saved" in line]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert "Traceback" not in errors[0]
    assert not Path("full/summary.json").exists()
    assert command(*argv, "--workdir", "full") == 0
    one, other = (json.dumps(summary(folder)["runs"][0]["val_loss"]) for folder in ("whole", "full"))
    assert one == other
