"""A folder has one user at a time, and is free when that one ends, however it does."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from small_data import SMALL, small_dataset

from jaxdeep import locks
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.locks import alone_in
from jaxdeep.train import checkpoint
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.fit import fit

HOLDS = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_user_is_refused_and_the_next_one_is_not(tmp_path) -> None:
    with alone_in(tmp_path), pytest.raises(UserError, match="has it open"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_another_processs_folder_is_free_after_sigkill(tmp_path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            with pytest.raises(UserError, match=f"^{tmp_path}: another process has it open"):
                fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path)
        finally:
            other.kill()
            other.wait()
    assert len(fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path).history) == SMALL.train.epochs


def test_another_threads_call_in_one_folder_is_refused_and_the_first_one_ends_as_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    data = small_dataset(SMALL)
    refused: list[str] = []

    def second_call() -> None:
        try:
            fit(SMALL, data, 7, checkpoints=tmp_path)
        except UserError as error:
            refused.append(str(error))

    def on_epoch(_: object) -> None:
        other = threading.Thread(target=second_call)
        other.start()
        other.join()

    run = fit(SMALL, data, 7, checkpoints=tmp_path, on_epoch=on_epoch)
    assert len(refused) == SMALL.train.epochs
    assert all("has it open" in text for text in refused)
    assert run.val_loss == fit(SMALL, data, 7).val_loss


def test_a_checkpointer_may_be_opened_again_when_the_one_before_is_closed(tmp_path) -> None:
    for _ in range(3):
        with Checkpointer(tmp_path, {}):
            pass


@pytest.mark.parametrize("wrong", [{"seed": object()}, {"seed": {1, 2}}])
def test_a_folder_is_free_after_what_failed_in_it(tmp_path, wrong) -> None:
    with pytest.raises(UserError, match="cannot be recorded"):
        Checkpointer(tmp_path, wrong)
    with Checkpointer(tmp_path, {}), pytest.raises(UserError, match="has it open"):
        Checkpointer(tmp_path, {})
    with Checkpointer(tmp_path, {}):
        pass


def test_a_run_folders_lock_is_the_same(tmp_path: Path) -> None:
    from jaxdeep.study.folder import RunFolder

    with alone_in(tmp_path), pytest.raises(UserError, match="another process has it open"):
        RunFolder(tmp_path, {"data": {"synthetic": False}})


def test_a_system_without_locks_is_warned_of_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    locks._warn.cache_clear()
    with pytest.warns(JaxdeepWarning, match="^this system has no fcntl"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_the_package_is_imported_without_locks() -> None:
    code = "import sys; sys.modules['fcntl'] = None; import jaxdeep, jaxdeep.cli.main"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
