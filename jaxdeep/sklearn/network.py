"""What the estimators share: their configuration, the rows that they hold out, and the training of their networks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.config.choices import Task, check
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.padded import padded
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.run import Run
from jaxdeep.train.saved_parts import without_rows

FEWEST_VALIDATED: Final = 200
"""Rows from which on some are held out for validation with early_stopping="auto"."""
SPACE: Final = {"optim.learning_rate": (1e-4, 3e-2, "log"), "regularize.l2": (1e-7, 1e-2, "log")}
"""Ranges that a search draws from if none are given."""


class NetworkEstimator(BaseEstimator):
    """The part of an estimator that does not depend on what it predicts."""

    def _train(self, config: Config, data: Dataset, random: np.random.RandomState) -> None:
        """Search if that is asked for, and train the networks. Set `runs_`, `config_` and `n_iter_`."""
        given: Any = self
        seed = int(random.randint(2**31 - given.n_ensemble))
        data = padded(data)
        if given.search is not None:
            from jaxdeep.run.api import run_study  # which only a search needs, with all reports

            space = SPACE if given.search_space is None else given.search_space
            found = run_study(
                config,
                data,
                seeds=[seed],
                space=space,
                samples=given.search_samples,
                halving=given.search,
                verbose=False,
            )
            if found.best is None:
                raise ValueError("every candidate of the search diverged. Give a search_space of lower learning rates.")
            config = config.updated(found.best.values)
        trials = [Trial(config, seed + index) for index in range(given.n_ensemble)]
        runs = fit_all(trials, data, verbose=False)
        self.runs_: list[Run] = [replace(run, data=without_rows(run.data)) for run in runs]
        self.config_ = config
        self.n_iter_ = max(len(run.history) for run in runs)

    def _check_arguments(self) -> None:
        """Refuse values that no configuration checks."""
        given: Any = self
        stops, share = given.early_stopping, given.validation_fraction
        check("early_stopping", stops, stops in (True, False, "auto"), "True, False or auto")
        check("validation_fraction", share, 0 < share < 1, "above 0, below 1")
        check("n_ensemble", given.n_ensemble, given.n_ensemble >= 1, "1 or more")
        searches = (None, "successive", "hyperband")
        check("search", given.search, given.search in searches, "successive, hyperband or None")

    def _parts(
        self, codes: np.ndarray, random: np.random.RandomState, *, calibrates: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the indices of the training, validation and calibration rows. A class keeps a training row."""
        given: Any = self
        count = len(codes)
        validates = given.early_stopping is True or (given.early_stopping == "auto" and count >= FEWEST_VALIDATED)
        validates |= given.search is not None
        held_out = max(round(count * given.validation_fraction), 1)
        wanted = {"valid": held_out * validates, "calibration": held_out * calibrates}
        order = random.permutation(count)
        order = order[np.argsort(codes[order], kind="stable")]
        first = np.unique(codes[order], return_index=True)[1]
        free = np.delete(order, first)
        total = sum(wanted.values())
        if total > len(free):
            raise ValueError(f"{total} of {count} rows are to be held out, and each class needs a training row.")
        places = (np.arange(total) * len(free)) // max(total, 1)  # at equal distances, so each class gives its share
        chosen = free[places]
        is_valid = np.arange(total) % 2 == 0 if all(wanted.values()) else np.full(total, wanted["valid"] > 0)
        return {
            "train": np.setdiff1d(np.arange(count), chosen),
            "valid": chosen[is_valid],
            "calibration": chosen[~is_valid],
        }

    def _configuration(self, *, validates: bool) -> Config:
        """Return the configuration of the arguments."""
        given: Any = self
        if given.config is not None:
            config = given.config
        else:
            sites = "after_hidden" if given.dropout_rate else "none"
            config = Config(
                Data(),
                Model(
                    tuple(given.units),
                    given.activation,
                    kernel_init="he_normal",
                    dropout_sites=sites,
                    dropout_rate=given.dropout_rate,
                ),
                Optim(learning_rate=given.learning_rate),
                Train(given.batch_size, given.epochs, given.patience),
            ).updated({"regularize.l2": given.l2})
        return config if validates else config.updated({"train.keep": "last", "train.monitor": "val_loss"})

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean prediction of all networks."""
        return np.mean([run.predict(rows, check=False) for run in self.runs_], 0)


def dataset_of(
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    parts: Mapping[str, np.ndarray],
    task: Task,
    names: Sequence[str] | None = None,
) -> Dataset:
    """Return the data set of the training and validation rows.

    A row of each class stands in for rows that are not there. Their figures choose nothing and are shown nowhere.

    Args:
        rows: All rows [N, D].
        targets: Classes [N], or numbers [N] or [N, C].
        weights: Weights [N] of the rows, or None.
        parts: Indices of the rows of each part.
        task: What the targets are.
        names: Names of the classes, or None.
    """
    train, valid = parts["train"], parts["valid"]
    of_each = train[np.unique(targets[train], return_index=True)[1]] if task == "classification" else train[:1]
    valid = valid if len(valid) else of_each
    order = np.concatenate([valid, train])
    data = Dataset.from_arrays(
        rows[order],
        targets[order],
        rows[of_each],
        targets[of_each],
        data=Data(valid_size=len(valid)),
        class_names=names,
        row_weights=None if weights is None else weights[order],
        task=task,
    )
    assert data.info is not None
    return replace(data, info=data.info._replace(data=None))  # other numbers of rows then share programs
