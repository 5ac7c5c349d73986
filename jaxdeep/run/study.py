"""The training of a design to its result, in memory or in a folder."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from jaxdeep.config import Config, differences
from jaxdeep.config.identity import comparable
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import check_folds, check_resample
from jaxdeep.data.subsets import pooled, subset_of
from jaxdeep.errors import UserError
from jaxdeep.report.figures import draw_study
from jaxdeep.report.tables import study_table
from jaxdeep.report.titles import title_of
from jaxdeep.report.uncertainty_tables import uncertainty_table
from jaxdeep.run.training import Plan, Title, part_of, train_study
from jaxdeep.run.uncertainty import UncertaintyRequest, evaluate_uncertainty
from jaxdeep.run.watch import Watch, unwatched
from jaxdeep.study.design import Design
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.names import printable
from jaxdeep.study.result import StudyResult
from jaxdeep.study.runner import train_all
from jaxdeep.study.shared_folder import opened
from jaxdeep.study.sources import source_digest, sources_of
from jaxdeep.study.stored import SUMMARY, Stored
from jaxdeep.study.trial import Trial
from jaxdeep.train.checks import check_fits
from jaxdeep.train.fit import Run
from jaxdeep.train.job import current
from jaxdeep.train.source import resolved, source_of

LOG: Final = logging.getLogger("jaxdeep")


def check_study(config: Config, data: Dataset, design: Design) -> tuple[Trial, ...]:
    """Return the trials of a study, after a check that each of them fits the rows.

    Args:
        config: Configuration that the design varies.
        data: Rows of the study.
        design: Seeds, candidates and folds.

    Returns:
        The trials in the design's order.

    Raises:
        UserError: A configuration does not fit the rows, or a class has too few rows for folds or for `data.resample`.
    """
    trials = design.trials(config)
    data = pooled(data, [trial.config.data for trial in trials])
    for varied in dict.fromkeys(trial.config for trial in trials):
        check_fits(varied, data)
    if design.folds is not None:
        check_folds(data, config.data, design.folds)
    if config.data.resample:
        check_resample(data)
    return trials


def study_identity(
    title: Title, config: Config, data: Dataset, design: Design, source: Run | Path | str | None = None
) -> dict[str, Any]:
    """Return the values that two studies must share to be the same.

    Args:
        title: Title with the names of the experiment and the configuration.
        config: Configuration that the design varies.
        data: Rows of the study.
        design: Seeds, candidates and folds.
        source: Run, saved network or run folder that the trials start from. None takes what `transfer.source` names.

    Returns:
        Nested JSON values.
    """
    digest = source_digest(config, design.seeds, source)
    return {
        "experiment": title.experiment,
        "name": title.name,
        "config": config.to_dict(),
        **design.identity(),
        "data": data.identity(),
        **({} if digest is None else {"source": digest}),
    }


def run_design(
    config: Config,
    data: Dataset,
    design: Design,
    *,
    title: Title = Title(),  # noqa: B008 (frozen)
    folder: Path | None = None,
    overwrite: bool = False,
    earlier: StudyResult | None = None,
    request: UncertaintyRequest = UncertaintyRequest(),  # noqa: B008 (frozen)
    data_dir: Path | None = None,
    watch: Watch = unwatched,
    verbose: bool | None = None,
    range_test: dict[str, Any] | None = None,
    source: Run | Path | str | None = None,
) -> StudyResult:
    """Train the study's trials that are not trained yet, and return its result.

    Args:
        config: Configuration that the design varies.
        data: Rows of the study.
        design: Seeds, candidates and folds.
        title: Title of the study.
        folder: Folder that keeps the study, or None to keep it in memory alone.
        overwrite: Whether another study's files are removed from the folder first.
        earlier: Result of a smaller study with the same configuration, or None. It must hold its histories. Its trials
            are not trained again. A folder keeps the smaller study itself.
        request: Uncertainty estimates that the trained networks are to give.
        data_dir: Folder with the classic files of other image sets, which the request compares with.
        watch: Function that returns a watcher's context.
        verbose: Whether the request shows a progress bar on stderr. None: in a terminal or a notebook.
        range_test: Suggestion of a range test as JSON values, which is recorded if the design varies the learning rate.
            None runs one.
        source: Run, saved network or run folder that the trials start from. None takes what `transfer.source` names.

    Returns:
        The result. Its runs hold the networks that this call trained.

    Raises:
        UserError: The configuration does not fit the rows, or the folder or `earlier` holds another study.
    """
    config = resolved(config, source_of(config, design.seeds[0], source))
    trials = check_study(config, data, design)
    sources_of(trials, source)  # before a folder is made
    request.check(config, data, len(design.seeds))
    identity = study_identity(title, config, data, design, source)
    study = Plan(config, data, design, trials, identity, title, watch, verbose, range_test, source)
    current().agree(comparable(study.identity), "study")
    if folder is None:
        result = _in_memory(study, earlier)
        if request and result.diverged < len(result.trials):
            runs = [result.runs[index] for index in range(len(trials)) if index in result.runs]
            if len(runs) < len(trials):
                raise UserError("the earlier study's networks are not in memory. Give run_study a folder.")
            asked = current().once(lambda: _uncertainty(study, request, runs, None, data_dir))
            result = replace(result, uncertainty=asked)
        return result
    with opened(current(), folder, study.identity, overwrite=overwrite) as run_folder:
        return _in_folder(study, run_folder, request, data_dir)


def _in_memory(study: Plan, earlier: StudyResult | None) -> StudyResult:
    """Return the result of a study that no folder keeps."""
    if earlier is None:
        return train_study(study, None, None)
    how = relation(earlier.identity(), study.identity)
    if how is Relation.LONGER:
        raise UserError("earlier has fewer epochs, and only a folder can continue it. Leave it out, or give a folder.")
    if how is Relation.OTHER:
        differing = ", ".join(differences(comparable(earlier.identity()), comparable(study.identity)))
        raise UserError(f"earlier is another study: {differing}. Leave it out.")
    lacks = "histories" if not earlier.histories else "rows that are classified correctly"
    if not earlier.histories or earlier.correct is None:
        raise UserError(f"earlier holds no {lacks}. Read it with its metrics.jsonl and its hits.npz.")
    return train_study(study, None, earlier) if how is Relation.GROWN else part_of(study, earlier)


def _in_folder(study: Plan, folder: RunFolder, request: UncertaintyRequest, data_dir: Path | None) -> StudyResult:
    """Return the result of a study that a folder keeps, and write it there."""
    stored, how = _stored(study, folder)
    current().agree([how and how.name, stored and str(stored)], "folder")  # before process 0 changes it
    if how is Relation.SMALLER:
        assert stored is not None
        return _part(study, folder, stored, request)
    if how in (None, Relation.LONGER):
        result, stored = train_study(study, folder, None), None
    elif how is Relation.GROWN:
        assert stored is not None
        result, stored = train_study(study, folder, None if stored.needs_networks else stored.result), None
    else:
        assert stored is not None
        result = _mended(study, folder, stored)
        LOG.info("%s is finished: these are its results", printable(folder.path))
    before = result.uncertainty
    request = request if not request else request.with_earlier(before)
    if not request or result.diverged == len(result.trials):
        return result
    if request.is_complete(before, data_dir) and not (stored and stored.needs_asking):
        return result
    if any(folder.saved_epoch(trial) is None for trial in study.trials):
        raise UserError(
            f"{folder.path}: its checkpoints are gone, and with them the networks. Give --overwrite to train anew."
        )

    def ask() -> dict[str, Any]:
        runs = train_all(study.trials, study.data, checkpoints=folder.checkpoints, source=study.source)
        return _uncertainty(study, request, runs, folder.path, data_dir)

    result = replace(result, uncertainty=current().once(ask))
    folder.write_result(result)
    return result


def _stored(study: Plan, folder: RunFolder) -> tuple[Stored | None, Relation | None]:
    """Return the folder's finished study, and how the requested study relates to it."""
    stored = folder.stored()
    mend = "Finish it by its own command, or choose another folder."
    unfinished = f"{folder.path} holds a larger study that is not finished. {mend}"
    if stored is None:
        if folder.relation is Relation.SMALLER:
            raise UserError(unfinished)
        return None, None
    if stored.result is None:
        return stored, Relation.SAME
    if (changed := study.title.changed(study.config)) is not None:
        stored = stored._replace(result=replace(stored.result, changed=changed))
    assert stored.result is not None
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
    """Return why a result cannot be shown, or None if it can."""
    if result.wall_seconds is not None and result.wall_seconds < 0:
        return f"wall_seconds is {result.wall_seconds}"
    try:
        study_table(result)
        if result.uncertainty is not None:
            uncertainty_table(result.uncertainty, result.data["name"])
    except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
        return f"no {error}" if isinstance(error, KeyError) else str(error)
    return None


