"""`--compare`: several configurations on the same seeds, and what can be said of their differences."""

from collections.abc import Sequence

from experiments.arguments import Arguments
from experiments.recipe import Experiment
from experiments.run import run
from jaxdeep.config import shortened
from jaxdeep.report.comparison import compare, comparison_table, read_study
from jaxdeep.report.figures import learning_curves
from jaxdeep.report.files import read_histories, write_json


def compare_configurations(experiment: Experiment, commands: Sequence[Arguments]) -> str:
    """Run each configuration in its own folder, or find it finished there, and compare them.

    Args:
        experiment: what the configurations belong to.
        commands: one for each of them, with the same seeds.

    Returns:
        The text to print; comparison.json in a folder of its own holds its figures, curves.png draws all.

    Raises:
        UserError: as `run`, or they cannot be compared.
    """
    studies, folders = [], []
    for arguments in commands:
        finished = run(experiment, arguments)
        folders.append(finished.folder)
        studies.append(read_study(arguments.name, finished.folder / "summary.json", finished.folder / "hits.npz"))
    comparison = compare(studies)
    names = "+".join(comparison["names"])
    folder = folders[0].with_name(shortened(folders[0].name.replace(studies[0].name, names, 1)))
    folder.mkdir(exist_ok=True)
    histories = {study.name: read_histories(at / "metrics.jsonl") for study, at in zip(studies, folders, strict=True)}
    learning_curves(folder / "curves.png", histories, f"{experiment.name} on {comparison['data']['name']}")
    write_json(folder / "comparison.json", comparison)
    return f"{comparison_table(comparison)}\n{folder / 'comparison.json'}"
