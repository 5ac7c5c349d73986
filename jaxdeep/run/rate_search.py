"""The search of a configuration's learning rate: a range test, then a study that grows by rates.

    lr_finder.json  lr_finder.png  search/

Both find their finished work in a folder, if there is one. So a search goes on where it was stopped.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.report.range_test import range_test_curves, range_test_json
from jaxdeep.report.titles import seeds_in_words, title_of
from jaxdeep.report.tuning_text import rate_text
from jaxdeep.run.study import check_study, run_design, study_identity
from jaxdeep.run.training import Title
from jaxdeep.run.watch import Watch, unwatched
from jaxdeep.study.budget import Budget
from jaxdeep.study.claim import content_of
from jaxdeep.study.design import Design
from jaxdeep.study.files import write_json, writing
from jaxdeep.study.ladder import best_rung, first_rungs, is_bracketed, nearest_rung, next_rung, rate_of
from jaxdeep.study.ranking import Standing
from jaxdeep.study.result import StudyResult
from jaxdeep.study.tuned import RATE, TriedRate, Tuned
from jaxdeep.train.history import null_if_not_finite
from jaxdeep.train.job import current
from jaxdeep.train.lr_finder import check_trains_all, find_learning_rate

LOG: Final = logging.getLogger("jaxdeep")
EPOCHS: Final = "train.epochs"
FINDER, SEARCH = "lr_finder.json", "search"
"""Names of the range test's file and of the folder of the search."""


class Entrant(Protocol):
    """A configuration that is tuned."""

    @property
    def name(self) -> str:
        """Return the name of the configuration."""
        ...

    def load(self) -> tuple[Config, Dataset]:
        """Return the configuration, as it is trained, and its rows."""
        ...

    def search_folder(self, changes: Mapping[str, Any], data: Dataset) -> Path | None:
        """Return the folder of the range test and the search, or None to keep them in memory.

        Args:
            changes: Value of each field that the search changes, by dotted name.
            data: Rows of the configuration.
        """
        ...

    def fresh_folder(self, changes: Mapping[str, Any], data: Dataset) -> Path | None:
        """Return the folder of the study of fresh seeds, or None to keep it in memory.

        Args:
            changes: Value of each field that the tuning changes, by dotted name.
            data: Rows of the configuration.
        """
        ...

    def title(self, changes: Mapping[str, Any], design: Design) -> Title:
        """Return the title of a study of the configuration.

        Args:
            changes: Value of each field that the study changes, by dotted name.
            design: Seeds and learning rates of the study.
        """
        ...


@dataclass(frozen=True)
class Way:
    """How the studies of a tuning are trained.

    Attributes:
        overwrite: Whether other files are removed from the folders first.
        watch: Function that returns a watcher's context.
        verbose: Whether progress is shown. None: in a terminal or a notebook.
    """

    overwrite: bool = False
    watch: Watch = unwatched
    verbose: bool | None = None


