"""An experiment's run: images, run folder, seeds, signals, summary."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxdeep.cli.command import SEEDS_OF_RANGE_TEST, Command
from jaxdeep.cli.findings import check_study
from jaxdeep.cli.profile import Profiler
from jaxdeep.cli.progress import Progress
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.signals import Interrupted, signals
from jaxdeep.cli.uncertainty import Asked, examine
from jaxdeep.config import Config, differences, short, shortened
from jaxdeep.config.seeds import LARGEST_SEED
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import check_folds, stratified_folds
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.report.figures import RATE, seeds_without_suggestion
from jaxdeep.study.design import Design, programs_of, words_of
from jaxdeep.study.finished import Finished as Left
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.halving import epochs_of, fit_by_halving
from jaxdeep.study.result import summarise
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.devices import describe_device, use_compilation_cache
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.program import check_fits

FALLBACK_TRAIN_SIZE = 15_000
"""Training images where `--data auto` finds only the built-in set: minutes, not a quarter of an hour."""


class Finished(NamedTuple):
    """What is left of a command.

    Attributes:
        summary: the content of summary.json.
        folder: where it stands.
    """

    summary: dict[str, Any]
    folder: Path


def run(experiment: Experiment, command: Command) -> Finished:
    """Train every trial of the study, or continue, or find that it is finished.

    Args:
        experiment: what the configuration belongs to.
        command: the command.

    Raises:
        UserError: the images are not to be had, the configuration does not fit them, or the folder holds another run.
        Interrupted: a signal came.
    """
    config, data = load(experiment, command)
    workdir = workdir_of(experiment, command, data)
    identity = identity_of(experiment, command, config, data)
    if command.overwrite or not os.path.exists(workdir / "summary.json"):  # what is only shown again needs no warning
        check_study(experiment, command, config, data)
    with RunFolder(workdir, identity, overwrite=command.overwrite) as folder:
        found = folder.finished(command.design.trials(config))
        if found is None:
            summary = _train(experiment, command, config, data, identity, folder)
        else:
            summary = _mended(found, experiment, command, config, data, identity, folder)
            print(f"{workdir} is finished: these are its results", file=sys.stderr)
        diverged = all(run["diverged"] for run in summary["runs"])
        before = summary.get("uncertainty")
        asked = command.asked.with_earlier(before)
        is_answered = asked.is_answered(before, command.data_dir) and not (found and found.needs_asking)
        if command.asked and not diverged and not is_answered:
            summary |= {"uncertainty": _uncertainty(experiment, command, asked, config, data, folder)}
            folder.rewrite_summary(summary)
        return Finished(summary, workdir)


def _mended(
    found: Left,
    experiment: Experiment,
    command: Command,
    config: Config,
    data: Dataset,
    identity: Mapping[str, Any],
    folder: RunFolder,
) -> dict[str, Any]:
    """The summary of a finished run, whose files are whole afterwards."""
    trials = command.design.trials(config)
    if found.summary is None or found.needs_networks:
        if any(folder.saved_epoch(trial) is None for trial in trials):
            raise UserError(
                f"{folder.path}: {found}, and its checkpoints are gone, from which it could be made again. "
                "Copy it back to there, or --overwrite trains anew"
            )
        print(f"{folder.path}: {found}; made again from its checkpoints", file=sys.stderr)
        return _train(experiment, command, config, data, identity, folder, found.summary)
    if found.needs_drawing:
        print(f"{folder.path}: {found}; drawn again", file=sys.stderr)
        folder.redraw(found.summary, trials)
    return found.summary


def _train(
    experiment: Experiment,
    command: Command,
    config: Config,
    data: Dataset,
    identity: Mapping[str, Any],
    folder: RunFolder,
    kept: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The study, or the rest of it; what the folder holds then. A summary that is kept stays as it is."""
    train, valid, test = (f"{split.size:,}" for split in (data.train, data.valid, data.test))
    folds = f" in {command.design.folds} folds" if command.design.folds else ""
    images = identity["data"]
    print(
        f"{experiment.name} {command.name}: {train} training and {valid} validation{folds}, {test} test images "
        f"of {images['name']} ({images['source']}) on {describe_device()}, to {folder.path}",
        file=sys.stderr,
    )
    trials = command.design.trials(config)
    if len(trials) > 1:
        print(programs_of(trials, command.design.varied), file=sys.stderr)
    with Profiler(folder.profile if command.profile else None) as profiler:
        runs = _fit(command.design, config, data, folder, profiler)
    reported = () if images["synthetic"] else experiment.recipes[command.name].reported
    summary = summarise(
        identity,
        trials,
        runs,
        [asdict(figure) for figure in reported],
        command=command_of(experiment, command),
        wall_seconds=folder.wall_seconds,
    )
    if kept is not None and list(map(_extent, kept["runs"])) == list(map(_extent, summary["runs"])):
        summary = kept
    elif RATE in command.design.varied:
        first = min(command.design.seeds[0], LARGEST_SEED + 1 - SEEDS_OF_RANGE_TEST)
        test = find_learning_rate(config, data, range(first, first + SEEDS_OF_RANGE_TEST))
        summary["range_test"] = {
            "seeds": list(test.seeds),
            "suggestion": null_if_not_finite(test.suggestion),
            "without_suggestion": seeds_without_suggestion(test),
        }
    folder.write_summary(summary, trials, runs)
    return summary


