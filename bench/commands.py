"""Whole commands, timed from outside: jaxdeep's own and Keras's, by the lines that they write as each epoch ends."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from bench.children import ROOT, Failed, end, last_words
from bench.contestants import CONTESTANTS, Contestants, clean_environment, field
from bench.rounds import turns
from experiments.cifar import CONFIGS
from jaxdeep.config import Config

LINE = re.compile(r"epoch (\d+)/\d+: .*val_loss (\S+), val_accuracy ([^\s,]+)")


class PeerCommand(NamedTuple):
    """A way to train a configuration from the command line.

    Attributes:
        contestant: whose packages and environment it has.
        warm: whether it finds its programs compiled, in a cache that an earlier command filled.
        steps_per_execution: of Keras.
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


class EpochEvent(NamedTuple):
    """An epoch that a command has reported.

    Attributes:
        epoch: counted from 1.
        seconds: since the command began.
        val_loss: as printed.
        val_accuracy: as printed.
    """

    epoch: int
    seconds: float
    val_loss: float
    val_accuracy: float


class CommandResult(NamedTuple):
    """What a command did.

    Attributes:
        epochs: it reported.
        compile_seconds: by its own account; None where it was stopped before it gave one.
    """

    epochs: list[EpochEvent]
    compile_seconds: float | None


def commands_field(names: Sequence[str], platform: str) -> Contestants:
    """Those of the named commands that can run here, and why the others cannot.

    They train on the real CIFAR-10, from the files of its Python version.
    """
    folder = os.environ.get("JAXDEEP_DATA")
    if not folder or not (Path(folder) / "cifar-10-batches-py").is_dir():
        return Contestants((), dict.fromkeys(names, "JAXDEEP_DATA names no folder with cifar-10-batches-py"))
    left_out = field([COMMANDS[name].contestant for name in names], platform).left_out
    reasons = {name: left_out[COMMANDS[name].contestant] for name in names if COMMANDS[name].contestant in left_out}
    return Contestants(tuple(name for name in names if name not in reasons), reasons)


def of_layers(name: str, layers: int) -> Config:
    """A configuration of the chapter with another number of hidden layers."""
    config = CONFIGS[name].config
    return replace(config, model=replace(config.model, units=(100,) * layers))


def run_command(
    name: str,
    config_name: str,
    config: Config,
    seed: int,
    folder: Path,
    cache: Path,
    enough: Callable[[EpochEvent], bool] = lambda _: False,
) -> CommandResult:
    """Run a command to its end, or until enough is known.

    Args:
        name: of the command.
        config_name: of the configuration.
        config: the same, with what differs from it: its number of epochs and of layers.
        seed: of the run.
        folder: empty; for its files.
        cache: for compiled programs; only jaxdeep's commands keep any.
        enough: whether the command is to be stopped after an epoch.

    Raises:
        Failed: it did.
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
    """What it takes to start Python and import the command's library, in seconds."""
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
    """The turns, once the cache of the warm commands is filled, in the folder's `cache-warm`."""
    if any(COMMANDS[name].warm for name in names):
        short = replace(config, train=replace(config.train, epochs=1))
        first = folder / "filling"
        first.mkdir()
        run_command("jaxdeep-warm", config_name, short, 42, first, folder / "cache-warm")
    return turns(names, rounds)


def cache_of(name: str, folder: Path, turn: str) -> Path:
    """The cache of compiled programs of a command: its own, but for warm ones."""
    return folder / ("cache-warm" if COMMANDS[name].warm else f"cache-{turn}")


def _watch(
    argv: Sequence[str], environment: Mapping[str, str], stdout: Path, enough: Callable[[EpochEvent], bool]
) -> list[EpochEvent]:
    epochs: list[EpochEvent] = []
    said: list[str] = []
    began = time.perf_counter()
    with stdout.open("w") as file:
        process = subprocess.Popen(
            (sys.executable, *argv), cwd=ROOT, env=dict(environment), stdout=file, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                seconds = time.perf_counter() - began
                said = [*said[-20:], line]
                if found := LINE.search(line):
                    epochs.append(EpochEvent(int(found[1]), seconds, float(found[2]), float(found[3])))
                    if enough(epochs[-1]):
                        return epochs
            if process.wait():
                raise Failed(f"status {process.returncode}: {last_words(said)}")
            return epochs
        finally:
            end(process)
            process.stderr.close()
