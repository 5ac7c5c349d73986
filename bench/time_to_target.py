"""`time_to_target`: seconds from the command to a validation loss and to the chapter's accuracies.

Whole commands on the real CIFAR-10, timed from outside; round r trains with seed 42 + r. A command is stopped once it
has reached every goal. A goal that it has not reached when it stops by itself, early or after 100 epochs, is counted as
not reached.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.children import Failed
from bench.commands import EpochEvent, cache_of, command_turns, commands_field, run_command
from bench.options import Options, say
from bench.rounds import spread
from experiments.cifar import CONFIGS as RECIPES
from jaxdeep.report.layout import fitted

QUESTION = "time_to_target"
CONFIGS = ("elu", "bn", "selu")
CONTESTANTS = ("jaxdeep-cold", "jaxdeep-warm", "keras-jax-50", "keras-tf")
SEED = 42


class Goal(NamedTuple):
    """What is to be reached.

    Attributes:
        figure: val_loss, at most, or val_accuracy, at least.
        value: of it.
        source: of the value.
    """

    figure: str
    value: float
    source: str

    def is_reached(self, event: EpochEvent) -> bool:
        """By an epoch."""
        if self.figure == "val_loss":
            return event.val_loss <= self.value
        return event.val_accuracy >= self.value


def goals(config_name: str) -> list[Goal]:
    """8b's best validation loss, and the accuracies that the chapter prints for a configuration."""
    best = RECIPES["elu"].reported[0]
    accuracies = [Goal("val_accuracy", one.val_accuracy, one.source) for one in RECIPES[config_name].reported]
    return [Goal("val_loss", best.val_loss, "8b"), *accuracies]


def run(options: Options) -> None:
    """Every configuration: the commands in turn, an entry, a table."""
    present, left_out = commands_field(options.among(CONTESTANTS), options.platform)
    for name, reason in left_out.items():
        say(f"{name} is left out: {reason}")
    for config_name in (options.configs or CONFIGS) if present else ():
        say(f"time_to_target of {config_name}: {', '.join(present)}")
        entry = {
            "config": config_name,
            "data": "cifar10",
            "synthetic": False,
            "goals": [goal._asdict() for goal in goals(config_name)],
            "contestants": _rounds(list(present), config_name, options.rounds),
            "left_out": left_out,
        }
        options.keep(QUESTION, config_name, ("--configs", config_name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """What an entry measured, in words."""
    return f"{entry['config']}, until every goal is reached"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each command and goal, the headers first; median (minimum - maximum) of the seeds that reached it."""
    rows = [("command", "goal", "seconds", "epochs", "reached", "remark")]
    for name, outcome in entry["contestants"].items():
        for index, goal in enumerate(Goal(**goal) for goal in entry["goals"]):
            sign = "<=" if goal.figure == "val_loss" else ">="
            reached = [seed["reached"][index] for seed in outcome["seeds"] if seed["reached"][index] is not None]
            rows.append(
                (
                    name,
                    f"{goal.figure} {sign} {goal.value:.4f} ({goal.source})",
                    f"{spread([one['seconds'] for one in reached]):.1f}" if reached else "-",
                    f"{spread([one['epoch'] for one in reached]):.0f}" if reached else "-",
                    f"{len(reached)} of {len(outcome['seeds'])}",
                    f"failed: {outcome['failed']}" if "failed" in outcome else "",
                )
            )
    return rows


def _rounds(names: list[str], config_name: str, rounds: int) -> dict[str, Any]:
    config, wanted = RECIPES[config_name].config, goals(config_name)
    outcomes: dict[str, dict[str, Any]] = {name: {"seeds": []} for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count, (index, name) in enumerate(command_turns(names, config_name, config, folder, rounds)):
            if "failed" in outcomes[name]:
                continue
            reached: list[dict[str, Any] | None] = [None] * len(wanted)

            def enough(event: EpochEvent, reached: list[dict[str, Any] | None] = reached) -> bool:
                for place, goal in enumerate(wanted):
                    if reached[place] is None and goal.is_reached(event):
                        reached[place] = {"epoch": event.epoch, "seconds": event.seconds}
                return None not in reached

            own = folder / str(count)
            own.mkdir()
            try:
                result = run_command(
                    name, config_name, config, SEED + index, own, cache_of(name, folder, str(count)), enough
                )
            except Failed as reason:
                outcomes[name]["failed"] = str(reason).replace(temporary, "")
                say(f"{name} failed: {reason}")
                continue
            last = result.epochs[-1]
            say(f"  seed {SEED + index}: {name} {last.epoch} epochs, {last.seconds:.1f} s, reached {reached}")
            outcomes[name]["seeds"].append({"seed": SEED + index, "reached": reached, "epochs": last.epoch})
    return outcomes
