"""A study from Python: the same result, tables and pictures as by the command line, on anybody's arrays."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type, optional_whole, plain_verbose
from jaxdeep.config.choices import check
from jaxdeep.config.seeds import plain_seeds
from jaxdeep.config.values import shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.report.comparison_text import comparison_table
from jaxdeep.report.figures import draw_study
from jaxdeep.report.tables import study_table
from jaxdeep.report.tuning_text import tuning_text
from jaxdeep.report.uncertainty_tables import uncertainty_table
from jaxdeep.run.study import run_design
from jaxdeep.run.training import Title
from jaxdeep.run.tuning import TuningResult
from jaxdeep.run.uncertainty import UncertaintyRequest
from jaxdeep.run.watch import in_bar, unwatched
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.design import Design, Halving, seeds_from
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import StudyResult
from jaxdeep.study.space import plain_grid, plain_space
from jaxdeep.terminal import is_watched
from jaxdeep.train.divergence import warn_of_study
from jaxdeep.train.job import ALONE
from jaxdeep.train.run import Run
from jaxdeep.train.several_processes import all_processes

FIRST_SEED = 42


def run_study(
    config: Config,
    data: Dataset,
    *,
    seeds: int | Iterable[int] = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    space: Mapping[str, Sequence[Any]] | None = None,
    samples: int | None = None,
    folds: int | None = None,
    halving: Halving | None = None,
    mc_samples: int | None = None,
    ensemble: bool = False,
    folder: Path | str | None = None,
    overwrite: bool = False,
    earlier: StudyResult | None = None,
    name: str = "study",
    source: Run | Path | str | None = None,
    devices: Literal["all"] | None = None,
    verbose: bool | None = None,
) -> StudyResult:
    """Train a configuration with several seeds, over a grid or random samples, whole or by halving.

    With a folder the study can be killed at any time, and the same call continues it, to the same bits. A study grows:
    the same call with more seeds, more values of its grid or more samples trains the new trials alone. The folder gets
    the files that the command line writes: summary.json, metrics.jsonl, hits.npz, pictures and TensorBoard's events.

    Args:
        config: configuration that the grid and the space vary.
        data: rows of the study.
        seeds: number of seeds from 42 on, or the seeds themselves.
        grid: values of each field that is varied, by dotted name. All combinations are candidates.
        space: range (low, high) or (low, high, "log") of each field that is drawn, by dotted name.
        samples: number of candidates to draw from the space.
        folds: number of folds of a stratified cross-validation on the training and validation rows together.
        halving: "successive" or "hyperband" to train many candidates for few epochs, and few of them for all.
        mc_samples: number of samples of MC dropout by which the trained networks are asked what they do not know.
        ensemble: whether the networks of all seeds are asked as one predictor too.
        folder: folder that keeps the study, or None to keep it in memory alone.
        overwrite: whether another study's files are removed from the folder first.
        earlier: result of a smaller study whose trials are not trained again, in place of a folder.
        name: name of the configuration in tables and comparisons.
        source: Trained run, saved network or run folder whose layers are reused, as `transfer` says. None takes what
            `transfer.source` names.
        devices: "all" to divide the trials over the devices of all processes that `jax.distributed.initialize()` has
            joined. All of them make this same call, with a folder that they share, and get the same result. None
            takes the devices of this process.
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The figures of each trial, their means and intervals, the best candidate, and the networks that this call
        trained.

    Raises:
        UserError: an argument is out of its range, the configuration does not fit the rows, or the folder or `earlier`
            holds another study.

    Warns:
        JaxdeepWarning: Some of the runs diverged.

    >>> import numpy as np
    >>> from jaxdeep import Config, Data, Dataset, Model, Train, run_study, table
    >>> x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    >>> config = Config(Data(valid_size=60), Model(units=(8,)), train=Train(epochs=2))
    >>> dataset = Dataset.from_arrays(x, (x[:, 0] > 0).astype(int), data=config.data)
    >>> result = run_study(config, dataset, seeds=2, grid={"optim.learning_rate": [1e-3, 1e-2]})
    >>> len(result.trials), len(result.candidates)
    (4, 2)
    >>> print(table(result).splitlines()[1].split()[:2])
    ['optim.learning_rate', 'runs']
    """
    check_type("config", config, Config, "a Config")
    check_type("data", data, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    check("halving", halving, halving in (None, "successive", "hyperband"), "successive, hyperband, or None")
    check("name", name, isinstance(name, str) and name != "", "a name")
    if earlier is not None:
        check_type("earlier", earlier, StudyResult, "a StudyResult, or None")
        if folder is not None:
            raise UserError("earlier has no effect with a folder, which keeps the smaller study itself. Remove it")
    design = Design(
        seeds_of(seeds),
        plain_grid(grid),
        plain_space(space),
        optional_whole("samples", samples, 1),
        optional_whole("folds", folds, 2),
        halving,
    )
    request = UncertaintyRequest(optional_whole("mc_samples", mc_samples, 1), bool(ensemble))
    if request and (design.varied or folds):
        raise UserError("mc_samples and ensemble ask the seeds of one configuration. Remove grid, space and folds")
    path = None if folder is None else path_of(folder)
    title = Title(data.identity()["name"] or "data", name)
    verbose = plain_verbose(verbose)
    check("devices", devices, devices in (None, "all"), '"all", or None')
    with nullcontext(ALONE) if devices is None else all_processes() as job:
        result = run_design(
            config,
            data,
            design,
            title=title,
            folder=path,
            overwrite=bool(overwrite),
            earlier=earlier,
            request=request,
            watch=in_bar if is_watched(verbose) and job.leads else unwatched,
            verbose=verbose,
            source=source,
        )
    if lost := [trial for trial in result.trials if trial.diverged]:
        warn_of_study(len(lost), len(result.trials), lost[0].name, lost[0].epochs)
    return result


def table(result: StudyResult | Comparison | TuningResult, width: int | None = None) -> str:
    """Return what the command line prints of a study, a comparison or a tuning.

    Args:
        result: what `run_study`, `compare_studies` or `tune` returned.
        width: number of characters of a line at most, or None for no limit.

    Raises:
        UserError: it is something else.
    """
    if isinstance(result, Comparison):
        return comparison_table(result, width)
    if isinstance(result, TuningResult):
        return tuning_text(result.tuning, width)
    check_type("result", result, StudyResult, "a StudyResult, a Comparison or a TuningResult")
    if result.uncertainty is None:
        return study_table(result, width)
    of_networks = uncertainty_table(result.uncertainty, result.data["name"], width, other_settings(result))
    return "\n".join((study_table(result, width), of_networks))


def draw(result: StudyResult, folder: Path | str) -> None:
    """Draw the learning curves of a study, and its confusions or its accuracy against the learning rate.

    Confusions need a study that varies nothing, and the learning rate one that varies it. With `train.diagnostics` the
    figures of each layer are drawn too.

    Args:
        result: what `run_study` returned.
        folder: folder of curves.png, confusion.png, rates.png and diagnostics.png, which is made if there is none.

    Raises:
        UserError: the result holds no histories, or the folder cannot be written to.
    """
    check_type("result", result, StudyResult, "a StudyResult")
    if not result.histories:
        raise UserError("the result holds no histories to draw. Read it with its metrics.jsonl")
    path = path_of(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be used for pictures ({error.strerror}). Choose another folder") from error
    draw_study(result, path)


def seeds_of(seeds: Any) -> tuple[int, ...]:
    """Return seeds from their number, or the seeds themselves as ints.

    Args:
        seeds: Number of seeds from FIRST_SEED on, or different seeds.

    Raises:
        UserError: It is neither.
    """
    if hasattr(seeds, "__iter__"):
        return plain_seeds(seeds)
    count = optional_whole("seeds", seeds, 1)
    if count is None:
        raise UserError(f"seeds is {shown(seeds)}. Allowed: a number of seeds, or the seeds themselves.")
    return seeds_from(FIRST_SEED, count)


def path_of(folder: Any) -> Path:
    """Return the path of a folder, with the home of `~`.

    Args:
        folder: Path as a string or a path.

    Raises:
        UserError: It is no path.
    """
    check("folder", folder, isinstance(folder, str | os.PathLike) and os.fspath(folder) != "", "the path of a folder")
    return Path(os.path.expanduser(folder))