def _part(study: Plan, folder: RunFolder, stored: Stored, request: UncertaintyRequest) -> StudyResult:
    """Return the result of a part of the folder's study. Nothing is written."""
    if request:
        raise UserError(
            f"{folder.path} holds a larger study, of {len(stored.result.trials if stored.result else ())} trials. "
            "Ask for its networks' uncertainty by its own command, or choose another folder."
        )
    if stored.needs_networks:
        raise UserError(f"{folder.path}: {stored}. Mend that by the command of the larger study that it holds.")
    assert stored.result is not None
    LOG.info("%s is finished, with more trials: these are the results of a part of them", printable(folder.path))
    return part_of(study, stored.result)


def _mended(study: Plan, folder: RunFolder, stored: Stored) -> StudyResult:
    """Return the result of a finished study. Its files are whole afterwards."""
    if stored.result is None or stored.needs_networks:
        if any(folder.saved_epoch(trial) is None for trial in study.trials):
            raise UserError(
                f"{folder.path}: {stored}, and the checkpoints that could make it again are gone. "
                "Copy it back, or give --overwrite to train anew."
            )
        LOG.info("%s: %s; made again from its checkpoints", printable(folder.path), stored)
        return train_study(study, folder, None, stored.result)
    if stored.needs_drawing:
        LOG.info("%s: %s; drawn again", printable(folder.path), stored)
        folder.write_events(stored.result)
        if current().leads:
            draw_study(stored.result, folder.path)
        folder.write_result(stored.result)
    return stored.result


def _uncertainty(
    study: Plan, request: UncertaintyRequest, runs: Sequence[Run], folder: Path | None, data_dir: Path | None
) -> dict[str, Any]:
    """Return the networks' uncertainty figures, together with the chapter's figures of MC dropout."""
    title = study.title
    name = title_of(study.identity, title.changed(study.config))
    rows = subset_of(study.data, study.config.data)
    figures = evaluate_uncertainty(request, name, title.dataset, rows, runs, folder, data_dir, verbose=study.verbose)
    is_comparable = request.mc_samples is not None and not study.identity["data"]["synthetic"]
    reported = title.reported_mc if is_comparable else ()
    command = None if title.command is None else " ".join((title.command, *request.words()))
    return {"command": command, **figures, "chapter": [asdict(figure) for figure in reported]}
