"""What a terminal shows, however narrow and however few letters it has."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_data import SMALL

from jaxdeep.cli.progress import Progress
from jaxdeep.cli.terminal import show_what_can_be
from jaxdeep.study.trial import Trial
from jaxdeep.terminal import width_of
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.progress import epoch_figures

ROOT = Path(__file__).parent.parent
RECORD = EpochRecord(1, 1.5, 0.4, 1.4321, 0.4762, 1e-3, 0.5)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"0.5 +- 0.1 \xe9 \udc80"),
        ("latin-1", "0.5 \xb1 0.1 \xe9 \\udc80"),
        ("utf-8", "0.5 \xb1 0.1 \xe9 \\udc80"),
    ],
)
def test_letters_that_an_encoding_lacks_are_replaced(encoding, shown) -> None:
    bytes_ = io.BytesIO()
    stream = io.TextIOWrapper(bytes_, encoding=encoding, write_through=True)
    show_what_can_be(stream, io.StringIO(), None)
    stream.write("0.5 \xb1 0.1 \xe9 \udc80")
    assert bytes_.getvalue().decode(encoding) == shown


def test_what_is_no_terminal_has_no_width() -> None:
    assert width_of(io.StringIO()) is None
    assert width_of(None) is None


def in_terminal(columns: int, code: str, **environment: str) -> str:
    """Run code whose streams are a terminal, and return what it shows."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, columns))
    env = {
        **os.environ,
        "TERM": "xterm",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "JAX_PLATFORMS": "cpu",
        **environment,
    }
    env.pop("COLUMNS", None)
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        seen = b""
        try:
            while more := os.read(ours, 4096):
                seen += more
        except OSError:  # the terminal's other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0, seen
    return seen.decode()


STUDY = """
import time
from test_terminal import RECORD, trials
from jaxdeep.cli.progress import Progress
with Progress(trials({seeds}), 45_000) as progress:
    for _ in range(2):
        for index in range({seeds}):
            time.sleep(0.11)
            progress.follow(index, [RECORD])
"""


def trials(seeds: int) -> list[Trial]:
    config = replace(SMALL, optim=replace(SMALL.optim, learning_rate=0.0003))
    values = {"optim.learning_rate": 0.0003} if seeds > 1 else {}
    return [Trial(config, seed, values) for seed in range(42, 42 + seeds)]


@pytest.mark.parametrize(
    ("seeds", "columns", "shown"),
    [
        (2, 80, r"^0/2 runs  12%\|.*, lr=0.0003 seed 42: val_loss 1.4321$"),
        (1, 80, r"^seed 42  25%\|.*, val_loss 1.4321, val_accuracy 0.4762$"),
        (1, 160, r", loss 1.5000, val_loss 1.4321, val_accuracy 0.4762, 90,000 images/s$"),
    ],
)
def test_a_bar_stays_readable_and_names_the_trial_of_a_study(seeds, columns, shown) -> None:
    seen = in_terminal(columns, STUDY.format(seeds=seeds))
    lines = re.split(r"[\r\n]+", seen)
    assert max(map(len, lines)) <= columns
    assert any(re.search(shown, line.rstrip()) for line in lines)
    drawn = [re.search(r"\|(.+?)\|", line) for line in lines if "%|" in line]
    assert all(bar and len(bar[1]) >= 8 for bar in drawn)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}])
def test_neither_colours_nor_other_letters_where_they_are_not_wanted(environment) -> None:
    seen = in_terminal(80, STUDY.format(seeds=1), **environment)
    assert "\x1b[3" not in seen
    assert seen.isascii() is ("PYTHONIOENCODING" in environment)


def test_a_line_for_each_epoch_where_there_is_no_terminal(capsys) -> None:
    with Progress(trials(2), 45_000) as progress:
        progress.follow(1, [RECORD])
    assert capsys.readouterr().err == (
        "optim.learning_rate=0.0003,seed 43 epoch 1/4: loss 1.5000, val_loss 1.4321, val_accuracy 0.4762, "
        "90,000 images/s\n"
    )
    assert np.all(np.diff(list(map(len, epoch_figures(RECORD, 45_000)))) < 0)
