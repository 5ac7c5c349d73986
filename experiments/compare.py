"""`--compare`: several configurations on the same seeds, and what can be said of their differences."""

from collections.abc import Sequence

from experiments.arguments import Arguments
from experiments.recipe import Experiment
from experiments.run import run
from jaxdeep.report.comparison import compare, comparison_table, read_study
from jaxdeep.report.run_folder import write_json


def compare_configurations(experiment: Experiment, commands: Sequence[Arguments]) -> str:
    """Run each configuration in its own folder, or find it finished there, and compare them.

    Args:
        experiment: what the configurations belong to.
        commands: one for each of them, with the same seeds.

    Returns:
        The text to print; comparison.json in a folder of its own holds its figures.

    Raises:
        UserError: as `run`, or they cannot be compared.
    """
    studies, folders = [], []
    for arguments in commands:
        finished = run(experiment, arguments)
        folders.append(finished.folder)
        studies.append(read_study(arguments.name, finished.folder / "summary.json", finished.folder / "hits.npz"))
    comparison = compare(studies)
    folder = folders[0].with_name(folders[0].name.replace(studies[0].name, "+".join(comparison["names"]), 1))
    folder.mkdir(exist_ok=True)
    write_json(folder / "comparison.json", comparison)
    return f"{comparison_table(comparison)}\n{folder / 'comparison.json'}"
