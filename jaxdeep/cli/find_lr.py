"""The flag `--find-lr`, which gives a configuration's range test as a picture, a file and a suggestion."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.cli.command import Command
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.run import command_identity, load, workdir_of
from jaxdeep.cli.run import title_of as title_of_command
from jaxdeep.cli.signals import signals
from jaxdeep.cli.words import closing_line
from jaxdeep.config import refuse_other
from jaxdeep.errors import UserError
from jaxdeep.report.layout import fitted
from jaxdeep.report.range_test import range_test_curves, range_test_json, seeds_without_suggestion
from jaxdeep.report.titles import title_of
from jaxdeep.study.files import read_json, write_json, writing
from jaxdeep.train.devices import describe_device
from jaxdeep.train.lr_finder import RangeTest, find_learning_rate


def find_lr(experiment: Experiment, command: Command) -> str:
    """Run the range test and write lr_finder.json and lr_finder.png to a folder of their own.

    Args:
        experiment: Configurations and their data.
        command: Command with the configuration and the seeds.

    Returns:
        The text to print.

    Raises:
        UserError: The folder holds another test, or cannot be written.
    """
    config, data = load(experiment, command)
    identity = command_identity(experiment, command, config, data)
    folder = workdir_of(experiment, command, data, "find-lr", grows=False)
    record = folder / "lr_finder.json"
    if record.exists() and not command.overwrite:
        refuse_other(str(folder), {name: _read(record).get(name) for name in identity}, identity)
    print(f"{experiment.name} {command.name}: range test on {describe_device()}, to {folder}", file=sys.stderr)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with signals(lambda: "nothing of a range test is saved: the same command begins anew"):
        test = find_learning_rate(config, data, command.design.seeds)
    name = f"{experiment.name} {command.name} on {identity['data']['name']}"
    changed = title_of_command(experiment, command).changed(config)
    range_test_curves(folder / "lr_finder.png", test, title_of(identity, changed))
    write_json(record, {**identity, **range_test_json(test)})
    title = f"{name}: learning rates suggested as {test.rule}"
    return "\n".join((title, *range_test_table(test), closing_line(folder, "lr_finder.json")))


def _read(record: Path) -> dict[str, Any]:
    try:
        return read_json(record)
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}. Choose another folder, or give --overwrite.") from error


def range_test_table(test: RangeTest) -> list[str]:
    """Return a line for each seed and the suggestion that they have in common.

    Args:
        test: Range test of one or more seeds.

    Returns:
        Aligned lines, the headers first.
    """
    rows = [("seed", "suggested rate", "lowest smoothed loss", "diverged at")]
    for seed, losses, smoothed, suggestion in zip(
        test.seeds, test.losses, test.smoothed, test.suggestions, strict=True
    ):
        ended = np.isnan(losses)
        at = f"{test.rates[ended.argmax()]:.2e}" if ended.any() else "-"
        lowest = f"{np.nanmin(smoothed):.4f}" if np.isfinite(smoothed).any() else "-"
        rows.append((str(seed), f"{suggestion:.2e}" if np.isfinite(suggestion) else "-", lowest, at))
    return [*fitted(rows), f"suggested: {_suggested(test)}"]


def _suggested(test: RangeTest) -> str:
    """Return the common suggestion in words, with the number of seeds that gave none."""
    finite = test.suggestions[np.isfinite(test.suggestions)]
    if not len(finite):
        return (
            f"nothing. No loss of {len(test.seeds)} seeds fell and then climbed or diverged between "
            f"{test.rates[0]:.1e} and {test.rates[-1]:.1e}."
        )
    spread = f", from {finite.min():.1e} to {finite.max():.1e}" if len(finite) > 1 else ""
    missing = seeds_without_suggestion(test)
    lost = f", {missing} of {len(test.seeds)} seeds suggest nothing" if missing else ""
    return f"{test.suggestion:.1e} (geometric mean{spread}{lost})"
