"""One run of a command, with its images, its folder and its progress bar."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax

from jaxdeep.cli.command import Command
from jaxdeep.cli.findings import check_findings
from jaxdeep.cli.profile import Profiler
from jaxdeep.cli.progress import Progress
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.signals import Interrupted, signals
from jaxdeep.cli.table_flags import task_of
from jaxdeep.cli.words import command_of
from jaxdeep.config import Config, differences, short
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.run import study
from jaxdeep.run.study import run_design
from jaxdeep.run.training import Title
from jaxdeep.run.watch import Training, Watcher
from jaxdeep.study.brackets import Rung
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.names import folder_name, old_folder_name
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial import Trial
from jaxdeep.train.devices import use_compilation_cache
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.job import Job, current

FALLBACK_TRAIN_SIZE: Final = 15_000
"""Training images if `--data auto` finds only the built-in set. They take minutes, not a quarter of an hour."""


class Finished(NamedTuple):
    """A finished command.

    Attributes:
        result: Result of the study.
        folder: Folder of the study.
    """

    result: StudyResult
    folder: Path


def run(experiment: Experiment, command: Command) -> Finished:
    """Train the study's trials that are not trained yet, and return its result.

    Args:
        experiment: Configurations and their data.
        command: Command to run.

    Returns:
        The result of the study and its folder.

    Raises:
        UserError: The images cannot be had, the configuration does not fit them, or the folder holds another study.
        Interrupted: A signal came.
    """
    source = source_folder(experiment, command)
    config, data = load(experiment, command)
    folder = workdir_of(experiment, command, data)
    # a finished study is only shown again, without warnings
    if command.overwrite or not os.path.exists(folder / "summary.json"):
        check_findings(experiment, command, config, data)
    result = run_design(
        config,
        data,
        command.design,
        title=title_of(experiment, command),
        folder=folder,
        overwrite=command.overwrite,
        request=command.asked,
        data_dir=command.data_dir,
        watch=partial(watched, command),
        source=source,
    )
    return Finished(result, folder)


def source_folder(experiment: Experiment, command: Command) -> Path | None:
    """Return the folder of the networks that a configuration starts from, after they are trained or found there.

    They are trained with the same seeds, on the same images, with the recipe's own values.

    Args:
        experiment: Configurations and their data.
        command: Command of the configuration.

    Returns:
        The folder. None if the recipe has no source, the command names another one, or no layer is reused.
    """
    source, transfer = experiment.recipes[command.name].source, command.config.transfer
    layers = {trial.config.transfer.layers for trial in command.design.trials(command.config)}
    if source is None or transfer.source or layers == {0}:
        return None
    of_source = Command(
        name=source,
        config=experiment.recipes[source].config.updated({"train.dtype": command.config.train.dtype}),
        seed=command.seed,
        seeds=len(command.design.seeds),
        data=command.data,
        data_dir=command.data_dir,
    )
    print(f"{experiment.name} {command.name} starts from {source}", file=sys.stderr)
    return run(experiment, of_source).folder


def load(experiment: Experiment, command: Command) -> tuple[Config, Dataset]:
    """Return a command's configuration, as it is trained, and its images on the device.

    `--data auto` trains on fewer images if it finds only the built-in set.

    Args:
        experiment: Configurations and their data.
        command: Command whose images are loaded.

    Returns:
        The configuration and the data set.

    Raises:
        UserError: The images cannot be had, or the configuration does not fit them.
    """
    config = command.config
    if config.train.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    use_compilation_cache()
    if experiment.source is not None and experiment.table is not None:
        data = experiment.table.dataset(experiment.source, config)
    elif experiment.source is not None:
        data = Dataset.from_npz(experiment.source, config.data, task_of(config))
    else:
        images = load_images(experiment.dataset, source=command.data, data_dir=command.data_dir)
        is_whole = config.data.train_size is None and config.data.per_class is None
        if images.synthetic and command.data == "auto" and is_whole:
            config = config.updated({"data.train_size": FALLBACK_TRAIN_SIZE})
            print(f"training on its first {FALLBACK_TRAIN_SIZE:,} images; --data synthetic takes all", file=sys.stderr)
        data = Dataset.from_images(images, config.data)
    study.check_study(config, data, command.design)
    command.asked.check(config, data, len(command.design.seeds))
    return config, data


def title_of(experiment: Experiment, command: Command) -> Title:
    """Return the title of a command's study, with the chapter's figures to compare it with.

    Args:
        experiment: Configurations and their data.
        command: Command of the study.

    Returns:
        The title.
    """
    recipe = experiment.recipes[command.name]
    return Title(
        experiment.name,
        command.name,
        command_of(experiment, command),
        recipe.reported,
        recipe.reported_mc,
        experiment.dataset if experiment.source is None else None,
        recipe.config,
    )


def command_identity(experiment: Experiment, command: Command, config: Config, data: Dataset) -> dict[str, Any]:
    """Return the values that two commands must share to be the same study.

    Args:
        experiment: Configurations and their data.
        command: Command of the study.
        config: Configuration of the command, as it is trained.
        data: Images of the command.

    Returns:
        Nested JSON values.
    """
    return study.study_identity(title_of(experiment, command), config, data, command.design)


def workdir_of(experiment: Experiment, command: Command, data: Dataset, *more: str, grows: bool = True) -> Path:
    """Return the folder of a command, either the given one or one named by the changed fields.

    A folder that version 0.1 named is used under its old name.

    Args:
        experiment: Configurations and their data.
        command: Command of the study.
        data: Images of the command.
        more: Further parts of the name.
        grows: Whether the kept study can grow by seeds.

    Returns:
        The path of the folder, which may not exist yet.
    """
    if command.workdir is not None:
        return command.workdir
    changed = _changed(experiment, command)
    first = [command.name, *(f"{field}={short(value)}" for field, (_, value) in changed.items())]
    last = [*(["synthetic"] if data.identity()["synthetic"] else []), *more]
    parent = Path("runs", experiment.name)
    old = parent / old_folder_name([*first, *command.design.old_parts_of_name(), *last])
    new = parent / folder_name(",".join([*first, *command.design.parts_of_name(grows=grows), *last]))
    return old if old.is_dir() else new


def _changed(experiment: Experiment, command: Command) -> dict[str, tuple[Any, Any]]:
    """Return field -> the recipe's value and the command's value, for the fields that differ."""
    return differences(experiment.recipes[command.name].config.to_dict(), command.config.to_dict())


@contextmanager
def watched(command: Command, training: Training) -> Iterator[Watcher]:
    """Show a study's progress, trace it, and stop it at a signal.

    Args:
        command: Command that trains the study.
        training: Trials of the study, with their folder.

    Yields:
        A watcher that hears of each epoch.

    Raises:
        Interrupted: A signal came. It is raised after the epoch.
    """
    folder = training.folder
    assert folder is not None
    job = current()
    if not job.leads:
        with signals(lambda: _saved(training.trials, folder), waits=True) as received:
            yield _Stopping(job, received)
        return
    with (
        Profiler(folder.profile if command.profile else None) as profiler,
        Progress(training.trials, training.rows, training.epochs) as progress,
        signals(lambda: _saved(training.trials, folder), waits=True) as received,
    ):
        yield _Watcher(training.trials, progress, profiler, job, received)


class _Stopping(Watcher):
    """A watcher that ends the study after the epoch of a signal."""

    def __init__(self, job: Job, received: Sequence[int]) -> None:
        self._job, self._received = job, received

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        # processes that train a trial together stop together, which the job sees to
        if self._received and not (self._job.data_parallel and self._job.processes > 1):
            raise Interrupted(self._received[0])


class _Watcher(_Stopping):
    """A watcher that tells the progress bar and the profiler too."""

    def __init__(
        self, trials: Sequence[Trial], progress: Progress, profiler: Profiler, job: Job, received: Sequence[int]
    ) -> None:
        super().__init__(job, received)
        self._trials, self._progress, self._profiler = trials, progress, profiler

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        self._progress.follow(index, history)
        self._profiler.follow(goes_on=len(history) < self._trials[index].config.train.epochs)
        super().on_epoch(index, history)

    def on_end(self, index: int, run: Run) -> None:
        self._progress.end(index, run)

    def on_rung(self, rung: Rung, candidates: int) -> None:
        self._progress.tell(rung, candidates)


def _saved(trials: Sequence[Trial], folder: RunFolder) -> str:
    """Return in words what is saved of a study, and what the same command does next."""
    epochs = [epoch for trial in trials if (epoch := folder.saved_epoch(trial)) is not None]
    if not epochs:
        return "nothing is saved yet: the same command begins anew"
    if len(trials) == 1:
        return f"the same command continues from the last checkpoint (epoch {epochs[0]})"
    return f"the same command continues from the last checkpoints ({len(epochs)} of {len(trials)} runs have one)"
