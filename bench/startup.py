"""`startup`: how long from the command to the first trained epoch, and where that time goes.

Whole commands on the real CIFAR-10 are timed from outside. A round runs each of them once, for three epochs with
validation. jaxdeep's cold command has an empty cache of compiled programs. Its warm command has a cache that the same
command has filled before. Keras has no such cache by default.

`compile` is jaxdeep's own account of all programs of a command. For Keras it is the time to build the network, plus the
first training step and the first validation step. The last column is the time between the lines of two epochs. It
includes writing files and checkpoints.
"""

import tempfile
from collections.abc import Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from bench.children import Failed
from bench.commands import COMMANDS, cache_of, command_turns, commands_field, import_seconds, of_layers, run_command
from bench.options import Options, say
from bench.rounds import spread
from jaxdeep.config import Config
from jaxdeep.report.layout import fitted

QUESTION = "startup"
CONFIGS = ("selu",)
LAYERS = (20, 100)
CONTESTANTS = ("jaxdeep-cold", "jaxdeep-warm", "keras-tf", "keras-jax")
EPOCHS = 3
FIGURES = {
    "import_seconds": "import, s",
    "compile_seconds": "compile, s",
    "first_epoch_seconds": "command to first epoch, s",
    "epoch_seconds": "epoch after that, s",
}
"""Figure of an entry -> header of its column."""


def run(options: Options) -> None:
    """Run the commands in turn for every configuration and depth, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    present, left_out = commands_field(options.among(CONTESTANTS), options.platform)
    for name, reason in left_out.items():
        say(f"{name} is left out: {reason}")
    for config_name, layers in product(options.configs or CONFIGS, options.layers or LAYERS):
        config = of_layers(config_name, layers)
        config = config.updated({"train.epochs": EPOCHS})
        names = [name for name in present if layers == 20 or COMMANDS[name].contestant == "jaxdeep"]
        if not names:
            continue
        say(f"startup of {config_name}, {layers} layers: {', '.join(names)}")
        entry = {
            "config": config_name,
            "layers": layers,
            "data": "cifar10",
            "synthetic": False,
            "contestants": _rounds(names, config_name, config, options.rounds),
            "left_out": left_out,
        }
        flags = ("--configs", config_name, "--layers", str(layers))
        options.keep(QUESTION, f"{config_name},layers={layers}", flags, entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    return f"{entry['config']}, {entry['layers']} layers of 100"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each command, the headers first. Figures are median (minimum - maximum).

    Args:
        entry: Entry of the record.

    Returns:
        Rows of six cells.
    """
    rows = [("command", *FIGURES.values(), "remark")]
    for name, outcome in entry["contestants"].items():
        values = {figure: _flat(outcome[figure]) for figure in FIGURES}
        cells = (f"{spread(seconds):.2f}" if seconds else "-" for seconds in values.values())
        rows.append((name, *cells, f"failed: {outcome['failed']}" if "failed" in outcome else ""))
    return rows


def _rounds(names: list[str], config_name: str, config: Config, rounds: int) -> dict[str, Any]:
    """Return the figures of each command over the rounds."""
    outcomes: dict[str, dict[str, Any]] = {name: {figure: [] for figure in FIGURES} for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count, (index, name) in enumerate(command_turns(names, config_name, config, folder, rounds)):
            if "failed" in outcomes[name]:
                continue
            try:
                figures = _one_round(name, config_name, config, folder, str(count))
            except Failed as reason:
                outcomes[name]["failed"] = str(reason).replace(temporary, "")
                say(f"{name} failed: {reason}")
                continue
            say(f"  round {index + 1}: {name} {figures['first_epoch_seconds']:.2f} s to the first epoch")
            for figure, value in figures.items():
                outcomes[name][figure].append(value)
    return outcomes


def _one_round(name: str, config_name: str, config: Config, folder: Path, turn: str) -> dict[str, Any]:
    """Return the figures of one command in one round, in seconds."""
    own = folder / turn
    own.mkdir()
    imported = import_seconds(name, own)
    result = run_command(name, config_name, config, 42, own, cache_of(name, folder, turn))
    ends = [event.seconds for event in result.epochs]
    return {
        "import_seconds": imported,
        "compile_seconds": result.compile_seconds,
        "first_epoch_seconds": ends[0],
        "epoch_seconds": [later - earlier for earlier, later in pairwise(ends)],
    }


def _flat(values: list[Any]) -> list[float]:
    """Return values and the members of lists among them as one list."""
    return [number for value in values for number in (value if isinstance(value, list) else [value])]
