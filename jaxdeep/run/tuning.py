"""The tuning of configurations: a search with the same budget for each, then fresh seeds at its own best rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jaxdeep.errors import UserError
from jaxdeep.run.rate_search import Entrant, RateSearch, Way
from jaxdeep.run.study import run_design
from jaxdeep.study.budget import Budget
from jaxdeep.study.design import Design
from jaxdeep.study.result import StudyResult
from jaxdeep.study.summarise import commit, versions
from jaxdeep.study.tuned import RATE
from jaxdeep.study.tuning import Tuning, share_rates
from jaxdeep.train.devices import describe_processor

TUNE: Final = "tune.json"
"""Name of the file of a tuning."""


@dataclass(frozen=True)
class TuningResult:
    """A finished tuning.

    Attributes:
        tuning: The searches, their best learning rates and the regrets.
        studies: Study of the fresh seeds at its own best learning rate, by the name of the configuration.
    """

    tuning: Tuning
    studies: Mapping[str, StudyResult]


def tune_all(
    entrants: Sequence[Entrant],
    budget: Budget,
    fresh_seeds: Sequence[int],
    way: Way = Way(),  # noqa: B008 (frozen)
    command: str | None = None,
) -> TuningResult:
    """Search the learning rate of each configuration, and train each with fresh seeds at its own best rate.

    Args:
        entrants: Configurations, each with its own name.
        budget: Budget of each search.
        fresh_seeds: Seeds that the best rates are trained with.
        way: How the studies are trained.
        command: Command that repeats the tuning, or None.

    Returns:
        The tuning and the studies of the fresh seeds.

    Raises:
        UserError: The seeds do not go together, a configuration does not fit its rows, the rows differ, or a folder
            holds another study.
    """
    searches = [RateSearch(entrant, budget, budget.search_seeds(fresh_seeds), way) for entrant in entrants]
    for search in searches:  # before anything is trained
        search.check(Design(tuple(fresh_seeds)))
    if len(digests := {search.data_identity["digest"] for search in searches}) > 1:
        raise UserError(f"the configurations are given {len(digests)} different sets of rows. Give all the same rows.")
    for search in searches:
        search.find()
    for search in searches:
        others = [other for other in searches if share_rates(search.config, other.config)]
        search.try_rates([other.best_rate for other in others])
    tuned, studies = [], {}
    for search in searches:
        studies[search.entrant.name] = _train_fresh(search, fresh_seeds, way)
        title = search.entrant.title({RATE: search.best_rate}, Design(tuple(fresh_seeds)))
        tuned.append(replace(search.tuned(), command=title.command))
    tuning = Tuning(
        experiment=searches[0].experiment,
        data=searches[0].data_identity,
        budget=budget,
        search_seeds=searches[0].seeds,
        fresh_seeds=tuple(fresh_seeds),
        configurations=tuple(tuned),
        command=command,
        processor=describe_processor(),
        commit=commit(),
        versions=versions(),
    )
    return TuningResult(tuning, studies)


def _train_fresh(search: RateSearch, seeds: Sequence[int], way: Way) -> StudyResult:
    """Return the study of the fresh seeds at the best rate."""
    entrant, changes, design = search.entrant, {RATE: search.best_rate}, Design(tuple(seeds))
    config, data = entrant.load()
    return run_design(
        config.updated(changes),
        data,
        design,
        title=entrant.title(changes, design),
        folder=entrant.fresh_folder(changes, data),
        overwrite=way.overwrite,
        watch=way.watch,
        verbose=way.verbose,
    )
