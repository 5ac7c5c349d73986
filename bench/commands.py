"""Commands of jaxdeep and Keras, timed from outside by the lines that they write as each epoch ends."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.children import ROOT, Failed, end, last_words
from bench.contestants import CONTESTANTS, Contestants, clean_environment, field
from bench.rounds import turns
from experiments.cifar import CONFIGS
from jaxdeep.config import Config

LINE = re.compile(r"epoch (\d+)/\d+: .*val_loss (\S+), val_accuracy ([^\s,]+)")
"""Pattern of a line with an epoch, its validation loss and its validation accuracy."""


class PeerCommand(NamedTuple):
    """A way to train a configuration from the command line.

    Attributes:
        contestant: Contestant that gives the packages and the environment.
        warm: Whether an earlier command has filled its cache of compiled programs.
        steps_per_execution: Steps that Keras runs in one call of its compiled program.
    """

    contestant: str
    warm: bool = False
    steps_per_execution: int = 1


COMMANDS: Final[Mapping[str, PeerCommand]] = {
    "jaxdeep-cold": PeerCommand("jaxdeep"),
    "jaxdeep-warm": PeerCommand("jaxdeep", warm=True),
    "keras-tf": PeerCommand("keras-tf"),
    "keras-tf-50": PeerCommand("keras-tf", steps_per_execution=50),
    "keras-jax": PeerCommand("keras-jax"),
    "keras-jax-50": PeerCommand("keras-jax", steps_per_execution=50),
}
"""Name of a command -> command."""


class EpochEvent(NamedTuple):
    """An epoch that a command has reported.

    Attributes:
        epoch: Number of the epoch, counted from 1.
        seconds: Seconds from the start of the command to the report.
        val_loss: Validation loss in nats, as printed.
        val_accuracy: Validation accuracy in [0, 1], as printed.
    """

    epoch: int
    seconds: float
    val_loss: float
    val_accuracy: float


class CommandResult(NamedTuple):
    """A command that has ended.

    Attributes:
        epochs: Epochs that it reported.
        compile_seconds: Seconds of compilation that it reports itself. None if it was stopped before the report.
    """

    epochs: list[EpochEvent]
    compile_seconds: float | None


def commands_field(names: Sequence[str], platform: str) -> Contestants:
    """Return the named commands that can run here, and why the others cannot.

    They train on the real CIFAR-10, from the files of its Python version.

    Args:
        names: Names in COMMANDS.
        platform: Platform of the device, "cpu" or "gpu".

    Returns:
        Names of the commands that can run, and a reason for each of the others.
    """
    folder = os.environ.get("JAXDEEP_DATA")
    if not folder or not (Path(folder) / "cifar-10-batches-py").is_dir():
        return Contestants((), dict.fromkeys(names, "JAXDEEP_DATA names no folder with cifar-10-batches-py"))
    left_out = field([COMMANDS[name].contestant for name in names], platform).left_out
    reasons = {name: left_out[COMMANDS[name].contestant] for name in names if COMMANDS[name].contestant in left_out}
    return Contestants(tuple(name for name in names if name not in reasons), reasons)


def of_layers(name: str, layers: int) -> Config:
    """Return a configuration of the chapter with another number of hidden layers.

    Args:
        name: Name of the configuration in experiments.cifar.
        layers: Number of hidden layers, each of 100 units.

    Returns:
        The changed configuration.
    """
    return CONFIGS[name].config.updated({"model.units": (100,) * layers})


def run_command(
    name: str,
    config_name: str,
    config: Config,
    seed: int,
    folder: Path,
    cache: Path,
    enough: Callable[[EpochEvent], bool] = lambda _: False,
) -> CommandResult:
    """Run a command to its end, or until an epoch is enough.

    Args:
        name: Name in COMMANDS.
        config_name: Name of the configuration in experiments.cifar.
        config: Configuration with its own number of epochs and layers.
        seed: Seed of the training.
        folder: Empty folder for the command's files.
        cache: Folder for compiled programs. Only jaxdeep's commands keep programs there.
        enough: Function that says whether to stop the command after an epoch.

    Returns:
        The epochs that the command reported, and its seconds of compilation.

    Raises:
        Failed: The command failed.
    """
    command = COMMANDS[name]
    caching = {"JAXDEEP_CACHE": str(cache), "JAX_ENABLE_COMPILATION_CACHE": "1"}
    environment = clean_environment(folder, CONTESTANTS[command.contestant]) | caching
    if command.contestant == "jaxdeep":
        argv = ["-m", "experiments.cifar", "--config", config_name, "--data", "cifar10", "--seed", str(seed)]
        argv += ["--train.epochs", str(config.train.epochs), "--workdir", str(folder / "run")]
        if config.model != CONFIGS[config_name].config.model:
            argv += ["--model.units", *map(str, config.model.units)]
    else:
        (folder / "config.json").write_text(json.dumps(config.to_dict()))
        argv = ["-m", "bench.peers.keras_command", str(folder / "config.json"), "--seed", str(seed)]
        argv += ["--steps-per-execution", str(command.steps_per_execution)]
    epochs = _watch(argv, environment, folder / "stdout", enough)
    if command.contestant == "jaxdeep":
        path = folder / "run" / "summary.json"
        account = json.loads(path.read_text()) if path.exists() else {}
    else:
        account = json.loads(last_words((folder / "stdout").read_text().splitlines()) or "{}")
    return CommandResult(epochs, account.get("compile_seconds"))


def import_seconds(name: str, folder: Path) -> float:
    """Return the seconds to start Python and import the command's library.

    Args:
        name: Name in COMMANDS.
        folder: Temporary folder.

    Returns:
        Seconds from outside the process.
    """
    contestant = CONTESTANTS[COMMANDS[name].contestant]
    environment = clean_environment(folder, contestant)
    library = "jaxdeep" if COMMANDS[name].contestant == "jaxdeep" else "keras"
    began = time.perf_counter()
    subprocess.run(
        (sys.executable, "-c", f"import {library}"), cwd=ROOT, env=environment, capture_output=True, check=True
    )
    return time.perf_counter() - began


def command_turns(
    names: Sequence[str], config_name: str, config: Config, folder: Path, rounds: int
) -> Iterator[tuple[int, str]]:
    """Fill the cache of the warm commands, if there are any, and return the turns.

    Args:
        names: Names in COMMANDS.
        config_name: Name of the configuration in experiments.cifar.
        config: Configuration with its own number of layers.
        folder: Temporary folder. Its `cache-warm` is the cache of the warm commands.
        rounds: Number of rounds.

    Returns:
        Index of the round and name of the command for each turn.
    """
    if any(COMMANDS[name].warm for name in names):
        short = config.updated({"train.epochs": 1})
        first = folder / "filling"
        first.mkdir()
        run_command("jaxdeep-warm", config_name, short, 42, first, folder / "cache-warm")
    return turns(names, rounds)


def cache_of(name: str, folder: Path, turn: str) -> Path:
    """Return the folder of a command's compiled programs.

    Args:
        name: Name in COMMANDS.
        folder: Temporary folder of all turns.
        turn: Name of the turn.

    Returns:
        The common folder of the warm commands, or a cold command's own folder.
    """
    return folder / ("cache-warm" if COMMANDS[name].warm else f"cache-{turn}")


def _watch(
    argv: Sequence[str], environment: Mapping[str, str], stdout: Path, enough: Callable[[EpochEvent], bool]
) -> list[EpochEvent]:
    """Run a process and return the epochs that it reports on stderr."""
    epochs: list[EpochEvent] = []
    recent_lines: list[str] = []
    began = time.perf_counter()
    with stdout.open("w") as file:
        process = subprocess.Popen(
            (sys.executable, *argv), cwd=ROOT, env=dict(environment), stdout=file, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                seconds = time.perf_counter() - began
                recent_lines = [*recent_lines[-20:], line]
                if match := LINE.search(line):
                    epochs.append(EpochEvent(int(match[1]), seconds, float(match[2]), float(match[3])))
                    if enough(epochs[-1]):
                        return epochs
            if process.wait():
                raise Failed(f"status {process.returncode}: {last_words(recent_lines)}")
            return epochs
        finally:
            end(process)
            process.stderr.close()
