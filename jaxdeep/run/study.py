"""A study from configuration, data and design to its result, and in a folder to its files."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from jaxdeep.config import Config, differences
from jaxdeep.config.identity import comparable
from jaxdeep.config.seeds import LARGEST_SEED
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import check_folds, stratified_folds
from jaxdeep.errors import UserError
from jaxdeep.report.figures import RATE, draw_study, seeds_without_suggestion
from jaxdeep.report.tables import study_table
from jaxdeep.report.uncertainty_tables import uncertainty_table
from jaxdeep.run.uncertainty import UncertaintyRequest, evaluate_uncertainty
from jaxdeep.run.watch import Training, Watch, unwatched
from jaxdeep.study.design import Design, programs_of
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.halving import epochs_of, fit_by_halving
from jaxdeep.study.reported import Reported, ReportedMC
from jaxdeep.study.result import StudyResult
from jaxdeep.study.runner import fit_all
from jaxdeep.study.stored import SUMMARY, Stored
from jaxdeep.study.summarise import select, summarise
from jaxdeep.study.trial import Trial
from jaxdeep.train.checks import check_fits
from jaxdeep.train.devices import describe_device
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.lr_finder import find_learning_rate

LOG: Final = logging.getLogger("jaxdeep")
SEEDS_OF_RANGE_TEST: Final = 5


@dataclass(frozen=True)
class Title:
    """What a study is called, and what it is compared with.

    Attributes:
        experiment: name of the experiment, the first part of titles.
        name: name of the configuration.
        command: command that repeats the study, or None.
        reported: figures that the chapter's sources print.
        reported_mc: figures of MC dropout that the chapter's sources print.
        dataset: name of the images, by which those of other sets are chosen, or None for rows that are no images.
    """

    experiment: str = "study"
    name: str = "config"
    command: str | None = None
    reported: tuple[Reported, ...] = ()
    reported_mc: tuple[ReportedMC, ...] = ()
    dataset: str | None = None


@dataclass(frozen=True)
class _Study:
    """What the functions below have in common."""

    config: Config
    data: Dataset
    design: Design
    trials: tuple[Trial, ...]
    identity: dict[str, Any]
    title: Title
    watch: Watch

    @property
    def folds(self) -> Dataset | tuple[Dataset, ...]:
        """The data set, or its folds, which the first seed deals."""
        design = self.design
        if design.folds is None:
            return self.data
        return stratified_folds(self.data, self.config.data, design.folds, design.seeds[0])


def check_study(config: Config, data: Dataset, design: Design) -> tuple[Trial, ...]:
    """Return the trials of a study, after a check that each of them can be run on these rows.

    Args:
        config: configuration that the design varies.
        data: rows of the study.
        design: what is run.

    Raises:
        UserError: a configuration does not fit the rows, or there are fewer rows of a class than folds.
    """
    trials = design.trials(config)
    for of_trial in dict.fromkeys(trial.config for trial in trials):
        check_fits(of_trial, data)
    if design.folds is not None:
        check_folds(data, design.folds)
    return trials


def identity_of(title: Title, config: Config, data: Dataset, design: Design) -> dict[str, Any]:
    """Return what two studies must share to be the same, as nested JSON values.

    Args:
        title: its experiment and name.
        config: configuration that the design varies.
        data: rows of the study.
        design: what is run.
    """
    return {
        "experiment": title.experiment,
        "name": title.name,
        "config": config.to_dict(),
        **design.identity(),
        "data": data.identity(),
    }


def run_design(
    config: Config,
    data: Dataset,
    design: Design,
    *,
    title: Title = Title(),
    folder: Path | None = None,
    overwrite: bool = False,
    earlier: StudyResult | None = None,
    request: UncertaintyRequest = UncertaintyRequest(),  # noqa: B008 (frozen)
    data_dir: Path | None = None,
    watch: Watch = unwatched,
) -> StudyResult:
    """Train every trial of a study, or those that are new, or find that it is finished.

    Args:
        config: configuration that the design varies.
        data: rows of the study.
        design: what is run.
        title: what the study is called.
        folder: folder that keeps the study, or None to keep it in memory alone.
        overwrite: whether another study's files are removed from the folder first.
        earlier: result of a smaller study of the same configuration, whose trials are not trained again. It must hold
            its histories. None without one. A folder keeps the smaller study itself.
        request: what is asked of the trained networks.
        data_dir: folder where classic files of other sets may be, for the request.
        watch: gives who follows the training.

    Raises:
        UserError: the configuration does not fit the rows, or the folder or `earlier` holds another study.
    """
    trials = check_study(config, data, design)
    request.check(config, data, len(design.seeds))
    study = _Study(config, data, design, trials, identity_of(title, config, data, design), title, watch)
    if folder is None:
        result = _in_memory(study, earlier)
        if request and result.diverged < len(result.trials):
            runs = [result.runs[index] for index in range(len(trials)) if index in result.runs]
            if len(runs) < len(trials):
                raise UserError("the earlier study's networks are not in memory. Give run_study a folder")
            result = replace(result, uncertainty=_uncertainty(study, request, runs, None, data_dir))
        return result
    with RunFolder(folder, study.identity, overwrite=overwrite) as opened:
        return _in_folder(study, opened, request, data_dir)


def _in_memory(study: _Study, earlier: StudyResult | None) -> StudyResult:
    if earlier is None:
        return _train(study, None, None)
    how = relation(earlier.identity(), study.identity)
    if how is Relation.LONGER:
        raise UserError("earlier has fewer epochs, from which a folder alone goes on. Leave it out, or give a folder")
    if how is Relation.OTHER:
        differing = ", ".join(differences(comparable(earlier.identity()), comparable(study.identity)))
        raise UserError(f"earlier is another study: {differing}. Leave it out")
    lacks = "histories" if not earlier.histories else "rows that are classified correctly"
    if not earlier.histories or earlier.correct is None:
        raise UserError(f"earlier holds no {lacks}. Read it with its metrics.jsonl and its hits.npz")
    return _train(study, None, earlier) if how is Relation.GROWN else _selected(study, earlier)


def _in_folder(study: _Study, folder: RunFolder, request: UncertaintyRequest, data_dir: Path | None) -> StudyResult:
    stored, how = _stored(study, folder)
    if how is Relation.SMALLER:
        assert stored is not None
        return _part(study, folder, stored, request)
    if how in (None, Relation.LONGER):
        result, stored = _train(study, folder, None), None
    elif how is Relation.GROWN:
        assert stored is not None
        result, stored = _train(study, folder, None if stored.needs_networks else stored.result), None
    else:
        assert stored is not None
        result = _mended(study, folder, stored)
        LOG.info("%s is finished: these are its results", folder.path)
    before = result.uncertainty
    request = request if not request else request.with_earlier(before)
    if not request or result.diverged == len(result.trials):
        return result
    if request.is_complete(before, data_dir) and not (stored and stored.needs_asking):
        return result
    if any(folder.saved_epoch(trial) is None for trial in study.trials):
        raise UserError(f"{folder.path}: its checkpoints are gone, and with them the networks. --overwrite trains anew")
    runs = fit_all(study.trials, study.data, checkpoints=folder.checkpoints)
    result = replace(result, uncertainty=_uncertainty(study, request, runs, folder.path, data_dir))
    folder.write_result(result)
    return result


def _stored(study: _Study, folder: RunFolder) -> tuple[Stored | None, Relation | None]:
    """What the folder holds of a finished study, and how the one that is asked for relates to it."""
    stored = folder.stored()
    mend = "Finish it by its own command, or choose another folder"
    unfinished = f"{folder.path} holds a larger study that is not finished. {mend}"
    if stored is None:
        if folder.relation is Relation.SMALLER:
            raise UserError(unfinished)
        return None, None
    if stored.result is None:
        return stored, Relation.SAME
    how = relation(stored.result.identity(), study.identity)
    if folder.relation is Relation.SMALLER and how not in (Relation.SAME, Relation.SMALLER):
        raise UserError(unfinished)
    if how is Relation.OTHER:
        differing = ", ".join(differences(comparable(stored.result.identity()), comparable(study.identity)))
        return Stored(None, {SUMMARY: f"cannot be believed (another run's: {differing})"}), Relation.SAME
    if how is Relation.SAME and (fault := _unprintable(stored.result)) is not None:
        return Stored(None, {SUMMARY: f"cannot be believed ({fault})"}), Relation.SAME
    return stored, how


def _unprintable(result: StudyResult) -> str | None:
    """Why a result cannot be shown, or None where it can."""
    if result.wall_seconds is not None and result.wall_seconds < 0:
        return f"wall_seconds is {result.wall_seconds}"
    try:
        study_table(result)
        if result.uncertainty is not None:
            uncertainty_table(result.uncertainty, result.data["name"])
    except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
        return f"no {error}" if isinstance(error, KeyError) else str(error)
    return None


def _part(study: _Study, folder: RunFolder, stored: Stored, request: UncertaintyRequest) -> StudyResult:
    """The result of a part of the folder's study. Nothing is written."""
    if request:
        raise UserError(
            f"{folder.path} holds a larger study, of {len(stored.result.trials if stored.result else ())} trials. "
            "Ask what its networks do not know by its own command, or choose another folder"
        )
    if stored.needs_networks:
        raise UserError(f"{folder.path}: {stored}. Mend that by the command of the larger study that it holds")
    assert stored.result is not None
    LOG.info("%s is finished, with more trials: these are the results of a part of them", folder.path)
    return _selected(study, stored.result)


