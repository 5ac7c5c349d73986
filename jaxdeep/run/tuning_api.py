"""A tuning from Python: configurations at their own best learning rates, found with the same budget."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type, plain_verbose
from jaxdeep.config.choices import check
from jaxdeep.config.compare import short
from jaxdeep.data.dataset import Dataset
from jaxdeep.run.api import path_of, seeds_of
from jaxdeep.run.rate_search import Way
from jaxdeep.run.training import Title
from jaxdeep.run.tuning import TUNE, TuningResult, tune_all
from jaxdeep.run.watch import in_bar, unwatched
from jaxdeep.study.budget import Budget
from jaxdeep.study.design import Design
from jaxdeep.study.files import write_json
from jaxdeep.study.names import folder_name
from jaxdeep.terminal import is_watched
from jaxdeep.train.divergence import warn_of_study


def tune(
    studies: Mapping[str, tuple[Config, Dataset]],
    *,
    seeds: int | Iterable[int] = 10,
    budget: Budget = Budget(),  # noqa: B008 (frozen)
    folder: Path | str | None = None,
    verbose: bool | None = None,
) -> TuningResult:
    """Train each configuration at its own best learning rate, found with the same budget.

    A range test suggests a rate, and a search tries as many rates as the budget has. The best rate has the lowest mean
    validation loss. Fresh seeds then train it, so that their figures did not choose it. With a folder the tuning can be
    killed at any time, and the same call continues it.

    Args:
        studies: Configuration and rows of each study by its name. Their `optim.learning_rate` is the centre of a search
            only if the range test suggests nothing.
        seeds: Number of fresh seeds, or the fresh seeds themselves. The seeds of the searches begin 10,000 after the
            first of them.
        budget: Number of rates, seeds and epochs of each search.
        folder: Folder that keeps the searches, the studies and tune.json. None keeps them in memory alone.
        verbose: Whether a progress bar is shown on stderr. None: in a terminal or a notebook.

    Returns:
        The searches with their best rates and regrets, and the study of the fresh seeds of each configuration.

    Raises:
        UserError: An argument is out of its range, a configuration does not fit its rows, the rows differ, or the
            folder holds another tuning.

    Warns:
        JaxdeepWarning: Some of the fresh seeds diverged.

    >>> import numpy as np
    >>> from jaxdeep import Budget, Config, Data, Dataset, Model, Train, tune
    >>> x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    >>> config = Config(Data(valid_size=60), Model(units=(8,)), train=Train(epochs=2))
    >>> dataset = Dataset.from_arrays(x, (x[:, 0] > 0).astype(int), data=config.data)
    >>> result = tune({"small": (config, dataset)}, seeds=2, budget=Budget(rates=3, seeds=1))
    >>> result.tuning.search_seeds, result.studies["small"].seeds
    ((10042,), (42, 43))
    """
    entrants = _entrants(studies, None if folder is None else path_of(folder))
    check_type("budget", budget, Budget, "a Budget")
    verbose = plain_verbose(verbose)
    watch = in_bar if is_watched(verbose) else unwatched
    result = tune_all(entrants, budget, seeds_of(seeds), Way(watch=watch, verbose=verbose))
    if folder is not None:
        write_json(path_of(folder) / TUNE, result.tuning.to_json())
    trials = [trial for study in result.studies.values() for trial in study.trials]
    if lost := [trial for trial in trials if trial.diverged]:
        warn_of_study(len(lost), len(trials), lost[0].name, lost[0].epochs)
    return result


@dataclass(frozen=True)
class _Entrant:
    """A configuration with its rows in memory."""

    name: str
    config: Config
    data: Dataset
    kept: Path | None

    def load(self) -> tuple[Config, Dataset]:
        return self.config, self.data

    def search_folder(self, changes: Mapping[str, Any], data: Dataset) -> Path | None:
        del changes, data
        return self.kept

    def fresh_folder(self, changes: Mapping[str, Any], data: Dataset) -> Path | None:
        del data
        name = ",".join(f"{field}={short(value)}" for field, value in changes.items())
        return None if self.kept is None else self.kept / folder_name(name)

    def title(self, changes: Mapping[str, Any], design: Design) -> Title:
        del changes, design
        return Title(self.data.identity()["name"] or "data", self.name)


def _entrants(studies: Any, folder: Path | None) -> list[_Entrant]:
    """Return the configurations, after a check of their names and types."""
    check_type("studies", studies, Mapping, 'a dictionary such as {"elu": (config, data)}')
    check("studies", studies, bool(studies), "one or more configurations by name")
    entrants = []
    for name, pair in studies.items():
        is_name = isinstance(name, str) and name not in ("", ".", "..") and not set(name) & {"/", "\\"}
        check("a name in studies", name, is_name, "a name without / and \\")
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        types = is_pair and isinstance(pair[0], Config) and isinstance(pair[1], Dataset)
        check(f"studies[{name!r}]", pair, types, "a Config and a Dataset, (config, data)")
        config, data = pair
        entrants.append(_Entrant(name, config, data, None if folder is None else folder / folder_name(name)))
    return entrants
