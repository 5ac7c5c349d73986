"""The flag `--tune`, which trains each configuration at its own best learning rate, found with the same budget."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from jaxdeep.cli.budget import TUNE_FLAGS
from jaxdeep.cli.command import Command
from jaxdeep.cli.compare import Compared, folder_of_comparison, status_of, write_comparison
from jaxdeep.cli.findings import check_findings, check_pairs
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.run import load, title_of, watched, workdir_of
from jaxdeep.cli.words import closing_line, command_for, tune_command
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.report.comparison_text import comparison_table
from jaxdeep.report.tables import study_table
from jaxdeep.report.tuning_text import tuning_text
from jaxdeep.run.rate_search import SEARCH, Way
from jaxdeep.run.training import Title
from jaxdeep.run.tuning import TUNE, tune_all
from jaxdeep.study.design import Design
from jaxdeep.study.files import write_json, writing
from jaxdeep.study.tuned import RATE
from jaxdeep.terminal import width_of
from jaxdeep.train.job import current


def tune_configurations(experiment: Experiment, commands: Sequence[Command]) -> Compared:
    """Search the learning rate of each configuration, train each at its own best rate, and compare several.

    The searches lie in the folder tune/. The studies of the fresh seeds lie where the same commands with
    --optim.learning-rate in place of --tune have them. tune.json lies beside comparison.json, or in tune/ if there is
    one configuration.

    Args:
        experiment: Configurations and their data.
        commands: One command for each configuration, all with the same flags.

    Returns:
        The text to print and the exit status.

    Raises:
        UserError: A configuration cannot be run, or the studies cannot be compared.
    """
    first, rows = commands[0], _Rows(experiment)
    check_pairs([replace(command, config=_at_rate_of(first, command.config)) for command in commands])
    entrants = [_Entrant(experiment, command, rows) for command in commands]
    for entrant in entrants:  # before anything is trained
        entrant.check_findings()
    way = Way(first.overwrite, partial(watched, first))
    result = tune_all(entrants, first.budget, first.design.seeds, way, tune_command(experiment, commands))
    studies, width = list(result.studies.values()), width_of(sys.stdout)
    folder = entrants[0].folder_of_tuning([command.name for command in commands])
    if current().leads:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / TUNE, result.tuning.to_json())
    text = tuning_text(result.tuning, width)
    if len(studies) == 1:
        (study,) = studies
        closing = closing_line(entrants[0].fresh_folder(_changes(result.tuning.best_rates, first)), "summary.json")
        text = "\n".join((text, study_table(study, width), closing_line(folder, TUNE), closing))
        return Compared(text, 3 if study.diverged == len(study.trials) else 0)
    comparison = write_comparison(studies, folder, first.smallest_effect)
    text = "\n".join((text, comparison_table(comparison, width), closing_line(folder, "comparison.json", TUNE)))
    return Compared(text, status_of(comparison))


def _at_rate_of(first: Command, config: Config) -> Config:
    """Return a configuration at the first one's learning rate, since each gets its own best rate."""
    return config.updated({RATE: first.config.optim.learning_rate})


def _changes(best_rates: Mapping[str, float], command: Command) -> dict[str, Any]:
    return {RATE: best_rates[command.name]}


class _Rows:
    """The rows of the configuration that was loaded last, for configurations that prepare them alike."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._key: Any = None
        self._last: tuple[Config, Dataset] | None = None

    def of(self, command: Command) -> tuple[Config, Dataset]:
        """Return a command's configuration, as it is trained, and its rows.

        Args:
            command: Command whose rows are loaded.
        """
        key = (command.config.data, command.config.train.dtype)
        if self._last is None or key != self._key:
            self._last = None  # free the memory first
            self._last = load(self._experiment, command)
            self._key = key
        config, data = self._last
        return replace(command.config, data=config.data), data


@dataclass(frozen=True)
class _Entrant:
    """A configuration of an experiment that is tuned."""

    experiment: Experiment
    command: Command
    rows: _Rows = field(repr=False)

    @property
    def name(self) -> str:
        return self.command.name

    def load(self) -> tuple[Config, Dataset]:
        return self.rows.of(self.command)

    def check_findings(self) -> None:
        """Warn of probable mistakes, or refuse them with --strict. A finished search is not checked again."""
        config, data = self.load()
        epochs = self.command.budget.epochs_of(config.train.epochs)
        folder = self.search_folder({"train.epochs": epochs}, data)
        if self.command.strict or self.command.overwrite or not (folder / SEARCH / "summary.json").exists():
            check_findings(self.experiment, self.command, config, data)

    def search_folder(self, changes: Mapping[str, Any], data: Dataset) -> Path:
        command = replace(self._plain(changes), seeds=self.command.budget.seeds)
        name = workdir_of(self.experiment, command, data, grows=False)
        return name.parent / "tune" / name.name

    def fresh_folder(self, changes: Mapping[str, Any], data: Dataset | None = None) -> Path:
        rows = self.load()[1] if data is None else data
        return workdir_of(self.experiment, self._plain(changes), rows)

    def folder_of_tuning(self, names: Sequence[str]) -> Path:
        """Return the folder of tune.json. It is that of the comparison if there are several names.

        Args:
            names: Names of all configurations that are tuned.
        """
        budget = [f"{name}={value}" for name in TUNE_FLAGS if (value := getattr(self.command, name)) is not None]
        folder = workdir_of(self.experiment, self._plain({}), self.load()[1], "tuned", *budget)
        return folder_of_comparison(folder, names) if len(names) > 1 else folder.parent / "tune" / folder.name

    def title(self, changes: Mapping[str, Any], design: Design) -> Title:
        command = self.command
        words = command_for(self.experiment, command, command.config.updated(changes), design)
        return replace(title_of(self.experiment, command), command=words)

    def _plain(self, changes: Mapping[str, Any]) -> Command:
        """Return the command without --tune, with other values of some fields."""
        without = dict.fromkeys(TUNE_FLAGS)
        seeds = len(self.command.design.seeds)
        config = self.command.config.updated(changes)
        return replace(self.command, config=config, seeds=seeds, compare=(), tune=False, strict=False, **without)