def _selected(study: _Study, result: StudyResult) -> StudyResult:
    return select(result, study.identity, study.trials, _overlap(study.folds))


def _mended(study: _Study, folder: RunFolder, stored: Stored) -> StudyResult:
    """The result of a finished study, whose files are whole afterwards."""
    if stored.result is None or stored.needs_networks:
        if any(folder.saved_epoch(trial) is None for trial in study.trials):
            raise UserError(
                f"{folder.path}: {stored}, and its checkpoints are gone, from which it could be made again. "
                "Copy it back to there, or --overwrite trains anew"
            )
        LOG.info("%s: %s; made again from its checkpoints", folder.path, stored)
        return _train(study, folder, None, stored.result)
    if stored.needs_drawing:
        LOG.info("%s: %s; drawn again", folder.path, stored)
        folder.write_events(stored.result)
        draw_study(stored.result, folder.path)
        folder.write_result(stored.result)
    return stored.result


def _train(
    study: _Study, folder: RunFolder | None, earlier: StudyResult | None, kept: StudyResult | None = None
) -> StudyResult:
    """The study, or the rest of it. What the folder holds then. A result that is kept stays as it is."""
    _log_start(study, folder)
    if folder is not None:
        folder.kept = earlier
    folds = study.folds
    runs = _fit(study, folds, folder, earlier)
    result = summarise(
        study.identity,
        study.trials,
        runs,
        overlap=_overlap(folds),
        earlier=earlier,
        reported=[] if study.data.identity()["synthetic"] else [asdict(figure) for figure in study.title.reported],
        command=study.title.command,
        wall_seconds=sum(run.seconds for run in runs.values()) if folder is None else folder.wall_seconds,
    )
    if kept is not None and _extents(kept) == _extents(result):
        arrays = {name: getattr(result, name) for name in ("histories", "correct", "runs")}
        result = replace(kept, **arrays)
    elif RATE in study.design.varied:
        result = replace(result, range_test=(earlier and earlier.range_test) or _range_test(study))
    if folder is not None:
        folder.write_figures(result)
        draw_study(result, folder.path)
        folder.write_result(result)
    return result


