"""Several processes that JAX's distributed runtime joins on the loopback address, as tests start and end them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECONDS = 240
"""Of all processes of a test together at most."""
LOST_SECONDS = 8
"""Seconds without a heartbeat from which a process counts as lost, here."""
MOST_SECONDS = 60
"""Seconds after a loss in which every other process has to stop."""
COMMAND = f"""
import sys
import jaxdeep.cli.run, jaxdeep.run.uncertainty
from jaxdeep.train import checkpoint, several_processes
from small_commands import images
for module in (jaxdeep.cli.run, jaxdeep.run.uncertainty):
    module.load_images = images
checkpoint.SECONDS_BETWEEN_CHECKPOINTS = 0.3
several_processes.LOST_SECONDS = {LOST_SECONDS}
from experiments.cifar import CONFIGS
from jaxdeep.cli.main import main
raise SystemExit(main("cifar", "cifar10", CONFIGS, sys.argv[1:]))
"""
"""An experiment on small images that keeps checkpoints often and notices losses soon."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Ended:
    """A process that has ended: its status, what it printed and how many seconds it took."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, began: float) -> None:
        self.status = process.returncode
        self.out, self.err = ((folder / name).read_text() for name in ("out", "err"))
        self.ended = time.monotonic()
        self.seconds = self.ended - began

    @property
    def last(self) -> str:
        """The last line on stderr."""
        return self.err.splitlines()[-1] if self.err else ""


class Together:
    """Processes of one job, and a context that ends those that are left."""

    def __init__(
        self,
        count: int,
        words: Sequence[str],
        folder: Path,
        *,
        flags: bool = True,
        devices: int = 1,
        place: Path = ROOT,
    ) -> None:
        """Start the processes.

        Args:
            count: number of processes.
            words: of the command behind python.
            folder: for what they print.
            flags: whether they get the flags of the command line, or `port count number` in their place.
            devices: of each process.
            place: the working folder.
        """
        port, self._began = free_port(), time.monotonic()
        self._folders, self.processes = [], []
        for number in range(count):
            own = (
                *("--distributed", "--coordinator", f"127.0.0.1:{port}", "--num-processes", str(count)),
                *("--process-id", str(number)),
            )
            said = folder / f"process_{number}_of_{port}"
            said.mkdir(parents=True)
            with (said / "out").open("w") as out, (said / "err").open("w") as err:
                process = subprocess.Popen(
                    (sys.executable, *words, *(own if flags else (str(port), str(count), str(number)))),
                    cwd=place,
                    env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    text=True,
                )
            self.processes.append(process)
            self._folders.append(said)

    def __enter__(self) -> "Together":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def wait_for(self, path: Path, text: str = "") -> None:
        """Wait until a file is there and holds a text."""
        ends = time.monotonic() + SECONDS
        while not (path.exists() and text in path.read_text()):
            assert all(process.poll() is None for process in self.processes), self.ended()[0].err
            assert time.monotonic() < ends
            time.sleep(0.05)

    def err_of(self, number: int) -> Path:
        return self._folders[number] / "err"

    def ended(self) -> list[Ended]:
        """Wait for all processes."""
        ends = time.monotonic() + SECONDS
        found = {}
        while len(found) < len(self.processes):
            for number, process in enumerate(self.processes):
                if number not in found and process.poll() is not None:
                    found[number] = Ended(process, self._folders[number], self._began)
            assert time.monotonic() < ends, "a process did not end"
            time.sleep(0.05)
        return [found[number] for number in range(len(self.processes))]
