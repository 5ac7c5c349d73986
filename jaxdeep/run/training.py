"""The training of a study, with or without a folder that keeps it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from jaxdeep.config import Config
from jaxdeep.config.identity import changed_fields
from jaxdeep.config.seeds import LARGEST_SEED
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import stratified_folds
from jaxdeep.data.subsets import selected
from jaxdeep.report.figures import draw_study
from jaxdeep.report.range_test import seeds_without_suggestion
from jaxdeep.report.rate_curves import RATE
from jaxdeep.run.watch import Training, Watch
from jaxdeep.study.brackets import epochs_of
from jaxdeep.study.design import Design, programs_of
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.halving import train_by_halving
from jaxdeep.study.names import printable
from jaxdeep.study.reported import Reported, ReportedMC
from jaxdeep.study.result import StudyResult
from jaxdeep.study.runner import rows_of_trials, train_all
from jaxdeep.study.summarise import select, summarise
from jaxdeep.study.trial import Trial
from jaxdeep.train.devices import describe_device
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.job import current
from jaxdeep.train.lr_finder import find_learning_rate

LOG: Final = logging.getLogger("jaxdeep")
SEEDS_OF_RANGE_TEST: Final = 5
"""Number of seeds of the range test that is drawn beside a study of learning rates."""


@dataclass(frozen=True)
class Title:
    """The names of a study, and the chapter's figures for it.

    Attributes:
        experiment: Name of the experiment, the first part of titles.
        name: Name of the configuration.
        command: Command that repeats the study, or None.
        reported: Figures that the chapter's sources print.
        reported_mc: Figures of MC dropout that the chapter's sources print.
        dataset: Name of the image set, or None for rows that are no images. Uncertainty is compared with the other
            sets' images.
        base: The named configuration before anything was changed, or None if no recipe has that name.
    """

    experiment: str = "study"
    name: str = "config"
    command: str | None = None
    reported: tuple[Reported, ...] = ()
    reported_mc: tuple[ReportedMC, ...] = ()
    dataset: str | None = None
    base: Config | None = None

    def changed(self, config: Config) -> dict[str, Any] | None:
        """Return the fields that differ from the named configuration, by dotted name, or None if there is none.

        Args:
            config: configuration of the study.
        """
        return None if self.base is None else changed_fields(self.base.to_dict(), config.to_dict())


@dataclass(frozen=True)
class Plan:
    """A study before its training.

    Attributes:
        config: Configuration that the design varies.
        data: Rows of the study.
        design: Seeds, candidates and folds.
        trials: All trials of the design, in their order.
        identity: Values that make it this study, as nested JSON values.
        title: Title of the study.
        watch: Function that returns a watcher's context.
        verbose: Whether MC dropout shows a progress bar. None: in a terminal or a notebook.
        range_test: Suggestion of a range test as JSON values, for a study that varies the learning rate. None runs one.
        source: Run, saved network or run folder that the trials start from. None takes what `transfer.source` names.
    """

    config: Config
    data: Dataset
    design: Design
    trials: tuple[Trial, ...]
    identity: dict[str, Any]
    title: Title
    watch: Watch
    verbose: bool | None = None
    range_test: dict[str, Any] | None = None
    source: Run | Path | str | None = None

    @property
    def folds(self) -> Dataset | tuple[Dataset, ...]:
        """Return the data set, or its folds. The first seed deals the folds."""
        design = self.design
        if design.folds is None:
            return self.data
        return stratified_folds(self.data, self.config.data, design.folds, design.seeds[0])


def train_study(
    study: Plan, folder: RunFolder | None, earlier: StudyResult | None, kept: StudyResult | None = None
) -> StudyResult:
    """Train the trials that an earlier result does not hold, write the folder, and return the result.

    Args:
        study: Study to train.
        folder: Folder that keeps the study, or None.
        earlier: Result of a smaller study, or None. Its trials are not trained again.
        kept: Result whose figures stay if the new ones agree with them, or None.

    Returns:
        The result of all trials of the study.
    """
    began = time.perf_counter()
    _log_start(study, folder, earlier)
    if folder is not None:
        folder.kept = earlier
    folds = study.folds
    runs = _fit(study, folds, folder, earlier)
    result = summarise(
        study.identity,
        study.trials,
        runs,
        overlap=_overlap(study.config, folds),
        earlier=earlier,
        reported=[] if study.data.identity()["synthetic"] else [asdict(figure) for figure in study.title.reported],
        changed=study.title.changed(study.config),
        command=study.title.command,
        wall_seconds=time.perf_counter() - began if folder is None else folder.wall_seconds,
    )
    if kept is not None and _extents(kept) == _extents(result):
        arrays = {name: getattr(result, name) for name in ("histories", "correct", "runs")}
        result = replace(kept, **arrays)
    elif RATE in study.design.varied and not study.config.transfer.is_used:
        known = (earlier and earlier.range_test) or study.range_test
        result = replace(result, range_test=known or current().once(lambda: _range_test(study)))
    if folder is not None:
        folder.write_figures(result)
        folder.write_networks(result)
        if current().leads:
            draw_study(result, folder.path)
        folder.write_result(result)
    return result


def _log_start(study: Plan, folder: RunFolder | None, earlier: StudyResult | None) -> None:
    """Log the study's data, device and number of trials."""
    data, images = selected(study.data, study.config.data), study.identity["data"]
    train, valid, test = (f"{split.size:,}" for split in (data.train, data.valid, data.test))
    folds = f" in {study.design.folds} folds" if study.design.folds else ""
    folds += " drawn for each seed" if study.config.data.resample else ""
    LOG.info(
        "%s %s: %s training and %s validation%s, %s test images of %s (%s) on %s%s",
        *(study.title.experiment, study.title.name, train, valid, folds, test, images["name"], images["source"]),
        *(describe_device(), "" if folder is None else f", to {printable(folder.path)}"),
    )
    if len(study.trials) > 1:
        new = "" if earlier is None else f", {len(study.trials) - len(earlier.trials)} of them new"
        LOG.info("%s%s", programs_of(study.trials, study.design.varied), new)


