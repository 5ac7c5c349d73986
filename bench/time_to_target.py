"""`time_to_target`: seconds from the command to a validation loss and to the chapter's accuracies.

Whole commands on the real CIFAR-10 are timed from outside. Round r trains with seed 42 + r. A command is stopped once
it has reached every goal. A command that stops by itself, early or after 100 epochs, has not reached its other goals.
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
    """A figure to reach.

    Attributes:
        figure: Name of the figure, val_loss in nats or val_accuracy in [0, 1].
        value: Largest loss or smallest accuracy that reaches the goal.
        source: Source of the value.
    """

    figure: str
    value: float
    source: str

    def is_reached(self, event: EpochEvent) -> bool:
        """Say whether an epoch reaches the goal.

        Args:
            event: Epoch that a command has reported.

        Returns:
            True if its figure is at least as good as the value.
        """
        if self.figure == "val_loss":
            return event.val_loss <= self.value
        return event.val_accuracy >= self.value


def goals(config_name: str) -> list[Goal]:
    """Return the goals of a configuration.

    Args:
        config_name: Name of the configuration in experiments.cifar.

    Returns:
        8b's best validation loss, then the accuracies that the chapter prints for the configuration.
    """
    best = RECIPES["elu"].reported[0]
    accuracies = [Goal("val_accuracy", row.val_accuracy, row.source) for row in RECIPES[config_name].reported]
    return [Goal("val_loss", best.val_loss, "8b"), *accuracies]


def run(options: Options) -> None:
    """Run the commands in turn for every configuration, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
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
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    return f"{entry['config']}, until every goal is reached"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each command and goal, the headers first.

    Figures are median (minimum - maximum) over the seeds that reached the goal.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of six cells.
    """
    rows = [("command", "goal", "seconds", "epochs", "reached", "remark")]
    for name, outcome in entry["contestants"].items():
        for index, goal in enumerate(Goal(**goal) for goal in entry["goals"]):
            sign = "<=" if goal.figure == "val_loss" else ">="
            reached = [seed["reached"][index] for seed in outcome["seeds"] if seed["reached"][index] is not None]
            rows.append(
                (
                    name,
                    f"{goal.figure} {sign} {goal.value:.4f} ({goal.source})",
                    f"{spread([event['seconds'] for event in reached]):.1f}" if reached else "-",
                    f"{spread([event['epoch'] for event in reached]):.0f}" if reached else "-",
                    f"{len(reached)} of {len(outcome['seeds'])}",
                    f"failed: {outcome['failed']}" if "failed" in outcome else "",
                )
            )
    return rows


def _rounds(names: list[str], config_name: str, rounds: int) -> dict[str, Any]:
    """Return the reached goals of each command, by seed."""
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
