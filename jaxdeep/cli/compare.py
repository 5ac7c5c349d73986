"""The flag `--compare`, which trains several configurations on the same seeds and tests their differences."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jaxdeep.analysis.evidence import SMALLEST_EFFECT
from jaxdeep.cli.command import Command
from jaxdeep.cli.findings import check_findings, check_pairs
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.run import Finished, load, run
from jaxdeep.cli.words import closing_line
from jaxdeep.report.comparison_text import comparison_table
from jaxdeep.report.divergence import losses_in_words
from jaxdeep.report.figures import histories_by_key, loss_of
from jaxdeep.report.learning_curves import learning_curves
from jaxdeep.report.titles import title_of_comparison
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.files import write_json, writing
from jaxdeep.study.names import folder_name
from jaxdeep.study.result import StudyResult
from jaxdeep.terminal import width_of
from jaxdeep.train.job import current


class Compared(NamedTuple):
    """The end of a comparison, for the command line.

    Attributes:
        text: Text to print. It holds the table, the verdicts in words, and the folder with its files.
        status: Exit status. 0 if every pair is compared. 2 if a pair is not, because too few of its runs have figures.
            3 if every run of every configuration diverged.
    """

    text: str
    status: int


def compare_configurations(experiment: Experiment, commands: Sequence[Command]) -> Compared:
    """Run each configuration in its own folder, or find it finished there, and compare them.

    The comparison has a folder of its own. Its comparison.json holds the figures, and its curves.png draws all trials.

    Args:
        experiment: Configurations and their data.
        commands: One command for each configuration, all with the same seeds.

    Returns:
        The text to print and the exit status.

    Raises:
        UserError: A configuration cannot be run, or the studies cannot be compared.
    """
    check_pairs(commands)
    for command in commands:
        if command.strict:  # before anything is trained
            check_findings(experiment, command, *load(experiment, command))
    finished = [_without_runs(run(experiment, command)) for command in commands]
    studies = [result for result, _ in finished]
    folder = folder_of_comparison(finished[0].folder, [study.name for study in studies])
    comparison = write_comparison(studies, folder, commands[0].smallest_effect)
    return Compared(
        f"{comparison_table(comparison, width_of(sys.stdout))}\n{closing_line(folder, 'comparison.json')}",
        status_of(comparison),
    )


def _without_runs(finished: Finished) -> Finished:
    """Return a finished command without its networks, which hold the rows of their data set."""
    return finished._replace(result=replace(finished.result, runs={}))


def write_comparison(studies: Sequence[StudyResult], folder: Path, smallest_effect: float | None = None) -> Comparison:
    """Compare studies, and write comparison.json and curves.png.

    Args:
        studies: Two or more studies on the same rows, each with its own name.
        folder: Folder of the files. It is made if it does not exist.
        smallest_effect: Smallest effect of interest above 0. None takes half a point of accuracy or 0.005 nats.

    Returns:
        The comparison.

    Raises:
        UserError: The studies cannot be compared, or a file cannot be written.
    """
    smallest = SMALLEST_EFFECT if smallest_effect is None else smallest_effect
    comparison = compare_studies(studies, smallest_effect=smallest)
    if not current().leads:
        return comparison
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    curves = {study.name: histories_by_key(study) for study in studies}
    learning_curves(
        folder / "curves.png", curves, title_of_comparison(studies), metric=comparison.metric, loss=loss_of(studies[0])
    )
    write_json(folder / "comparison.json", comparison.to_json())
    return comparison


def folder_of_comparison(first: Path, names: Sequence[str]) -> Path:
    """Return a comparison's folder, named after the folder of the first configuration.

    Args:
        first: Folder of the first configuration. Its name begins with the name of the configuration.
        names: Names of all configurations.
    """
    return first.with_name(folder_name(first.name.replace(names[0], "-vs-".join(names), 1)))


def status_of(comparison: Comparison) -> int:
    """Return the exit status, and print the diverged runs on stderr if a pair could not be compared.

    Args:
        comparison: Finished comparison.
    """
    if all(counts.diverged == counts.runs for counts in comparison.diverged.values()):
        print("every run of every configuration diverged", file=sys.stderr)
        return 3
    if missing := len(comparison.pairs) - comparison.pairs_compared:
        noun = "runs" if comparison.pairs[0].folds else "seeds"
        who = "; ".join(
            words
            for name, counts in comparison.diverged.items()
            for words in losses_in_words(name, counts.runs, counts.diverged, counts.left_out, noun=noun)
        )
        print(
            f"error: {missing} of {len(comparison.pairs)} pairs could not be compared: {who}. "
            "Lower the learning rate of the diverged configuration, or leave it out of --compare.",
            file=sys.stderr,
        )
        return 2
    return 0