def _log_start(study: _Study, folder: RunFolder | None) -> None:
    data, images = study.data, study.identity["data"]
    train, valid, test = (f"{split.size:,}" for split in (data.train, data.valid, data.test))
    folds = f" in {study.design.folds} folds" if study.design.folds else ""
    LOG.info(
        "%s %s: %s training and %s validation%s, %s test images of %s (%s) on %s%s",
        *(study.title.experiment, study.title.name, train, valid, folds, test, images["name"], images["source"]),
        *(describe_device(), "" if folder is None else f", to {folder.path}"),
    )
    if len(study.trials) > 1:
        LOG.info("%s", programs_of(study.trials, study.design.varied))


def _fit(
    study: _Study, folds: Dataset | tuple[Dataset, ...], folder: RunFolder | None, earlier: StudyResult | None
) -> dict[int, Run]:
    """Train the trials that an earlier result does not hold; by the index of the trial."""
    known = {} if earlier is None else {trial.name for trial in earlier.trials}
    places = [index for index, trial in enumerate(study.trials) if trial.name not in known]
    trials, brackets = [study.trials[index] for index in places], study.design.brackets(study.config)
    rows = (folds if isinstance(folds, Dataset) else folds[0]).train.size
    training = Training(trials, rows, epochs_of(brackets, trials) if brackets else None, folder)
    with study.watch(training) as watcher:

        def on_epoch(index: int, history: Sequence[EpochRecord]) -> None:
            if folder is not None:
                folder.follow(trials[index], history)
            watcher.on_epoch(index, history)

        common: dict[str, Any] = {"on_epoch": on_epoch, "on_end": watcher.on_end}
        if folder is not None:
            common["checkpoints"] = folder.checkpoints
        if brackets:
            runs = fit_by_halving(trials, folds, brackets, on_rung=watcher.on_rung, **common)
        else:
            runs = fit_all(trials, folds, **common)
    return dict(zip(places, runs, strict=True))


def _range_test(study: _Study) -> dict[str, Any]:
    first = min(study.design.seeds[0], LARGEST_SEED + 1 - SEEDS_OF_RANGE_TEST)
    test = find_learning_rate(study.config, study.data, range(first, first + SEEDS_OF_RANGE_TEST))
    return {
        "seeds": list(test.seeds),
        "suggestion": null_if_not_finite(test.suggestion),
        "without_suggestion": seeds_without_suggestion(test),
    }


def _uncertainty(
    study: _Study, request: UncertaintyRequest, runs: Sequence[Run], folder: Path | None, data_dir: Path | None
) -> dict[str, Any]:
    """What the networks do not know, beside what the chapter prints of it."""
    title = study.title
    name = f"{title.experiment} {title.name} on {study.identity['data']['name']}"
    found = evaluate_uncertainty(request, name, title.dataset, study.data, runs, folder, data_dir)
    is_comparable = request.mc_samples is not None and not study.identity["data"]["synthetic"]
    reported = title.reported_mc if is_comparable else ()
    command = None if title.command is None else " ".join((title.command, *request.words()))
    return {"command": command, **found, "chapter": [asdict(figure) for figure in reported]}


def _overlap(folds: Dataset | tuple[Dataset, ...]) -> float:
    """How much the training rows of folds are the same, as `mean_over_runs` wants it."""
    return 0.0 if isinstance(folds, Dataset) else folds[0].valid.size / folds[0].train.size


def _extents(result: StudyResult) -> list[tuple[Any, ...]]:
    """What of the figures no machine and no version rounds."""
    return [(trial.epochs, trial.best_epoch, trial.diverged) for trial in result.trials]