@dataclass
class RateSearch:
    """The search of one configuration, which grows by learning rates.

    Attributes:
        entrant: Configuration that is tuned.
        budget: Budget of the search.
        seeds: Seeds of the range test and of the search.
        way: How the search is trained.
        rungs: Rungs of the ladder that were tried within the budget.
        others: Best rates of other configurations that were tried outside of the budget.
        result: Result of all trials so far, or None.
    """

    entrant: Entrant
    budget: Budget
    seeds: tuple[int, ...]
    way: Way
    rungs: list[int] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    result: StudyResult | None = None

    def check(self, fresh: Design) -> None:
        """Load the configuration, check that it fits its rows, and note where the search is kept.

        Args:
            fresh: Fresh seeds.
        """
        config, data = self.entrant.load()
        check_trains_all(config)
        check_study(config, data, fresh)
        self.own_rate = config.optim.learning_rate
        self.config = config.to_dict()
        self.changes = {EPOCHS: self.budget.epochs_of(config.train.epochs)}
        check_study(config.updated(self.changes), data, fresh)
        self.data_identity = data.identity()
        self.experiment = self.entrant.title({}, fresh).experiment
        self.folder = self.entrant.search_folder(self.changes, data)

    def find(self) -> None:
        """Run the range test, and climb the ladder from its suggestion until the budget is spent."""
        name = self.entrant.name
        self.suggestion, suggestions = current().once(self._range_test)
        self.suggestions: tuple[float | None, ...] = tuple(suggestions)
        self.centre = nearest_rung(self.own_rate if self.suggestion is None else self.suggestion)
        suggested = "nothing" if self.suggestion is None else rate_text(self.suggestion)
        LOG.info("%s: the range test suggests %s, and the search begins at %g", name, suggested, rate_of(self.centre))
        stored = [] if self.way.overwrite else current().once(lambda: _stored_rates(self.folder))
        self._train(stored, first_rungs(self.centre))
        while len(self.rungs) < self.budget.rates:
            self._train([], [next_rung(self.standings)])
        rates = f"{rate_of(min(self.rungs)):g} to {rate_of(max(self.rungs)):g}"
        LOG.info("%s: %g is the best of %d learning rates, %s", name, self.best_rate, len(self.rungs), rates)

    def try_rates(self, rates: Sequence[float]) -> None:
        """Train rates that the search has not tried. They are never chosen.

        Args:
            rates: Best rates of other configurations.
        """
        searched = map(rate_of, self.rungs)
        self.others = sorted(set(rates) - set(searched))
        self._train(self.others, [])

    @property
    def standings(self) -> dict[int, Standing]:
        """Return the number of diverged trials and the mean validation loss of each rung within the budget."""
        assert self.result is not None
        return {rung: TriedRate.of(self.result, rate_of(rung), is_searched=True).standing for rung in self.rungs}

    @property
    def best_rate(self) -> float:
        """Return the best learning rate within the budget."""
        return rate_of(best_rung(self.standings))

    def tuned(self) -> Tuned:
        """Return the finished search."""
        assert self.result is not None
        searched = [rate_of(rung) for rung in sorted(self.rungs)]
        title = self.entrant.title(self.changes, Design(self.seeds, {RATE: tuple(searched)}))
        return Tuned(
            name=self.entrant.name,
            config=self.config,
            own_rate=self.own_rate,
            suggestion=self.suggestion,
            suggestions=self.suggestions,
            centre=rate_of(self.centre),
            centre_from="own rate" if self.suggestion is None else "range test",
            epochs=self.changes[EPOCHS],
            rates=(
                *(TriedRate.of(self.result, rate, is_searched=True) for rate in searched),
                *(TriedRate.of(self.result, rate, is_searched=False) for rate in self.others),
            ),
            best_rate=self.best_rate,
            is_bracketed=is_bracketed(self.standings),
            search_command=title.command,
            wall_seconds=self.result.wall_seconds,
        )

    def _rates(self) -> list[float]:
        """Return the rates that were trained, in the order of the study."""
        return [] if self.result is None else list(dict.fromkeys(trial.values[RATE] for trial in self.result.trials))

    def _train(self, others: Sequence[float], rungs: Sequence[int]) -> None:
        """Let the study grow by rates and rungs. Rates that it holds are not trained again."""
        self.rungs += rungs
        known = self._rates()
        rates = tuple(dict.fromkeys((*known, *others, *map(rate_of, rungs))))
        if len(rates) == len(known):
            return
        config, data = self.entrant.load()
        design = Design(self.seeds, {RATE: rates})
        result = run_design(
            config.updated(self.changes),
            data,
            design,
            title=self.entrant.title(self.changes, design),
            folder=None if self.folder is None else self.folder / SEARCH,
            overwrite=self.way.overwrite and self.result is None,
            earlier=self.result if self.folder is None else None,
            watch=self.way.watch,
            verbose=self.way.verbose,
            range_test={
                "seeds": list(self.seeds),
                "suggestion": self.suggestion,
                "without_suggestion": self.suggestions.count(None),
            },
        )
        self.result = replace(result, runs={})  # they hold the rows

    def _range_test(self) -> tuple[float | None, tuple[float | None, ...]]:
        """Return the suggestion of the range test, and the suggestion of each seed."""
        config, data = self.entrant.load()
        config, design = config.updated(self.changes), Design(self.seeds)
        title = self.entrant.title(self.changes, design)
        identity = study_identity(title, config, data, design)
        path = None if self.folder is None else self.folder / FINDER
        stored = None if path is None or self.way.overwrite else content_of(path)
        if stored and {"suggestion", "suggestions"} <= stored.keys() and _holds(stored, identity):
            return stored["suggestion"], tuple(stored["suggestions"])
        LOG.info("%s %s: range test, %s", title.experiment, title.name, seeds_in_words(self.seeds))
        test = find_learning_rate(config, data, self.seeds)
        content = range_test_json(test)
        if path is not None:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            range_test_curves(path.with_suffix(".png"), test, title_of(identity, title.changed(config)))
            write_json(path, {**identity, **content})
        return null_if_not_finite(test.suggestion), tuple(content["suggestions"])


def _holds(content: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    return all(content.get(name) == value for name, value in identity.items())


def _stored_rates(folder: Path | None) -> list[float]:
    """Return the learning rates of the search that a folder holds, in the order of its study."""
    if folder is None:
        return []
    for name in ("config.json", "summary.json"):
        if (content := content_of(folder / SEARCH / name)) is not None:
            rates = (content.get("grid") or {}).get(RATE) or []
            return [rate for rate in rates if isinstance(rate, float)]
    return []