def _uncertainty(
    experiment: Experiment, command: Command, asked: Asked, config: Config, data: Dataset, folder: RunFolder
) -> dict[str, Any]:
    """What the finished study's networks do not know; they come from their checkpoints."""
    trials = command.design.trials(config)
    if any(folder.saved_epoch(trial) is None for trial in trials):
        raise UserError(f"{folder.path}: its checkpoints are gone, and with them the networks; --overwrite trains anew")
    title = f"{experiment.name} {command.name} on {data.identity()['name']}"
    with signals(lambda: "the trained networks are saved; what is asked of them begins anew"):
        runs = fit_all(trials, data, checkpoints=folder.checkpoints)
        found = examine(asked, title, experiment.dataset, data, runs, folder.path, command.data_dir)
    is_comparable = asked.mc_samples is not None and not data.identity()["synthetic"]
    reported = experiment.recipes[command.name].reported_mc if is_comparable else ()
    words = " ".join((command_of(experiment, command), *asked.words()))
    return {"command": words, **found, "chapter": [asdict(figure) for figure in reported]}


def _extent(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a run's figures no machine and no version rounds."""
    return run["epochs"], run["best_epoch"], run["diverged"]


def load(experiment: Experiment, command: Command) -> tuple[Config, Dataset]:
    """The images of a command on the device, and its configuration, which trains on fewer of the built-in set.

    Raises:
        UserError: they are not to be had, or the configuration does not fit them.
    """
    config = command.config
    if config.train.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    use_compilation_cache()
    images = load_images(experiment.dataset, source=command.data, data_dir=command.data_dir)
    if images.synthetic and command.data == "auto" and config.data.train_size is None:
        config = replace(config, data=replace(config.data, train_size=FALLBACK_TRAIN_SIZE))
        print(f"training on its first {FALLBACK_TRAIN_SIZE:,} images; --data synthetic takes all", file=sys.stderr)
    data = Dataset.from_images(images, config.data)
    for trial in command.design.trials(config):
        check_fits(trial.config, data)
    if command.design.folds is not None:
        check_folds(data, command.design.folds)
    command.asked.check(config, data, len(command.design.seeds))
    return config, data


def identity_of(experiment: Experiment, command: Command, config: Config, data: Dataset) -> dict[str, Any]:
    """What two commands must share to be the same run, as nested JSON values."""
    return {
        "experiment": experiment.name,
        "name": command.name,
        "config": config.to_dict(),
        **command.design.identity(),
        "data": data.identity(),
    }


def command_of(experiment: Experiment, command: Command) -> str:
    """What repeats a command's figures, wherever its images and its folder are."""
    words = ["python", "-m", f"experiments.{experiment.name}", "--config", command.name]
    for field, (_, value) in _changed(experiment, command).items():
        words += [f"--{field}", *words_of(value)]
    return shlex.join(words + command.design.words())


def workdir_of(experiment: Experiment, command: Command, data: Dataset, *more: str) -> Path:
    """The folder of a command: as it was given, or named by what was changed, and by what more is said."""
    if command.workdir is not None:
        return command.workdir
    changed = _changed(experiment, command)
    parts = [command.name, *(f"{field}={short(value)}" for field, (_, value) in changed.items())]
    parts += command.design.parts_of_name()
    if data.identity()["synthetic"]:
        parts.append("synthetic")
    return Path("runs", experiment.name, shortened(",".join((*parts, *more))))


def _changed(experiment: Experiment, command: Command) -> dict[str, tuple[Any, Any]]:
    return differences(experiment.recipes[command.name].config.to_dict(), command.config.to_dict())


def _fit(design: Design, config: Config, data: Dataset, folder: RunFolder, profiler: Profiler) -> list[Run]:
    trials, brackets = design.trials(config), design.brackets(config)
    folds = data if design.folds is None else stratified_folds(data, config.data, design.folds, design.seeds[0])
    images = data.train.size if isinstance(folds, Dataset) else folds[0].train.size
    with (
        Progress(trials, images, epochs_of(brackets, trials) if brackets else None) as progress,
        signals(lambda: _saved(trials, folder), waits=True) as received,
    ):

        def on_epoch(index: int, history: Sequence[EpochRecord]) -> None:
            folder.follow(trials[index], history)
            progress.follow(index, history)
            profiler.follow(goes_on=len(history) < trials[index].config.train.epochs)
            if received:
                raise Interrupted(received[0])

        if brackets:
            return fit_by_halving(
                trials,
                folds,
                brackets,
                checkpoints=folder.checkpoints,
                on_epoch=on_epoch,
                on_end=progress.end,
                on_rung=progress.tell,
            )
        return fit_all(trials, folds, checkpoints=folder.checkpoints, on_epoch=on_epoch, on_end=progress.end)


def _saved(trials: Sequence[Trial], folder: RunFolder) -> str:
    """What of a study is on disk, and what the same command does next."""
    epochs = [epoch for trial in trials if (epoch := folder.saved_epoch(trial)) is not None]
    if not epochs:
        return "nothing is saved yet: the same command begins anew"
    if len(trials) == 1:
        return f"the same command continues from the last checkpoint (epoch {epochs[0]})"
    return f"the same command continues from the last checkpoints ({len(epochs)} of {len(trials)} runs have one)"