def _fit(
    study: Plan, folds: Dataset | tuple[Dataset, ...], folder: RunFolder | None, earlier: StudyResult | None
) -> dict[int, Run]:
    """Train the trials that an earlier result does not hold, and return index of the trial -> run."""
    known = {} if earlier is None else {trial.name for trial in earlier.trials}
    places = [index for index, trial in enumerate(study.trials) if trial.name not in known]
    trials, brackets = [study.trials[index] for index in places], study.design.brackets(study.config)
    training = Training(
        trials, rows_of_trials(trials, folds), epochs_of(brackets, trials) if brackets else None, folder
    )
    with study.watch(training) as watcher:

        def on_epoch(index: int, history: Sequence[EpochRecord]) -> None:
            if folder is not None:
                folder.follow(trials[index], history)
            watcher.on_epoch(index, history)

        common: dict[str, Any] = {"on_epoch": on_epoch, "on_end": watcher.on_end, "source": study.source}
        if folder is not None:
            common["checkpoints"] = folder.checkpoints
        if brackets:
            runs = train_by_halving(trials, folds, brackets, on_rung=watcher.on_rung, **common)
        else:
            runs = train_all(trials, folds, **common)
    return dict(zip(places, runs, strict=True))


def _range_test(study: Plan) -> dict[str, Any]:
    """Return the suggestion of a range test, as JSON values."""
    first = min(study.design.seeds[0], LARGEST_SEED + 1 - SEEDS_OF_RANGE_TEST)
    test = find_learning_rate(study.config, study.data, range(first, first + SEEDS_OF_RANGE_TEST))
    return {
        "seeds": list(test.seeds),
        "suggestion": null_if_not_finite(test.suggestion),
        "without_suggestion": seeds_without_suggestion(test),
    }


def part_of(study: Plan, result: StudyResult) -> StudyResult:
    """Return the result of a study as a part of a larger study's result.

    Args:
        study: Smaller study. The larger study holds all its trials.
        result: Result of the larger study, with its histories.

    Returns:
        The result of the smaller study.
    """
    return select(result, study.identity, study.trials, _overlap(study.config, study.folds))


def _overlap(config: Config, folds: Dataset | tuple[Dataset, ...]) -> float:
    """Return validation rows over training rows of a trial for `mean_over_runs`. It is 0 if all trials share them."""
    if isinstance(folds, Dataset) and not config.data.resample:
        return 0.0
    data = folds if isinstance(folds, Dataset) else folds[0]
    return data.valid.size / data.train.size


def _extents(result: StudyResult) -> list[tuple[Any, ...]]:
    """Return the figures that no machine and no version rounds."""
    return [(trial.epochs, trial.best_epoch, trial.diverged) for trial in result.trials]
