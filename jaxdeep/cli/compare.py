"""`--compare`: several configurations on the same seeds, and what can be said of their differences."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxdeep.cli.command import Command
from jaxdeep.cli.findings import check_pairs, check_study
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.run import load, run
from jaxdeep.config import shortened
from jaxdeep.report.comparison_text import comparison_table, pairs_compared
from jaxdeep.report.figures import learning_curves
from jaxdeep.study.compare import compare, read_study
from jaxdeep.study.divergence import losses_in_words
from jaxdeep.study.files import read_histories, write_json, writing


class Compared(NamedTuple):
    """What a comparison leaves to say.

    Attributes:
        text: to print: the table, the verdicts in words, and the path of comparison.json.
        status: the exit status. 0: every pair is compared. 2: some pair is not, as too few of its runs have figures.
            3: every run of every configuration diverged.
    """

    text: str
    status: int


def compare_configurations(experiment: Experiment, commands: Sequence[Command]) -> Compared:
    """Run each configuration in its own folder, or find it finished there, and compare them.

    Args:
        experiment: what the configurations belong to.
        commands: one for each of them, with the same seeds.

    Returns:
        The text to print and the exit status. comparison.json in a folder of its own holds the figures, and
        curves.png draws all runs.

    Raises:
        UserError: as `run`, or they cannot be compared.
    """
    check_pairs(commands)
    for command in commands:
        if command.strict:  # before the first one is trained
            check_study(experiment, command, *load(experiment, command))
    studies, folders = [], []
    for command in commands:
        finished = run(experiment, command)
        folders.append(finished.folder)
        studies.append(read_study(command.name, finished.folder / "summary.json", finished.folder / "hits.npz"))
    comparison = compare(studies)
    names = "+".join(comparison["names"])
    folder = folders[0].with_name(shortened(folders[0].name.replace(studies[0].name, names, 1)))
    with writing(folder):
        folder.mkdir(exist_ok=True)
    histories = {study.name: read_histories(at / "metrics.jsonl") for study, at in zip(studies, folders, strict=True)}
    learning_curves(folder / "curves.png", histories, f"{experiment.name} on {comparison['data']['name']}")
    write_json(folder / "comparison.json", comparison)
    return Compared(f"{comparison_table(comparison)}\n{folder / 'comparison.json'}", _status(comparison))


def _status(comparison: Mapping[str, Any]) -> int:
    """Judge how a comparison ended, and say on stderr who diverged where a pair could not be compared."""
    counts = comparison["diverged"].values()
    if all(of["diverged"] == of["runs"] for of in counts):
        print("every run of every configuration diverged", file=sys.stderr)
        return 3
    if missing := len(comparison["pairs"]) - pairs_compared(comparison):
        noun = "runs" if comparison["pairs"][0]["folds"] else "seeds"
        who = "; ".join(
            said for name, of in comparison["diverged"].items() for said in losses_in_words(name, **of, noun=noun)
        )
        print(
            f"error: {missing} of {len(comparison['pairs'])} pairs could not be compared: {who}. "
            "Lower the learning rate of what diverged, or leave it out of --compare.",
            file=sys.stderr,
        )
        return 2
    return 0
