"""What signals stop, in processes of their own: nothing of JAX runs there."""

import os
import signal
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest

from jaxdeep.cli.signals import NUMBERS, Interrupted, LenientStream, signals

ROOT = Path(__file__).parent.parent
BEGIN = """
import os, signal, sys, threading, time
from jaxdeep.cli.signals import Interrupted, signals
"""


def ended(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", BEGIN + code], cwd=ROOT, capture_output=True, text=True, **options)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_is_collected_or_raised_and_the_handlers_come_back(number, capsys) -> None:
    before = [signal.getsignal(of) for of in NUMBERS]
    with signals(lambda: "all is saved", waits=True) as received:
        os.kill(os.getpid(), number)
    assert received == [number]
    with pytest.raises(Interrupted) as raised, signals(lambda: "all is saved"):
        os.kill(os.getpid(), number)
    assert raised.value.number == number
    assert [signal.getsignal(of) for of in NUMBERS] == before
    assert "stopping after this epoch; once more stops at once\n\nall is saved\n" in capsys.readouterr().err


def test_no_handler_of_faults_takes_it_for_one() -> None:
    assert not issubclass(Interrupted, Exception)


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("one", "other"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGHUP"), ("SIGHUP", "SIGTERM")])
def test_the_second_stops_at_once_and_says_what_is_saved(one, other, waits) -> None:
    found = ended(f"""
with signals(lambda: "epoch 3 is saved", waits={waits}):
    try:
        os.kill(os.getpid(), signal.{one})
    finally:
        os.kill(os.getpid(), signal.{other})
        time.sleep(9)
""")
    assert found.returncode == 128 + getattr(signal, other)
    assert found.stderr.splitlines()[-1] == "stopped at once; epoch 3 is saved"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_one_that_is_ignored_at_the_start_stays_ignored(name) -> None:
    found = ended(f"""
signal.signal(signal.{name}, signal.SIG_IGN)
with signals(lambda: "", waits=True) as received:
    os.kill(os.getpid(), signal.{name})
    os.kill(os.getpid(), signal.{name})
print(received, signal.getsignal(signal.{name}) is signal.SIG_IGN)
""")
    assert (found.returncode, found.stdout, found.stderr) == (0, "[] True\n", "")


def test_another_thread_goes_without() -> None:
    found = []

    def go() -> None:
        with signals(lambda: "") as received:
            found.append(received)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    assert found == [[]]


def test_where_stderr_is_gone_a_signal_is_handled_still() -> None:
    read, write = os.pipe()
    os.close(read)
    code = """
from jaxdeep.cli.signals import LenientStream
sys.stderr = LenientStream(sys.stderr)
with signals(lambda: "", waits=True) as received:
    os.kill(os.getpid(), signal.SIGHUP)
    print("epoch", file=sys.stderr, flush=True)
sys.exit(100 + received[0])
"""
    with subprocess.Popen([sys.executable, "-c", BEGIN + code], cwd=ROOT, stderr=write) as process:
        os.close(write)
    assert process.returncode == 101


def test_a_stream_that_is_gone_takes_what_is_written_and_one_that_is_there_gives_it_on(tmp_path) -> None:
    there = StringIO()
    LenientStream(there).write("text")
    assert there.getvalue() == "text"
    closed = (tmp_path / "closed").open("w")
    closed.close()
    for gone in (None, closed):
        stream = LenientStream(gone)
        assert stream.write("text") == 4
        stream.flush()
        assert stream.isatty() is False
    assert LenientStream(sys.stdout).fileno == sys.stdout.fileno
